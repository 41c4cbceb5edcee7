#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace wskeep::websocket {

namespace detail {

[[nodiscard]] bool is_valid_utf8_anywhere(std::span<const std::byte> text) noexcept;

[[nodiscard]] inline bool is_ascii(std::span<const std::byte> text) noexcept {
  constexpr std::uint64_t high_bits = 0x8080'8080'8080'8080U;
  const std::byte* at = text.data();
  std::size_t left = text.size();
  std::uint64_t seen = 0;
  for (; left >= 32; at += 32, left -= 32) {
    std::uint64_t words[4];
    std::memcpy(words, at, sizeof words);
    seen |= words[0] | words[1] | words[2] | words[3];
  }
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    seen |= word;
  }
  for (; left > 0; ++at, --left) seen |= std::to_integer<std::uint64_t>(*at);
  return (seen & high_bits) == 0;
}

}  // namespace detail

/// Whether `text` is UTF-8 in the sense of RFC 3629: shortest forms only, no surrogates, none
/// beyond U+10FFFF.
[[nodiscard]] inline bool is_valid_utf8(std::span<const std::byte> text) noexcept {
  // Most messages are short ASCII, and then the call alone would cost as much as this loop.
  constexpr std::size_t short_text = 256;
  if (text.size() <= short_text && detail::is_ascii(text)) return true;
  return detail::is_valid_utf8_anywhere(text);
}

/// How many bytes at the end of `text` are the front part of a code point, if the rest is UTF-8.
[[nodiscard]] std::size_t incomplete_tail(std::span<const std::byte> text) noexcept;

/// The same for a text that comes in pieces, cut anywhere.
class Utf8Validator {
 public:
  /// Takes the next piece. False once the text so far cannot be the beginning of UTF-8; what
  /// follows is then not read any more, and the answer stays false.
  [[nodiscard]] bool feed(std::span<const std::byte> piece) noexcept;

  /// Ends the text, and is ready for another one. False if it was not UTF-8 or ends within a code
  /// point.
  [[nodiscard]] bool finish() noexcept;

 private:
  bool step(std::byte byte) noexcept;

  bool valid_ = true;
  std::uint8_t needed_ = 0;    ///< bytes that the open code point still lacks
  std::uint8_t lower_ = 0x80;  ///< the least and the greatest value its next byte may have
  std::uint8_t upper_ = 0xBF;
};

}  // namespace wskeep::websocket
