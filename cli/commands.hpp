#pragma once

#include "cli/console.hpp"
#include "cli/exit_code.hpp"
#include "cli/options.hpp"

/// One function for each command. They throw CommandError, ipc::ClientError and OutputClosed, which
/// `run` turns into an exit code.
namespace wskeep::cli {

[[nodiscard]] ExitCode run_list(const Options& options, const ListCommand& command,
                                const Console& console);
[[nodiscard]] ExitCode run_show(const Options& options, const ShowCommand& command,
                                const Console& console);
[[nodiscard]] ExitCode run_why(const Options& options, const WhyCommand& command,
                               const Console& console);
[[nodiscard]] ExitCode run_control(const Options& options, const ControlCommand& command,
                                   const Console& console);
[[nodiscard]] ExitCode run_tail(const Options& options, const TailCommand& command,
                                const Console& console);
[[nodiscard]] ExitCode run_top(const Options& options, const TopCommand& command,
                               const Console& console);
[[nodiscard]] ExitCode run_send(const Options& options, const SendCommand& command,
                                const Console& console);
[[nodiscard]] ExitCode run_check(const Options& options, const CheckCommand& command,
                                 const Console& console);
[[nodiscard]] ExitCode run_status(const Options& options, const StatusCommand& command,
                                  const Console& console);
[[nodiscard]] ExitCode run_reload(const Options& options, const ReloadCommand& command,
                                  const Console& console);
[[nodiscard]] ExitCode run_health(const Options& options, const HealthCommand& command,
                                  const Console& console);
[[nodiscard]] ExitCode run_schema(const Options& options, const SchemaCommand& command,
                                  const Console& console);
[[nodiscard]] ExitCode run_init(const Options& options, const InitCommand& command,
                                const Console& console);
[[nodiscard]] ExitCode run_dry_run(const Options& options, const DryRunCommand& command,
                                   const Console& console);
[[nodiscard]] ExitCode run_diff(const Options& options, const DiffCommand& command,
                                const Console& console);

}  // namespace wskeep::cli
