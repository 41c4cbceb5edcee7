#include "cli/escape.hpp"

#include <algorithm>
#include <cstddef>
#include <span>

#include "websocket/utf8.hpp"

namespace wskeep::cli {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

unsigned as_code(char character) noexcept {
  return static_cast<unsigned char>(character);
}

bool is_continuation(char character) noexcept {
  return (as_code(character) & 0xC0U) == 0x80U;
}

void append_hex(std::string& output, std::string_view prefix, unsigned code) {
  output += prefix;
  output += hex_digits[code >> 4U & 0xFU];
  output += hex_digits[code & 0xFU];
}

void append_control(std::string& output, unsigned code) {
  switch (code) {
    case '\n':
      output += "\\n";
      break;
    case '\r':
      output += "\\r";
      break;
    case '\t':
      output += "\\t";
      break;
    default:
      append_hex(output, "\\x", code);
  }
}

/// Bytes of the code point at the front of `text`; 0 if that is no UTF-8.
std::size_t code_point_size(std::string_view text) noexcept {
  const unsigned first = as_code(text.front());
  const std::size_t size = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (size > text.size()) return 0;
  return websocket::is_valid_utf8(std::as_bytes(std::span(text.data(), size))) ? size : 0;
}

bool is_plain(char character) noexcept {
  const unsigned code = as_code(character);
  return code >= 0x20 && code < 0x7F;
}

/// Appends what `is_plain` holds for as it is, in whole runs. All else stands at the front of what
/// `special` is called with, which says how many bytes of it are done.
template <typename IsPlain, typename Special>
void append_runs(std::string& output, std::string_view text, IsPlain&& is_plain_one,
                 Special&& special) {
  while (!text.empty()) {
    const auto plain =
        static_cast<std::size_t>(std::ranges::find_if_not(text, is_plain_one) - text.begin());
    output += text.substr(0, plain);
    text.remove_prefix(plain);
    if (!text.empty()) text.remove_prefix(special(text));
  }
}

}  // namespace

void append_visible(std::string& output, std::string_view text, LineEnds line_ends) {
  append_runs(output, text, is_plain, [&](std::string_view rest) {
    const unsigned code = as_code(rest.front());
    const std::size_t size = code_point_size(rest);
    const bool kept = line_ends == LineEnds::keep && (code == '\n' || code == '\t');
    if (size == 0 || (size == 1 && !kept)) {
      append_control(output, code);
    } else if (size == 2 && code == 0xC2 && as_code(rest[1]) < 0xA0) {
      append_hex(output, "\\u00", as_code(rest[1]));
    } else {
      output += rest.substr(0, size);
    }
    return std::max<std::size_t>(size, 1);
  });
}

std::string visible(std::string_view text) {
  std::string output;
  append_visible(output, text, LineEnds::escape);
  return output;
}

void append_visible_bytes(std::string& output, std::string_view bytes) {
  for (const char character : bytes) {
    if (character == '\\') {
      output += "\\\\";
    } else if (is_plain(character)) {
      output += character;
    } else {
      append_hex(output, "\\x", as_code(character));
    }
  }
}

void append_json_string(std::string& output, std::string_view text) {
  const auto ordinary = [](char character) {
    return as_code(character) >= 0x20 && character != '"' && character != '\\';
  };
  output += '"';
  append_runs(output, text, ordinary, [&](std::string_view rest) -> std::size_t {
    const char character = rest.front();
    if (character == '"' || character == '\\') {
      output += '\\';
      output += character;
    } else if (character == '\n' || character == '\r' || character == '\t') {
      append_control(output, as_code(character));
    } else {
      append_hex(output, "\\u00", as_code(character));
    }
    return 1;
  });
  output += '"';
}

void append_base64(std::string& output, std::string_view bytes) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t size = std::min<std::size_t>(3, bytes.size() - at);
    unsigned group = as_code(bytes[at]) << 16U;
    if (size > 1) group |= as_code(bytes[at + 1]) << 8U;
    if (size > 2) group |= as_code(bytes[at + 2]);
    output += alphabet[group >> 18U];
    output += alphabet[group >> 12U & 0x3FU];
    output += size > 1 ? alphabet[group >> 6U & 0x3FU] : '=';
    output += size > 2 ? alphabet[group & 0x3FU] : '=';
  }
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view unreserved =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:";
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string output;
  for (const char character : text) {
    if (unreserved.find(character) != std::string_view::npos) {
      output += character;
    } else {
      output += '%';
      output += digits[as_code(character) >> 4U];
      output += digits[as_code(character) & 0xFU];
    }
  }
  return output;
}

std::size_t display_width(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char character) { return !is_continuation(character); }));
}

std::string shorten(std::string_view text, std::size_t width) {
  if (width == 0) return {};
  std::size_t columns = 0;
  std::size_t cut = 0;  // where the last column begins, which `…` takes if there is more
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_continuation(text[at])) continue;
    if (columns == width) return std::string(text.substr(0, cut)) + "…";
    ++columns;
    if (columns == width) cut = at;
  }
  return std::string(text);
}

}  // namespace wskeep::cli
