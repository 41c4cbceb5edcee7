#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.hpp"
#include "cli/key.hpp"
#include "cli/overview.hpp"
#include "cli/table.hpp"
#include "cli/top_order.hpp"

namespace wskeep::cli {

/// What `wskeep top` shows, and what keys do to it. Knows neither the daemon nor the terminal: it
/// is given overviews and keys, and gives lines.
class TopView {
 public:
  struct Settings {
    TopOrder order = TopOrder::name;
    std::string filter;
    bool colors = false;
    bool unicode = false;
  };
  explicit TopView(Settings settings) : settings_(std::move(settings)) {}

  /// A newer state of all connections; or why there is none.
  void take(Overview overview);
  void take_problem(std::string problem);

  /// What the key asks of the caller; all else has been done.
  enum class Wish : std::uint8_t { nothing, quit, details };
  [[nodiscard]] Wish press(const Key& key);

  /// The connection that is looked into: `press` wishes for its details, and they are shown until a
  /// key leads back.
  [[nodiscard]] const std::string& detailed() const noexcept { return detailed_; }
  /// What is known of it, for people, a line each.
  void take_details(std::string_view text);

  [[nodiscard]] bool paused() const noexcept { return paused_; }

  /// As many as `size` has rows, but for one.
  [[nodiscard]] std::vector<Line> lines(Console::Size size, SystemTime now);

  /// The table alone, all of it, for what is no terminal. A width of 0 is without end.
  [[nodiscard]] std::vector<Line> table(std::size_t width, SystemTime now) const;

 private:
  enum class Mode : std::uint8_t { table, filter, details, help };

  [[nodiscard]] Wish press_in_table(const Key& key);
  [[nodiscard]] Wish press_in_filter(const Key& key);
  [[nodiscard]] Wish press_in_text(const Key& key);
  [[nodiscard]] Wish press_letter(char letter);
  void move(std::ptrdiff_t rows);
  [[nodiscard]] std::vector<const Summary*> rows() const;
  [[nodiscard]] Table make_table(const std::vector<const Summary*>& rows, SystemTime now,
                                 bool marked) const;
  [[nodiscard]] std::vector<Cell> make_row(const Summary& summary, SystemTime now,
                                           bool selected) const;
  [[nodiscard]] std::string headline(SystemTime now) const;
  [[nodiscard]] std::string second_line(std::size_t shown) const;
  [[nodiscard]] std::vector<Line> table_lines(Console::Size size, SystemTime now);
  [[nodiscard]] std::vector<Line> text_lines(Console::Size size, const std::string& title);

  Settings settings_;
  bool reversed_ = false;
  bool paused_ = false;
  Mode mode_ = Mode::table;
  std::optional<Overview> now_;
  std::optional<Overview> before_;
  std::string problem_;
  std::string selected_;  ///< a name; empty: the first row
  std::string filter_before_;
  std::string detailed_;
  std::vector<std::string> text_;  ///< of details and help
  std::size_t first_line_ = 0;     ///< of the text that is shown
  std::size_t first_row_ = 0;      ///< of the table that is shown
  std::size_t page_ = 10;          ///< rows that were shown last
};

}  // namespace wskeep::cli
