#pragma once

#include <string>
#include <string_view>

#include "ipc/client/unix_socket.hpp"

namespace wskeep::ipc {

struct HttpResponse {
  int status = 0;
  std::string body;
};

/// Asks the daemon by HTTP, each time on a connection of its own. Its calls throw ClientError when
/// there is no answer; any status is an answer.
class HttpClient {
 public:
  /// `timeout` bounds a whole call.
  HttpClient(std::string socket, Milliseconds timeout);

  [[nodiscard]] HttpResponse get(const std::string& target) const;
  [[nodiscard]] HttpResponse post(const std::string& target, const std::string& content_type,
                                  std::string_view body) const;

 private:
  std::string socket_;
  Milliseconds timeout_;
};

}  // namespace wskeep::ipc
