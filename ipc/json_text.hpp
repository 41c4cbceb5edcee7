#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace wskeep::ipc {

/// Appends `text`, which is UTF-8, as a JSON string with its quotes (RFC 8259, section 7).
void append_json_string(std::vector<std::byte>& output, std::span<const std::byte> text);

/// Appends base64 (RFC 4648, section 4), padded.
void append_base64(std::vector<std::byte>& output, std::span<const std::byte> data);

}  // namespace wskeep::ipc
