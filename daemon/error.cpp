#include "daemon/error.hpp"

namespace wskeep::daemon {

std::string_view error_name(Error error) noexcept {
  switch (error) {
    case Error::none:
      return "none";
    case Error::stopped:
      return "stopped";
    case Error::configuration:
      return "configuration";
    case Error::resolve_failed:
      return "resolve_failed";
    case Error::resolve_timeout:
      return "resolve_timeout";
    case Error::connect_timeout:
      return "connect_timeout";
    case Error::address_timeout:
      return "address_timeout";
    case Error::connection_refused:
      return "connection_refused";
    case Error::host_unreachable:
      return "host_unreachable";
    case Error::connection_reset:
      return "connection_reset";
    case Error::connection_closed:
      return "connection_closed";
    case Error::tls_truncated:
      return "tls_truncated";
    case Error::tls_protocol:
      return "tls_protocol";
    case Error::certificate_expired:
      return "certificate_expired";
    case Error::certificate_not_yet_valid:
      return "certificate_not_yet_valid";
    case Error::certificate_name_mismatch:
      return "certificate_name_mismatch";
    case Error::certificate_untrusted:
      return "certificate_untrusted";
    case Error::certificate_revoked:
      return "certificate_revoked";
    case Error::certificate_invalid:
      return "certificate_invalid";
    case Error::client_certificate_required:
      return "client_certificate_required";
    case Error::http_invalid:
      return "http_invalid";
    case Error::http_status:
      return "http_status";
    case Error::http_unauthorized:
      return "http_unauthorized";
    case Error::http_too_many_requests:
      return "http_too_many_requests";
    case Error::http_unavailable:
      return "http_unavailable";
    case Error::upgrade_invalid:
      return "upgrade_invalid";
    case Error::protocol_error:
      return "protocol_error";
    case Error::invalid_payload:
      return "invalid_payload";
    case Error::message_too_big:
      return "message_too_big";
    case Error::receive_timeout:
      return "receive_timeout";
    case Error::send_timeout:
      return "send_timeout";
    case Error::message_timeout:
      return "message_timeout";
    case Error::closed_by_peer:
      return "closed_by_peer";
    case Error::out_of_resources:
      return "out_of_resources";
    case Error::internal:
      return "internal";
  }
  return "internal";
}

}  // namespace wskeep::daemon
