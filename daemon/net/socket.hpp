#pragma once

#include <cstddef>
#include <span>

#include "daemon/net/transport.hpp"

/// The few calls on a connected non-blocking socket that all transports share.
namespace wskeep::net {

/// What an errno of a socket means; Error::connection_reset for one that it does not know.
[[nodiscard]] daemon::Error error_of_errno(int number) noexcept;

/// One `recv`; an orderly end is Status::end.
[[nodiscard]] IoResult receive_some(int descriptor, std::span<std::byte> buffer) noexcept;

/// One `send`, without SIGPIPE.
[[nodiscard]] IoResult send_some(int descriptor, std::span<const std::byte> data) noexcept;

/// Sets both addresses, "ADDRESS:PORT" with IPv6 in brackets; empty where the kernel does not say.
void describe_addresses(int descriptor, TransportInformation& information);

/// A non-blocking TCP socket with TCP_NODELAY and SO_KEEPALIVE; -1 with errno when there is none to
/// be had.
[[nodiscard]] int make_socket(int family) noexcept;

}  // namespace wskeep::net
