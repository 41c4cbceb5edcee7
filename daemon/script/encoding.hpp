#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Bytes as text and back.
namespace wskeep::script {

/// Lower case.
[[nodiscard]] std::string to_hex(std::string_view bytes);

/// Either case. Nothing where it is not hexadecimal.
[[nodiscard]] std::optional<std::string> from_hex(std::string_view text);

/// Its length in bytes, and behind it the text. `kind` is `uint8`, `uint16`, `uint32` (the first
/// byte is the highest) or `varint` (seven bits a byte, the lowest first, as MQTT and Protocol
/// Buffers have it). Nothing where it is too long for that.
[[nodiscard]] std::optional<std::string> with_length(std::string_view text, std::string_view kind);

/// Either alphabet, with or without padding. Nothing where it is not base64.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

/// All but RFC 3986's unreserved characters as %XX.
[[nodiscard]] std::string percent_encoded(std::string_view bytes);

[[nodiscard]] bool is_utf8(std::string_view bytes);

/// `hex`, `base64`, `base64url` or `raw`: as it is.
[[nodiscard]] std::string encoded(std::string_view bytes, std::string_view encoding);

}  // namespace wskeep::script
