#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "websocket/violation.hpp"

namespace wskeep::websocket {

/// What a Close frame says (RFC 6455, section 5.5.1).
struct ClosePayload {
  CloseCode code =
      CloseCode::no_status;  ///< no_status when the frame was empty; may be any of 3000-4999
  std::string_view reason;   ///< UTF-8, a part of the payload that was parsed
};

/// A received Close payload, judged.
struct ReceivedClose {
  /// Without a violation: what the peer said. With one: the code as it was on the wire (which may
  /// be one that nobody may send: some servers do send 1005) or no_status if there was none, and no
  /// reason.
  ClosePayload payload;
  std::optional<Violation> violation;
};

inline constexpr std::size_t max_close_reason = 123;

/// Whether the code may stand in a Close frame: 1000-1003, 1007-1014 and 3000-4999 (section 7.4).
[[nodiscard]] constexpr bool is_valid_close_code(std::uint16_t code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

/// Reads the payload of a Close frame: 1002 for half a code or one that may not be sent, 1007 for a
/// reason that is not UTF-8. The caller may still take a frame with a violation for an end; it has
/// then `payload.code`.
[[nodiscard]] ReceivedClose parse_close(std::span<const std::byte> payload) noexcept;

/// Appends the payload of a Close frame: the code, and of `reason` (UTF-8) as many whole code
/// points as fit. Nothing for a code that may not be sent, no_status above all: an empty Close
/// frame is its form on the wire.
void append_close_payload(std::vector<std::byte>& output, CloseCode code, std::string_view reason);

}  // namespace wskeep::websocket
