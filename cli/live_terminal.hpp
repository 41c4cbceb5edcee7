#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include "cli/console.hpp"
#include "cli/key.hpp"
#include "cli/table.hpp"

namespace wskeep::cli {

/// Draws lines on a terminal and then draws over them, with the cursor hidden and keys read as they
/// are pressed. The terminal is as it was once this ends, by whatever: an exception, Ctrl-C,
/// SIGTERM, or a Ctrl-Z that is taken up again with `fg`. One at a time.
class LiveTerminal {
 public:
  enum class Screen : std::uint8_t {
    below,  ///< under what stands on the terminal already; what was drawn last stays there
    whole,  ///< all of it; what stood there comes back at the end
  };
  explicit LiveTerminal(const Console& console, Screen screen = Screen::below);
  LiveTerminal(const LiveTerminal&) = delete;
  LiveTerminal& operator=(const LiveTerminal&) = delete;
  ~LiveTerminal();

  /// In the place of the lines drawn before. As many as fit are drawn.
  void draw(const std::vector<Line>& lines);

  enum class Wake : std::uint8_t { timed_out, quit, resized, keys };
  /// Until a key that ends it (q, Q, Escape, Ctrl-D), a new size, or the time is up.
  [[nodiscard]] Wake wait(std::chrono::steady_clock::time_point until);

  /// Until keys were pressed, a new size, or the time is up: the last two leave `keys` empty.
  [[nodiscard]] Wake wait_for_keys(std::chrono::steady_clock::time_point until,
                                   std::vector<Key>& keys);

  [[nodiscard]] Console::Size size() const noexcept { return console_.size(); }

 private:
  [[nodiscard]] std::size_t drawn_rows(std::size_t columns) const;

  const Console& console_;
  Screen screen_;
  bool keys_;                       ///< standard input is the terminal's too
  std::vector<std::size_t> drawn_;  ///< widths of the lines that stand there now
};

}  // namespace wskeep::cli
