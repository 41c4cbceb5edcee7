#pragma once

#include <algorithm>
#include <string_view>

namespace wskeep::websocket {

[[nodiscard]] constexpr char lower_case(char character) noexcept {
  return character >= 'A' && character <= 'Z' ? static_cast<char>(character + ('a' - 'A'))
                                              : character;
}

[[nodiscard]] constexpr bool equal_ignoring_case(std::string_view left,
                                                 std::string_view right) noexcept {
  return std::ranges::equal(left, right, {}, lower_case, lower_case);
}

/// RFC 9110, section 5.6.2: what names of methods, headers, subprotocols and extensions are made
/// of.
[[nodiscard]] constexpr bool is_token_character(char character) noexcept {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(character) != std::string_view::npos;
}

[[nodiscard]] constexpr bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

/// Without the spaces and tabs around it.
[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Whether it may be sent as a header's value: no control character but the tab, so no CR, LF or
/// NUL.
[[nodiscard]] constexpr bool is_header_value(std::string_view text) noexcept {
  return std::ranges::none_of(text, [](char character) {
    const auto code = static_cast<unsigned char>(character);
    return (code < 0x20 && character != '\t') || code == 0x7F;
  });
}

}  // namespace wskeep::websocket
