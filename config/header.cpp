#include "config/header.hpp"

#include <algorithm>
#include <array>

#include "config/characters.hpp"

namespace wskeep::config {
namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view token =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";
  return !text.empty() && text.find_first_not_of(token) == std::string_view::npos;
}

constexpr const char* token_rule = "allowed: letters, digits and any of !#$%&'*+-.^_`|~";

}  // namespace

std::string header_name_error(std::string_view name) {
  constexpr std::array<std::string_view, 5> ours{"host", "connection", "upgrade", "content-length",
                                                 "transfer-encoding"};
  const std::string small = folded(name);
  if (!is_token(name)) {
    return std::string("is not the name of a header; ") + token_rule;
  }
  if (small.starts_with("sec-websocket-") || std::ranges::find(ours, small) != ours.end()) {
    return "is a header that wskeep writes itself";
  }
  return "";
}

std::string header_value_error(std::string_view value) {
  const bool control = std::ranges::any_of(value, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
  return control ? "the value of a header holds no line ends or other control characters" : "";
}

std::string basic_error(std::string_view credentials) {
  if (has_control(credentials)) {
    return "the credentials hold a line end or another control character";
  }
  const std::size_t colon = credentials.find(':');
  return colon == std::string_view::npos || colon == 0
             ? "the credentials are not a user, a colon and a password"
             : "";
}

std::string bearer_error(std::string_view token) {
  const bool visible = std::ranges::all_of(token, [](char c) { return c > 0x20 && c < 0x7f; });
  return token.empty() || !visible
             ? "the token is empty or holds a space, a line end or what is not ASCII"
             : "";
}

std::string subprotocol_error(std::string_view name) {
  return is_token(name) ? "" : std::string("is not the name of a subprotocol; ") + token_rule;
}

}  // namespace wskeep::config
