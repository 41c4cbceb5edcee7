#include <algorithm>
#include <string>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/request.hpp"
#include "ipc/client/http_client.hpp"

namespace wskeep::cli {

namespace {

/// The names that /readyz gives, one a line, in one.
std::string joined_lines(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return visible(text);
}

}  // namespace

/// For the health check of a container, and for scripts: says nothing where all is well.
ExitCode run_health(const Options& options, const HealthCommand& command, const Console& console) {
  const ipc::HttpResponse response =
      ipc::HttpClient(options.socket, options.timeout).get(command.ready ? "/readyz" : "/healthz");
  const bool good = response.status == 200;
  if (options.json) console.print(good ? "{\"healthy\":true}\n" : "{\"healthy\":false}\n");
  if (good) return ExitCode::ok;
  if (command.ready && response.status == 503) {
    throw CommandError(ExitCode::disconnected,
                       "not ready: " + joined_lines(response.body) + " (wskeep why NAME says why)");
  }
  throw CommandError(ExitCode::failed,
                     "the daemon answered " + std::to_string(response.status) + " to a check");
}

}  // namespace wskeep::cli
