#include "daemon/upstream/session_end.hpp"

namespace wskeep::upstream {

using daemon::Error;
using websocket::CloseCode;

std::string_view closed_by_name(ClosedBy closed_by) noexcept {
  switch (closed_by) {
    case ClosedBy::upstream:
      return "upstream";
    case ClosedBy::wskeep:
      return "wskeep";
    case ClosedBy::network:
      break;
  }
  return "network";
}

Error violation_error(CloseCode code) noexcept {
  switch (code) {
    case CloseCode::invalid_payload:
      return Error::invalid_payload;
    case CloseCode::message_too_big:
      return Error::message_too_big;
    default:
      return Error::protocol_error;
  }
}

std::string transport_end_text(Error error) {
  switch (error) {
    case Error::connection_reset:
      return "upstream reset the connection";
    case Error::tls_truncated:
      return "the TLS stream was cut off inside a message";
    case Error::none:
    case Error::connection_closed:
      return "upstream ended the connection without a Close frame";
    default:
      return "the connection failed: " + std::string(daemon::error_name(error));
  }
}

}  // namespace wskeep::upstream
