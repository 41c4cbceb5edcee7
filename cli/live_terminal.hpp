#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "cli/console.hpp"
#include "cli/table.hpp"

namespace wskeep::cli {

/// Draws lines on a terminal and then draws over them, with the cursor hidden and keys read as they
/// are pressed. The terminal is as it was once this ends, by whatever: an exception, Ctrl-C,
/// SIGTERM, or a Ctrl-Z that is taken up again with `fg`. One at a time.
class LiveTerminal {
 public:
  explicit LiveTerminal(const Console& console);
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;
  ~LiveTerminal();

  /// In the place of the lines drawn before. As many as fit are drawn.
  void draw(const std::vector<Line>& lines);

  enum class Wake : std::uint8_t { timed_out, quit, resized };
  /// Until a key that ends it (q, Q, Escape, Ctrl-D), a new size, or the time is up.
  [[nodiscard]] Wake wait(std::chrono::steady_clock::time_point until);

  [[nodiscard]] Console::Size size() const noexcept { return console_.size(); }

 private:
  [[nodiscard]] std::size_t drawn_rows(std::size_t columns) const;

  const Console& console_;
  bool keys_;                       ///< standard input is the terminal's too
  std::vector<std::size_t> drawn_;  ///< widths of the lines that stand there now
};

}  // namespace wskeep::cli
