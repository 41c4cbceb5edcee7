#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "websocket/frame.hpp"

namespace wskeep::websocket {

/// Appends one frame to `output`: its shortest header, and the payload, masked as it is copied
/// where there is a key. A control frame's payload is at most `max_control_payload` bytes.
/// `payload` must not lie in `output`.
void append_frame(std::vector<std::byte>& output, Opcode opcode, std::span<const std::byte> payload,
                  std::optional<MaskingKey> mask, bool rsv1 = false, bool fin = true);

}  // namespace wskeep::websocket
