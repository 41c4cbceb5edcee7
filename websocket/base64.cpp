#include "websocket/base64.hpp"

#include <cstddef>
#include <cstdint>

namespace wskeep::websocket {
namespace {

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view base64url_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::uint32_t byte(char c) {
  return static_cast<unsigned char>(c);
}

std::string in_base64(std::string_view bytes, std::string_view alphabet) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = byte(group[0]) << 16U;
    bits |= group.size() > 1 ? byte(group[1]) << 8U : 0;
    bits |= group.size() > 2 ? byte(group[2]) : 0;
    for (std::size_t digit = 0; digit <= group.size(); ++digit) {
      text += alphabet[bits >> (18 - 6 * digit) & 0x3FU];
    }
  }
  return text;
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text = in_base64(bytes, base64_alphabet);
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::string to_base64url(std::string_view bytes) {
  return in_base64(bytes, base64url_alphabet);
}

}  // namespace wskeep::websocket
