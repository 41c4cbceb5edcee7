#include "daemon/script/encoding.hpp"

#include <simdjson.h>

#include <charconv>
#include <cstddef>
#include <cstdint>

#include "websocket/base64.hpp"

namespace wskeep::script {
namespace {

constexpr std::string_view base64_alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::uint32_t byte(char c) {
  return static_cast<unsigned char>(c);
}

/// 64 for what is no digit.
std::uint32_t base64_digit(char c) {
  if (c == '-') {
    c = '+';
  } else if (c == '_') {
    c = '/';
  }
  const std::size_t digit = base64_alphabet.find(c);
  return digit == std::string_view::npos ? 64 : static_cast<std::uint32_t>(digit);
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    text += digits[byte(c) >> 4U];
    text += digits[byte(c) & 0xFU];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) {
    return std::nullopt;
  }
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t at = 0; at < text.size(); at += 2) {
    unsigned value = 0;
    const char* const end = text.data() + at + 2;
    const auto [rest, error] = std::from_chars(text.data() + at, end, value, 16);
    if (error != std::errc() || rest != end) {
      return std::nullopt;
    }
    bytes += static_cast<char>(static_cast<unsigned char>(value));
  }
  return bytes;
}

std::optional<std::string> with_length(std::string_view text, std::string_view kind) {
  std::uint64_t length = text.size();
  std::string all;
  const auto append = [&all](std::uint64_t value) {
    all += static_cast<char>(static_cast<unsigned char>(value & 0xFFU));
  };
  if (kind == "varint") {
    for (; length > 0x7F; length >>= 7U) {
      append(length | 0x80U);
    }
    append(length);
  } else {
    const unsigned bits = kind == "uint8" ? 8 : kind == "uint16" ? 16 : 32;
    if (length >> bits != 0) {
      return std::nullopt;
    }
    for (unsigned left = bits; left > 0; left -= 8) {
      append(length >> (left - 8));
    }
  }
  return all.append(text);
}

std::optional<std::string> from_base64(std::string_view text) {
  const std::size_t end = text.find('=');
  if (end != std::string_view::npos) {
    const std::string_view padding = text.substr(end);
    if (text.size() % 4 != 0 || (padding != "=" && padding != "==")) {
      return std::nullopt;
    }
    text = text.substr(0, end);
  }
  if (text.size() % 4 == 1) {
    return std::nullopt;
  }
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const std::uint32_t digit = base64_digit(c);
    if (digit == 64) {
      return std::nullopt;
    }
    bits = (bits << 6U | digit) & 0xFFFFU;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(static_cast<unsigned char>(bits >> held));
    }
  }
  return bytes;
}

std::string percent_encoded(std::string_view bytes) {
  constexpr std::string_view unreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  for (const char c : bytes) {
    if (unreserved.find(c) != std::string_view::npos) {
      text += c;
    } else {
      text += '%';
      text += digits[byte(c) >> 4U];
      text += digits[byte(c) & 0xFU];
    }
  }
  return text;
}

bool is_utf8(std::string_view bytes) {
  return simdjson::validate_utf8(bytes.data(), bytes.size());
}

std::string encoded(std::string_view bytes, std::string_view encoding) {
  if (encoding == "base64") {
    return websocket::to_base64(bytes);
  }
  if (encoding == "base64url") {
    return websocket::to_base64url(bytes);
  }
  return encoding == "raw" ? std::string(bytes) : to_hex(bytes);
}

}  // namespace wskeep::script
