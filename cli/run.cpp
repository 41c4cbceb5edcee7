#include "cli/run.hpp"

#include <exception>
#include <variant>

#include "cli/commands.hpp"
#include "cli/request.hpp"

namespace wskeep::cli {

namespace {

struct Runner {
  const Options& options;
  const Console& console;

  ExitCode operator()(const ListCommand& command) { return run_list(options, command, console); }
  ExitCode operator()(const ShowCommand& command) { return run_show(options, command, console); }
  ExitCode operator()(const WhyCommand& command) { return run_why(options, command, console); }
  ExitCode operator()(const ControlCommand& command) {
    return run_control(options, command, console);
  }
  ExitCode operator()(const TailCommand& command) { return run_tail(options, command, console); }
  ExitCode operator()(const TopCommand& command) { return run_top(options, command, console); }
  ExitCode operator()(const SendCommand& command) { return run_send(options, command, console); }
  ExitCode operator()(const CheckCommand& command) { return run_check(options, command, console); }
  ExitCode operator()(const StatusCommand& command) {
    return run_status(options, command, console);
  }
  ExitCode operator()(const ReloadCommand& command) {
    return run_reload(options, command, console);
  }
  ExitCode operator()(const HealthCommand& command) {
    return run_health(options, command, console);
  }
  ExitCode operator()(const SchemaCommand& command) {
    return run_schema(options, command, console);
  }
  ExitCode operator()(const InitCommand& command) { return run_init(options, command, console); }
  ExitCode operator()(const DryRunCommand& command) {
    return run_dry_run(options, command, console);
  }
  ExitCode operator()(const DiffCommand& command) { return run_diff(options, command, console); }
};

}  // namespace

ExitCode run(const Options& options, const Console& console) {
  const auto* list = std::get_if<ListCommand>(&options.command);
  const bool silent = list != nullptr && list->names;
  const auto fail = [&](ExitCode code, const std::exception& error) {
    if (!silent) console.complain(error.what());
    return code;
  };
  try {
    return std::visit(Runner{options, console}, options.command);
  } catch (const OutputClosed&) {
    // `wskeep tail trades | head` is done when head is.
    return ExitCode::ok;
  } catch (const CommandError& error) {
    return fail(error.code(), error);
  } catch (const ipc::ClientError& error) {
    return fail(exit_code(error), error);
  } catch (const std::exception& error) {
    return fail(ExitCode::failed, error);
  }
}

ExitCode leave_early(const Leave& leave, const Console& console) {
  if (!leave.error.empty()) console.complain(leave.error);
  try {
    if (!leave.output.empty()) console.print(leave.output);
  } catch (const OutputClosed&) {
    return leave.code;
  } catch (const std::exception& error) {
    console.complain(error.what());
    return ExitCode::failed;
  }
  return leave.code;
}

}  // namespace wskeep::cli
