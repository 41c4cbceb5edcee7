#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace wskeep::match {

/// A received message, where it lies.
struct Message {
  /// Bytes behind the payload that may be read (what they hold does not matter), so that it need
  /// not be copied to be parsed. The ring has them behind all but those that fill it whole.
  static constexpr std::size_t padding = 64;

  std::uint8_t opcode = 0;  ///< RFC 6455: 1 text, 2 binary
  std::span<const std::byte> payload;
  bool padded = false;  ///< `padding` bytes behind it may be read

  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(payload.data()), payload.size()};
  }
};

}  // namespace wskeep::match
