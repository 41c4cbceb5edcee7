#include <fcntl.h>
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
#include "config/warnings.hpp"
#include "daemon/configuration_warnings.hpp"
#include "daemon/dry_run.hpp"
#include "daemon/log.hpp"
#include "daemon/log_sink.hpp"
#include "daemon/net/child_process.hpp"
#include "daemon/out_of_memory.hpp"
#include "daemon/process.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/version.hpp"

namespace {

constexpr int exit_failure = 1;
constexpr int exit_configuration = 5;  // as `wskeep check` has it

void complain(const std::string& text) {
  // The journal takes the level from there (sd-daemon(3)).
  const char* const level = wskeep::daemon::is_journal(STDERR_FILENO) ? "<3>" : "";
  std::fprintf(stderr, "%swskeepd: %s\n", level, text.c_str());
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

/// A socket must not get the number that the log is written to.
void keep_standard_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    // The lowest number that is free is this one.
    if (::fcntl(descriptor, F_GETFD) < 0) static_cast<void>(::open("/dev/null", O_RDWR));
  }
}

/// As many descriptors as may be had: the usual 1024 are what programs that use select(2) need.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Where things stand is only needed until it is known what to warn of.
wskeep::config::Config load(const std::string& file,
                            std::vector<wskeep::config::Problem>& warnings) {
  wskeep::config::Places places;
  wskeep::config::Config config = wskeep::config::load_file(file, &places);
  warnings = wskeep::config::placed_warnings(config, places);
  return config;
}

int run(wskeep::config::Config config, const std::vector<wskeep::config::Problem>& warnings,
        const std::string& file) {
  if (!config.core_dumps) forbid_core_dumps();
  keep_standard_descriptors();
  raise_descriptor_limit();
  wskeep::daemon::end_when_memory_is_out(config.log);
  auto log = std::make_unique<wskeep::daemon::Log>(config.log);
  log->write(wskeep::daemon::Log::Level::info, "", "starting",
             {{"version", std::string(wskeep::daemon::version)},
              {"pid", std::to_string(::getpid())},
              {"file", file}});
  wskeep::daemon::log_warnings(warnings, *log);
  wskeep::daemon::log_want_of_descriptors(config, *log);
  try {
    const auto process = std::make_unique<wskeep::daemon::Process>(std::move(config), file, *log);
    const int code = process->run();
    if (process->forced()) {
      wskeep::net::kill_running_programs();
      log.reset();  // writes what it still has
      std::_Exit(code);
    }
    return code;
  } catch (const std::exception& error) {
    log->write(wskeep::daemon::Log::Level::error, "", "failed", {{"message", error.what()}});
    // The journal files an entry under the service only while the process is there to be asked, and
    // this one ends now; what comes by stderr it files in any case.
    if (wskeep::daemon::is_journal(STDERR_FILENO)) complain(error.what());
    wskeep::daemon::ServiceManager().status(error.what());
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
    std::vector<wskeep::config::Problem> warnings;
    wskeep::config::Config config = load(file, warnings);
    return run(std::move(config), warnings, file);
  } catch (const wskeep::config::LoadError& error) {
    for (const auto& problem : error.problems()) complain(problem.text());
    // Whoever looks at the service that did not start sees the first of them at once.
    if (file_to_check.empty() && dry->count() == 0)
      wskeep::daemon::ServiceManager().status(error.problems().front().text());
    return exit_configuration;
  }
}
