#pragma once

#include <cstdint>

namespace wskeep::websocket {

/// RFC 6455, section 7.4.1, and the later entries of the IANA registry.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status = 1005,  ///< never on the wire: the Close frame had no code
  abnormal = 1006,   ///< never on the wire: there was no Close frame
  invalid_payload = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  mandatory_extension = 1010,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
  bad_gateway = 1014,
};

/// What a peer did wrong, as the Close frame that answers it. `reason` is a literal of at most 123
/// bytes.
struct Violation {
  CloseCode code = CloseCode::protocol_error;
  const char* reason = "";
};

}  // namespace wskeep::websocket
