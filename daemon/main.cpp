#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "config/quantity.hpp"
#include "config/suggest.hpp"
#include "daemon/dry_run.hpp"
#include "daemon/log.hpp"
#include "daemon/process.hpp"
#include "daemon/version.hpp"

namespace {

constexpr int exit_failure = 1;
constexpr int exit_configuration = 5;  // as `wskeep check` has it

void complain(const std::string& text) {
  std::fprintf(stderr, "wskeepd: %s\n", text.c_str());
}

int check(const wskeep::config::Config& config, const std::string& file) {
  std::printf("%s: good, %zu connection%s\n", file.c_str(), config.connections.size(),
              config.connections.size() == 1 ? "" : "s");
  return 0;
}

/// A core dump holds whatever the configuration's place-holders stand for.
void forbid_core_dumps() {
  // Where cores are piped to a program the limit is not heeded (core(5)); not being dumpable is.
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

/// As many descriptors as may be had: the usual 1024 are what programs that use select(2) need.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int run(wskeep::config::Config config, const std::string& file) {
  if (!config.core_dumps) forbid_core_dumps();
  raise_descriptor_limit();
  auto log = std::make_unique<wskeep::daemon::Log>(config.log);
  try {
    const auto process = std::make_unique<wskeep::daemon::Process>(std::move(config), file, *log);
    const int code = process->run();
    if (process->forced()) {
      log.reset();  // writes what it still has
      std::_Exit(code);
    }
    return code;
  } catch (const std::exception& error) {
    log->write(wskeep::daemon::Log::Level::error, "", "failed", {{"message", error.what()}});
    return exit_failure;
  }
}

int dry_run(const wskeep::config::Config& config, const wskeep::daemon::DryRun& what) {
  if (!config.core_dumps) forbid_core_dumps();
  try {
    const auto result = wskeep::daemon::dry_run(config, what, STDOUT_FILENO);
    if (result == wskeep::daemon::DryRunResult::no_connection) {
      std::vector<std::string_view> names;
      for (const auto& connection : config.connections) names.emplace_back(connection.name);
      complain("no connection is named '" + what.name + "'" +
               wskeep::config::suggestion(what.name, names));
    }
    return static_cast<int>(result);
  } catch (const std::exception& error) {
    complain(error.what());
    return exit_failure;
  }
}

std::string check_duration(const std::string& text) {
  try {
    static_cast<void>(wskeep::config::parse_duration(text));
    return {};
  } catch (const wskeep::config::QuantityError& error) {
    return "'" + text + "' " + error.what();
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"wskeepd holds WebSocket connections and hands their messages to local apps."};
  std::string file = "/etc/wskeep/wskeep.yaml";
  std::string file_to_check;
  app.add_option("--config", file, "The configuration")->capture_default_str();
  app.add_option("--check", file_to_check,
                 "Check a configuration, say what is wrong with it, and end");
  wskeep::daemon::DryRun rehearsal;
  std::string at_most = "30s";
  auto* const dry = app.add_option(
      "--dry-run", rehearsal.name,
      "Connect as this connection would, once, and print what happens as lines of JSON");
  app.add_option("--for", at_most, "How long a dry run goes on")
      ->needs(dry)
      ->check(CLI::Validator(check_duration, "DURATION"))
      ->capture_default_str();
  app.add_option("--messages", rehearsal.messages, "How many messages a dry run waits for")
      ->needs(dry);
  app.add_flag("--show-values", rehearsal.show_values,
               "In a dry run, show what variables and place-holders stand for")
      ->needs(dry);
  app.set_version_flag("--version", "wskeepd " + std::string(wskeep::daemon::version));
  CLI11_PARSE(app, argc, argv);
  try {
    if (!file_to_check.empty())
      return check(wskeep::config::load_file(file_to_check), file_to_check);
    if (dry->count() > 0) {
      rehearsal.at_most = wskeep::config::parse_duration(at_most);
      return dry_run(wskeep::config::load_file(file), rehearsal);
    }
    return run(wskeep::config::load_file(file), file);
  } catch (const wskeep::config::LoadError& error) {
    for (const auto& problem : error.problems()) complain(problem.text());
    return exit_configuration;
  }
}
