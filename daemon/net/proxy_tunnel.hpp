#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "daemon/net/proxy_dialogue.hpp"
#include "daemon/net/tls_transport.hpp"

namespace wskeep::net {

/// Speaks with a proxy over a connected socket until it lets us through (Error::none) or will not.
/// Reads no byte of what comes through the tunnel; that something has come already is a failure,
/// for servers do not speak first. No time limit; cancelled, it ends at once with Error::stopped.
/// What is given must outlive the call.
[[nodiscard]] boost::asio::awaitable<daemon::Failure> pass_proxy(
    boost::asio::posix::stream_descriptor& socket, ProxyDialogue& dialogue);

/// The same within TLS to the proxy, whose handshake is over.
[[nodiscard]] boost::asio::awaitable<daemon::Failure> pass_proxy(TlsTransport& tls,
                                                                 ProxyDialogue& dialogue);

}  // namespace wskeep::net
