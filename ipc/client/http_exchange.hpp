#pragma once

#include <string>
#include <string_view>

#include "ipc/client/http_client.hpp"
#include "ipc/client/unix_socket.hpp"

namespace wskeep::ipc {

/// Writes a request and reads its answer. An answer that came before the request was taken whole
/// counts: a daemon may refuse a large body by its head.
[[nodiscard]] HttpResponse exchange(UnixSocket& socket, std::string_view request,
                                    Deadline deadline);

struct Upgraded {
  UnixSocket socket;
  std::string received;  ///< what came behind the 101
};

/// Asks for a WebSocket with that subprotocol. Throws Refusal when the answer is not 101, and
/// ClientError when it is a wrong one.
[[nodiscard]] Upgraded upgrade(UnixSocket socket, const std::string& target,
                               const std::string& subprotocol, Deadline deadline);

}  // namespace wskeep::ipc
