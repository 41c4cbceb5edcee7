#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wskeep::daemon {

/// Why an attempt or a session ended. The names (`error_name`) are stable: they stand in logs,
/// metrics, events and the CLI.
enum class Error : std::uint8_t {
  none,
  stopped,              ///< we were told to stop
  paused,               ///< a person paused the connection
  reconnect_requested,  ///< a person asked for a new session
  reconfigured,         ///< the configuration changed so that a new session is needed
  lifetime,             ///< the session was as old as `lifetime` says, and is renewed
  configuration,        ///< a variable or file that the configuration names cannot be read now
  prepare_failed,       ///< a step of `session.prepare` failed
  prepare_timeout,      ///< a step of `session.prepare` took too long
  budget_spent,         ///< `reconnect.budget` or `connects` allow no connect now
  resolve_failed,       ///< the name does not exist, or the name server says that it failed
  resolve_timeout,      ///< no name server answered in time
  connect_timeout,      ///< the whole cycle took too long
  address_timeout,      ///< one address took too long (TCP, TLS or upgrade)
  connection_refused,   ///< nothing listens there
  host_unreachable,     ///< no route, network down
  connection_reset,     ///< the peer or something between reset the connection
  connection_closed,    ///< TCP ended without a Close frame
  proxy_unauthorized,   ///< the proxy wants other credentials
  proxy_refused,        ///< the proxy would not or could not reach upstream
  proxy_protocol,       ///< what answered is no such proxy
  tls_truncated,        ///< TLS ended without close_notify inside a message
  tls_protocol,         ///< version, cipher, or not TLS at all
  tls_version,          ///< no TLS version in common
  certificate_expired,
  certificate_not_yet_valid,
  certificate_name_mismatch,
  certificate_self_signed,
  certificate_issuer_unknown,  ///< its issuer was neither sent nor known: an intermediate is
                               ///< missing
  certificate_untrusted,       ///< a chain whose root is not accepted
  certificate_revoked,
  certificate_revocation_unknown,  ///< no revocation list in force for its issuer (`tls.crl`)
  certificate_pin_mismatch,        ///< none of `tls.pin_sha256` is in the chain
  certificate_invalid,             ///< any other fault of the certificate
  client_certificate_required,
  http_invalid,            ///< the answer is not HTTP, or too large
  http_status,             ///< an answer other than 101
  http_unauthorized,       ///< 401 or 403
  http_too_many_requests,  ///< 429
  http_unavailable,        ///< 503
  http_redirect,           ///< a redirection that is not to be followed
  upgrade_invalid,         ///< 101, but not a correct WebSocket upgrade
  protocol_error,          ///< the peer broke RFC 6455 (1002)
  invalid_payload,         ///< text that is not UTF-8, data that does not inflate (1007)
  message_too_big,         ///< over max_message (1009)
  receive_timeout,         ///< nothing at all came for `timeouts.receive`
  send_timeout,            ///< nothing at all was accepted for `timeouts.send`
  message_timeout,         ///< a message begun was not ended within `timeouts.message`
  first_message_timeout,   ///< no message within `timeouts.first_message`
  silence_timeout,         ///< no message for `timeouts.silence`, though the peer lives
  script_failed,           ///< a step of `session` could not be done: a value is missing or unfit
  script_timeout,          ///< a step of `session` waited in vain
  script_refused,          ///< a message said no to a step of `session`
  heartbeat_timeout,       ///< `session.heartbeat` was not answered
  goodbye,                 ///< a message announced the end (`session.goodbye`)
  close_timeout,           ///< the closing handshake was not over within `timeouts.close`
  closed_by_peer,          ///< a Close frame came
  publisher_gone,          ///< a local app left in the middle of a message that was being sent
  out_of_resources,        ///< no descriptors or no memory
  internal,
};

inline constexpr std::size_t error_count = static_cast<std::size_t>(Error::internal) + 1;

/// `snake_case`, as in the enumeration.
[[nodiscard]] std::string_view error_name(Error error) noexcept;

/// An error with a sentence for people: what happened, where. Never holds a secret.
struct Failure {
  Error error = Error::none;
  std::string text;
};

}  // namespace wskeep::daemon
