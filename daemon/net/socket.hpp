#pragma once

#include <chrono>
#include <cstddef>
#include <span>

#include "daemon/net/transport.hpp"

/// The few calls on a connected non-blocking socket that all transports share.
namespace wskeep::net {

/// What an errno of a socket means; Error::connection_reset for one that it does not know.
[[nodiscard]] daemon::Error error_of_errno(int number) noexcept;

/// What the errno of a `recv` or `send` means on a connection that was there: as above, but that
/// the peer no longer answers is Error::send_timeout, for TCP_USER_TIMEOUT is `timeouts.send`.
[[nodiscard]] daemon::Error error_of_io(int number) noexcept;

/// One `recv`; an orderly end is Status::end.
[[nodiscard]] IoResult receive_some(int descriptor, std::span<std::byte> buffer) noexcept;

/// One `send`, without SIGPIPE.
[[nodiscard]] IoResult send_some(int descriptor, std::span<const std::byte> data) noexcept;

/// Sets both addresses, "ADDRESS:PORT" with IPv6 in brackets; empty where the kernel does not say.
void describe_addresses(int descriptor, TransportInformation& information);

/// A non-blocking TCP socket with TCP_NODELAY; -1 with errno when there is none to be had.
[[nodiscard]] int make_socket(int family) noexcept;

/// How long the kernel waits for a peer that is silent; both rounded up to what the kernel counts
/// in. For a socket that is connected: before, `user_timeout` would cut the connecting short.
/// `user_timeout`: bytes sent and not acknowledged, or a window that stays closed; 0: the system's.
/// `probe_after`: idle for that long, the peer is asked whether it is there, and again after each
/// third of it; the third question without an answer is the last. 0: it is not asked.
void limit_silence(int descriptor, std::chrono::milliseconds user_timeout,
                   std::chrono::milliseconds probe_after) noexcept;

}  // namespace wskeep::net
