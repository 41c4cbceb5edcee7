#include "cli/table.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "cli/escape.hpp"

namespace wskeep::cli {

namespace {

constexpr std::size_t gap = 2;

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) titles_.push_back({column.title, Color::bold});
}

void Table::add(std::vector<Cell> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

std::size_t Table::least(const Shown& shown) const {
  const std::size_t minimum = columns_[shown.column].minimum;
  return minimum == 0 ? shown.width : std::min(minimum, shown.width);
}

std::vector<Table::Shown> Table::fit(std::size_t width) const {
  std::vector<Shown> shown;
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    std::size_t widest = display_width(columns_[column].title);
    for (const auto& row : rows_) widest = std::max(widest, display_width(row[column].text));
    shown.push_back({column, widest});
  }
  if (width == 0) return shown;

  const auto total = [&](auto&& width_of) {
    return std::accumulate(
        shown.begin(), shown.end(), gap * (shown.size() - 1),
        [&](std::size_t sum, const Shown& each) { return sum + width_of(each); });
  };
  while (total([&](const Shown& each) { return least(each); }) > width) {
    const auto last = std::ranges::max_element(
        shown, {}, [&](const Shown& each) { return columns_[each.column].rank; });
    if (columns_[last->column].rank == 0) break;
    shown.erase(last);
  }
  while (total([](const Shown& each) { return each.width; }) > width) {
    // The widest gives first, so that two long columns end up about equal.
    const auto widest = std::ranges::max_element(
        shown, {}, [&](const Shown& each) { return each.width > least(each) ? each.width : 0; });
    if (widest->width <= least(*widest)) break;
    --widest->width;
  }
  return shown;
}

Line Table::line(const std::vector<Cell>& row, const std::vector<Shown>& shown, std::size_t width,
                 bool colors) const {
  Line line;
  std::size_t pending = 0;  // spaces that are only written if something follows
  for (const Shown& each : shown) {
    const Cell& cell = row[each.column];
    std::string text = shorten(cell.text, each.width);
    std::size_t used = display_width(text);
    const std::size_t padding = each.width - used;
    if (columns_[each.column].right) pending += padding;
    if (width > 0 && line.width + pending + used > width) {
      const std::size_t room = width - std::min(width, line.width + pending);
      text = shorten(text, room);
      used = display_width(text);
    }
    if (used > 0) {
      line.text.append(pending, ' ');
      line.text += paint(text, cell.color, colors);
      line.width += pending + used;
      pending = 0;
    }
    pending += gap + (columns_[each.column].right ? 0 : padding);
  }
  return line;
}

std::vector<Line> Table::lines(std::size_t width, bool colors) const {
  const std::vector<Shown> shown = fit(width);
  std::vector<Line> lines{line(titles_, shown, width, colors)};
  for (const auto& row : rows_) lines.push_back(line(row, shown, width, colors));
  return lines;
}

}  // namespace wskeep::cli
