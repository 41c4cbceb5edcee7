#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wskeep::cli {

enum class Color : std::uint8_t { none, bold, dim, red, green, yellow, blue, magenta, cyan };

/// The SGR sequence that begins the colour; empty for none.
[[nodiscard]] constexpr std::string_view color_code(Color color) noexcept {
  switch (color) {
    case Color::none:
      return "";
    case Color::bold:
      return "\x1b[1m";
    case Color::dim:
      return "\x1b[2m";
    case Color::red:
      return "\x1b[31m";
    case Color::green:
      return "\x1b[32m";
    case Color::yellow:
      return "\x1b[33m";
    case Color::blue:
      return "\x1b[34m";
    case Color::magenta:
      return "\x1b[35m";
    case Color::cyan:
      return "\x1b[36m";
  }
  return "";
}

[[nodiscard]] inline std::string paint(std::string_view text, Color color, bool enabled) {
  if (!enabled || color == Color::none) return std::string(text);
  return std::string(color_code(color)) + std::string(text) + "\x1b[0m";
}

/// Green for `ready`, yellow on the way there, red where it needs a person, dim where one paused
/// it.
[[nodiscard]] constexpr Color state_color(std::string_view state) noexcept {
  if (state == "ready") return Color::green;
  if (state == "failed") return Color::red;
  if (state == "paused" || state == "closing") return Color::dim;
  return Color::yellow;
}

}  // namespace wskeep::cli
