#include "cli/request.hpp"

#include "cli/escape.hpp"
#include "ipc/client/http_client.hpp"

namespace wskeep::cli {

std::string connection_path(std::string_view name) {
  return "/v1/connections/" + percent_encode(name);
}

std::string fetch(const Options& options, const std::string& target, std::string_view connection) {
  ipc::HttpResponse response = ipc::HttpClient(options.socket, options.timeout).get(target);
  if (response.status == 200) return std::move(response.body);
  throw refused(ipc::Refusal(response.status, response.body), connection);
}

ExitCode exit_code(const ipc::ClientError& error) noexcept {
  switch (error.fault()) {
    case ipc::Fault::no_daemon:
      return ExitCode::no_daemon;
    case ipc::Fault::closed:
      return ExitCode::disconnected;
    case ipc::Fault::timed_out:
    case ipc::Fault::protocol:
      return ExitCode::failed;
  }
  return ExitCode::failed;
}

CommandError refused(const ipc::Refusal& refusal, std::string_view connection) {
  if (refusal.status() == 404 && !connection.empty()) {
    return {ExitCode::no_connection, "no connection is named '" + std::string(connection) +
                                         "', or you have no right to it (wskeep list shows those "
                                         "you may see)"};
  }
  if (refusal.status() == 403) {
    if (connection.empty()) return {ExitCode::no_connection, refusal.what()};
    return {ExitCode::no_connection,
            std::string(connection) + ": you have no right to do that: " + refusal.what()};
  }
  std::string sentence = refusal.what();
  if (!connection.empty()) sentence = std::string(connection) + ": " + sentence;
  const bool away = refusal.name() == "not_connected";
  if (away) sentence += " (wskeep why " + std::string(connection) + " says why)";
  return {away ? ExitCode::disconnected : ExitCode::failed, sentence};
}

}  // namespace wskeep::cli
