#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace wskeep::ipc {

/// All of `text` as a number; nothing where it is none, or does not fit.
template <typename Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

}  // namespace wskeep::ipc
