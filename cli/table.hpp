#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/color.hpp"

namespace wskeep::cli {

struct Column {
  std::string title;
  bool right = false;       ///< aligned to the right, as numbers are
  int rank = 0;             ///< where room is short, the greatest goes first; 0: never
  std::size_t minimum = 0;  ///< columns it can be cut to; 0: it is shown whole or not at all
};

struct Cell {
  std::string text;  ///< visible characters alone
  Color color = Color::none;
};

struct Line {
  std::string text;       ///< colours included
  std::size_t width = 0;  ///< columns it takes on a terminal
};

/// Rows under titles, fitted to a width by cutting what can be cut and leaving columns out.
class Table {
 public:
  explicit Table(std::vector<Column> columns);

  /// As many cells as there are columns.
  void add(std::vector<Cell> row);

  /// The titles and the rows. A width of 0 is without end.
  [[nodiscard]] std::vector<Line> lines(std::size_t width, bool colors) const;

 private:
  struct Shown {
    std::size_t column;
    std::size_t width;
  };
  [[nodiscard]] std::vector<Shown> fit(std::size_t width) const;
  [[nodiscard]] std::size_t least(const Shown& shown) const;
  [[nodiscard]] Line line(const std::vector<Cell>& row, const std::vector<Shown>& shown,
                          std::size_t width, bool colors) const;

  std::vector<Column> columns_;
  std::vector<Cell> titles_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace wskeep::cli
