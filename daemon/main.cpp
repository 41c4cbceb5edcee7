#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include "config/load.hpp"
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

int run(wskeep::config::Config config, const std::string& file) {
  if (!config.core_dumps) forbid_core_dumps();
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

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"wskeepd holds WebSocket connections and hands their messages to local apps."};
  std::string file = "/etc/wskeep/wskeep.yaml";
  std::string file_to_check;
  app.add_option("--config", file, "The configuration")->capture_default_str();
  app.add_option("--check", file_to_check,
                 "Check a configuration, say what is wrong with it, and end");
  app.set_version_flag("--version", "wskeepd " + std::string(wskeep::daemon::version));
  CLI11_PARSE(app, argc, argv);
  try {
    if (!file_to_check.empty())
      return check(wskeep::config::load_file(file_to_check), file_to_check);
    return run(wskeep::config::load_file(file), file);
  } catch (const wskeep::config::LoadError& error) {
    for (const auto& problem : error.problems()) complain(problem.text());
    return exit_configuration;
  }
}
