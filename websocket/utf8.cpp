#include "websocket/utf8.hpp"

#include <simdjson.h>

#include <algorithm>

namespace wskeep::websocket {
namespace {

/// Bytes of the code point that `lead` begins; 0 if none does, 1 for ASCII.
std::size_t code_point_size(unsigned lead) noexcept {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

}  // namespace

std::size_t incomplete_tail(std::span<const std::byte> text) noexcept {
  const std::size_t longest = std::min<std::size_t>(3, text.size());
  for (std::size_t back = 1; back <= longest; ++back) {
    const auto byte = std::to_integer<unsigned>(text[text.size() - back]);
    if ((byte & 0xC0U) == 0x80) continue;
    return code_point_size(byte) > back ? back : 0;
  }
  return 0;
}

bool detail::is_valid_utf8_anywhere(std::span<const std::byte> text) noexcept {
  return simdjson::validate_utf8(reinterpret_cast<const char*>(text.data()), text.size());
}

bool Utf8Validator::step(std::byte byte) noexcept {
  const auto value = std::to_integer<unsigned>(byte);
  if (needed_ > 0) {
    if (value < lower_ || value > upper_) return false;
    lower_ = 0x80;
    upper_ = 0xBF;
    --needed_;
    return true;
  }
  const std::size_t size = code_point_size(value);
  if (size == 0) return false;
  needed_ = static_cast<std::uint8_t>(size - 1);
  // RFC 3629, section 4: the second byte tells longer forms than needed, surrogates, and what lies
  // beyond U+10FFFF.
  lower_ = value == 0xE0 ? 0xA0 : value == 0xF0 ? 0x90 : 0x80;
  upper_ = value == 0xED ? 0x9F : value == 0xF4 ? 0x8F : 0xBF;
  return true;
}

bool Utf8Validator::feed(std::span<const std::byte> piece) noexcept {
  while (valid_ && needed_ > 0 && !piece.empty()) {
    valid_ = step(piece.front());
    piece = piece.subspan(1);
  }
  if (!valid_ || piece.empty()) return valid_;
  const std::size_t tail = incomplete_tail(piece);
  valid_ = is_valid_utf8(piece.first(piece.size() - tail));
  for (const std::byte byte : piece.last(tail)) valid_ = valid_ && step(byte);
  return valid_;
}

bool Utf8Validator::finish() noexcept {
  const bool whole = valid_ && needed_ == 0;
  *this = {};
  return whole;
}

}  // namespace wskeep::websocket
