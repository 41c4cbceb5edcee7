#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "cli/attempts.hpp"
#include "cli/color.hpp"
#include "cli/console.hpp"

namespace wskeep::cli {

/// What is drawn on.
struct Canvas {
  std::size_t width = 80;
  bool unicode = false;  ///< box and block characters; else ASCII
  bool colors = false;

  [[nodiscard]] std::string_view either(std::string_view fine, std::string_view plain) const {
    return unicode ? fine : plain;
  }
  [[nodiscard]] std::string painted(std::string_view text, Color color) const {
    return paint(text, color, colors);
  }
};

/// The console's, as wide as the terminal is; 80 columns where it is none.
[[nodiscard]] Canvas canvas_of(const Console& console) noexcept;

/// The cycles, oldest first, each with a line for the look-up and for each address, whose stages
/// are a bar to the scale of the cycle; and a legend. What runs is drawn up to `now`. Nothing in
/// the cycles' texts is obeyed by a terminal.
[[nodiscard]] std::string draw_cycles(std::span<const Cycle> cycles, SystemTime now,
                                      const Canvas& canvas);

/// `12:00:01 UTC`, with the date in front where that is not today's.
[[nodiscard]] std::string clock_text(SystemTime time, SystemTime now);

/// Why the next step is as it is, such as `because reconnect.on_status 403 says slow`.
[[nodiscard]] std::string reason_of(const NextStep& next);

}  // namespace wskeep::cli
