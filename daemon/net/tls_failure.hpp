#pragma once

#include "daemon/error.hpp"
#include "daemon/net/tls_context.hpp"

struct ssl_st;

/// What ended TLS, read from OpenSSL's error queue, which stays as it is.
namespace wskeep::net {

/// Whether the peer has sent an alert. That says more than how TCP ended behind it.
[[nodiscard]] bool alert_in_queue() noexcept;

/// A server that wants a client certificate says so with an alert of its own in TLS 1.3 (RFC 8446,
/// 6.2), and only after our end of the handshake is over; in TLS 1.2 with a general one.
[[nodiscard]] daemon::Error error_of_queue(const TlsPeer& peer) noexcept;

/// The same of a handshake, for a person.
[[nodiscard]] daemon::Failure handshake_failure_of_queue(const TlsPeer& peer);

/// Error::none, unless the server has chosen a protocol other than http/1.1 (ALPN, RFC 7301).
[[nodiscard]] daemon::Failure protocol_failure(const ssl_st* ssl);

}  // namespace wskeep::net
