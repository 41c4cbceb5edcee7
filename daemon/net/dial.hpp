#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "daemon/environment.hpp"
#include "daemon/net/handshake_limit.hpp"
#include "daemon/net/tls_context.hpp"

namespace wskeep::net {

/// Environment::dial over real sockets. Has no time limit of its own; cancelled, it closes at once
/// and fails with Error::stopped. TLS waits for its turn with `handshakes`.
[[nodiscard]] boost::asio::awaitable<daemon::DialResult> dial(
    boost::asio::any_io_executor executor, TlsContexts& contexts, HandshakeLimit& handshakes,
    daemon::Environment::DialTarget target, daemon::DialProgress& progress);

}  // namespace wskeep::net
