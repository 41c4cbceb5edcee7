#include "config/pin.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "config/characters.hpp"

namespace wskeep::config {
namespace {

constexpr std::string_view base64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view hex = "0123456789abcdef";
constexpr std::size_t bytes = 32;
constexpr std::size_t base64_length = 43;  // without its padding
constexpr const char* complaint =
    "is not the SHA-256 of a public key; allowed: 43 or 44 characters of base64, with or without "
    "sha256/ or sha256// before them, or 64 hexadecimal digits";

using Digest = std::array<std::uint8_t, bytes>;

/// Nothing where `text` is not hexadecimal, with all colons or none.
std::optional<Digest> from_hex(std::string_view text) {
  const std::size_t step = text.size() == 3 * bytes - 1 ? 3 : 2;
  if (text.size() != bytes * step - (step - 2)) {
    return std::nullopt;
  }
  const std::string digits = folded(text);
  Digest digest{};
  for (std::size_t index = 0; index < bytes; ++index) {
    const std::size_t high = hex.find(digits[index * step]);
    const std::size_t low = hex.find(digits[index * step + 1]);
    const bool colon = step == 2 || index + 1 == bytes || digits[index * step + 2] == ':';
    if (high == std::string_view::npos || low == std::string_view::npos || !colon) {
      return std::nullopt;
    }
    digest[index] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest;
}

std::string to_base64(const Digest& digest) {
  std::string result;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t byte : digest) {
    bits = (bits << 8U) | byte;
    count += 8;
    for (; count >= 6; count -= 6) {
      result += base64[(bits >> (count - 6)) & 63U];
    }
  }
  // 256 bits are 42 characters and 4 bits.
  result += base64[(bits << (6 - count)) & 63U];
  return result + "=";
}

/// Nothing where `text` is not 256 bits in base64.
std::optional<std::string> padded(std::string_view text) {
  if (text.size() == base64_length + 1 && text.ends_with('=')) {
    text.remove_suffix(1);
  }
  // The last character holds four bits.
  const bool whole = text.size() == base64_length && (base64.find(text.back()) & 3U) == 0;
  if (!whole || text.find_first_not_of(base64) != std::string_view::npos) {
    return std::nullopt;
  }
  return std::string(text) + "=";
}

}  // namespace

std::string parse_pin(std::string_view text) {
  if (const std::optional<Digest> digest = from_hex(text)) {
    return to_base64(*digest);
  }
  // A hash can begin with '/', so that the length tells which prefix it is.
  for (const std::string_view prefix : {"", "sha256//", "sha256/"}) {
    if (text.starts_with(prefix)) {
      if (const std::optional<std::string> pin = padded(text.substr(prefix.size()))) {
        return *pin;
      }
    }
  }
  throw PinError(complaint);
}

}  // namespace wskeep::config
