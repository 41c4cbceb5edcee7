#include "cli/top_view.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "cli/escape.hpp"

namespace wskeep::cli {
namespace {

std::string lowered(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return lower;
}

bool has_error(const Summary& summary) {
  return summary.state != "ready" && summary.state != "paused" && !summary.last_error.empty();
}

/// What needs a person stands first.
int gravity(std::string_view state) {
  constexpr std::array<std::string_view, 8> order{
      "ready", "paused", "closing", "opening", "connecting", "resolving", "backing_off", "failed"};
  return static_cast<int>(std::ranges::find(order, state) - order.begin());
}

double sort_value(const Summary& summary, TopOrder order, const std::optional<Rates>& rates) {
  switch (order) {
    case TopOrder::name:
      return 0;
    case TopOrder::state:
      return gravity(summary.state);
    case TopOrder::messages:
      return rates ? rates->messages_in : -1;
    case TopOrder::bytes:
      return rates ? rates->bytes_in : -1;
    case TopOrder::sent:
      return rates ? rates->bytes_out : -1;
    case TopOrder::round_trip:
      return summary.round_trip_ms.value_or(-1);
    case TopOrder::ring:
      return summary.ring_span ? static_cast<double>(summary.ring_span->count()) : -1;
    case TopOrder::readers:
      return static_cast<double>(summary.subscribers);
    case TopOrder::lag:
      return summary.lag_messages ? static_cast<double>(*summary.lag_messages) : -1;
  }
  return 0;
}

Line make_line(std::string_view text, Color color, std::size_t width, bool colors) {
  const std::string shown = shorten(visible(text), width);
  return {paint(shown, color, colors), display_width(shown)};
}

/// Of the slowest reader: how many messages, and how old the oldest of them is.
std::string lag_text(const Summary& summary) {
  if (!summary.lag_messages) return "";
  if (*summary.lag_messages == 0) return "0";
  std::string text = format_count(*summary.lag_messages);
  if (summary.lag && summary.lag->count() > 0) text += " " + format_duration(*summary.lag);
  return text;
}

Color lag_color(const Summary& summary) {
  constexpr std::chrono::seconds much{1};
  if (!summary.lag || *summary.lag < much) return Color::none;
  return summary.lag < 10 * much ? Color::yellow : Color::red;
}

}  // namespace

void TopView::take(Overview overview) {
  before_ = std::exchange(now_, std::move(overview));
  problem_.clear();
}

void TopView::take_problem(std::string problem) {
  problem_ = std::move(problem);
  before_.reset();
}

void TopView::take_details(std::string_view text) {
  text_.clear();
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    text_.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::vector<const Summary*> TopView::rows() const {
  std::vector<const Summary*> rows;
  if (!now_) return rows;
  const std::string wanted = lowered(settings_.filter);
  for (const Summary& each : now_->connections) {
    const std::string text = each.name + "\n" + each.state + "\n" + each.url + "\n" +
                             (has_error(each) ? each.last_error : std::string());
    if (wanted.empty() || lowered(text).find(wanted) != std::string::npos) rows.push_back(&each);
  }
  const Overview* before = before_ ? &*before_ : nullptr;
  std::ranges::stable_sort(rows, [&](const Summary* one, const Summary* other) {
    if (settings_.order == TopOrder::name) return one->name < other->name;
    const double first = sort_value(*one, settings_.order, rates_of(*one, before, *now_));
    const double second = sort_value(*other, settings_.order, rates_of(*other, before, *now_));
    return first != second ? first > second : one->name < other->name;
  });
  if (reversed_) std::ranges::reverse(rows);
  return rows;
}

std::vector<Cell> TopView::make_row(const Summary& summary, SystemTime now, bool selected) const {
  const auto rates = rates_of(summary, before_ ? &*before_ : nullptr, *now_);
  const auto per_second = [&](double Rates::*member) {
    return rates ? format_bytes((*rates).*member) + "/s" : std::string();
  };
  const bool error = has_error(summary);
  std::vector<Cell> row;
  row.push_back({selected ? (settings_.unicode ? "▸" : ">") : "", Color::bold});
  row.push_back({visible(summary.name), selected ? Color::bold : Color::none});
  row.push_back({visible(summary.state), state_color(summary.state)});
  row.push_back({summary.since ? format_duration(now - *summary.since) : "", Color::none});
  row.push_back({rates ? format_rate(rates->messages_in) : "", Color::none});
  row.push_back({per_second(&Rates::bytes_in), Color::none});
  row.push_back({per_second(&Rates::bytes_out), Color::none});
  row.push_back(
      {summary.round_trip_ms ? format_milliseconds(*summary.round_trip_ms) : "", Color::none});
  const bool kept = summary.ring_span && summary.ring_bytes.value_or(0) > 0;
  row.push_back({kept ? format_duration(*summary.ring_span) : "", Color::none});
  row.push_back({summary.ring_bytes ? format_bytes(*summary.ring_bytes) : "", Color::none});
  row.push_back({format_count(summary.subscribers), Color::none});
  row.push_back({lag_text(summary), lag_color(summary)});
  row.push_back(
      {visible(error ? summary.last_error : summary.url), error ? Color::red : Color::dim});
  return row;
}

Table TopView::make_table(const std::vector<const Summary*>& rows, SystemTime now,
                          bool marked) const {
  std::vector<Column> columns{{"", false, 0, 1},
                              {"NAME", false, 0, 12},
                              {"STATE", false, 0, 0},
                              {"FOR", true, 6, 0},
                              {"MSG/S", true, 0, 0},
                              {"IN/S", true, 3, 0},
                              {"OUT/S", true, 5, 0},
                              {"RTT", true, 2, 0},
                              {"RING", true, 4, 0},
                              {"BYTES", true, 7, 0},
                              {"READERS", true, 0, 0},
                              {"LAG", true, 0, 0},
                              {"LAST ERROR / URL", false, 1, 12}};
  if (!marked) columns.erase(columns.begin());
  Table table(std::move(columns));
  for (const Summary* each : rows) {
    std::vector<Cell> row = make_row(*each, now, marked && each->name == selected_);
    if (!marked) row.erase(row.begin());
    table.add(std::move(row));
  }
  return table;
}

std::vector<Line> TopView::table(std::size_t width, SystemTime now) const {
  return make_table(rows(), now, false).lines(width, settings_.colors);
}

std::string TopView::headline(SystemTime now) const {
  std::string text = format_time(now).substr(11, 8) + " UTC  " +
                     (now_ ? count_states(*now_) : std::string("no answer yet"));
  if (now_ && before_) {
    Rates all;
    for (const Summary& each : now_->connections) {
      if (const auto rates = rates_of(each, &*before_, *now_)) {
        all.messages_in += rates->messages_in;
        all.bytes_in += rates->bytes_in;
        all.bytes_out += rates->bytes_out;
      }
    }
    text += "   " + format_rate(all.messages_in) + " msg/s, in " + format_bytes(all.bytes_in) +
            "/s, out " + format_bytes(all.bytes_out) + "/s";
  }
  return text;
}

std::string TopView::second_line(std::size_t shown) const {
  if (mode_ == Mode::filter)
    return "filter: " + settings_.filter + "_   (Enter keeps it, Escape drops it)";
  std::string text = "by " + std::string(order_name(settings_.order));
  if (reversed_) text += ", turned round";
  if (!settings_.filter.empty())
    text += "   filter: " + settings_.filter + " (" + format_count(shown) + ")";
  if (paused_) text += "   PAUSED";
  return text + "   s sort  / filter  Enter details  Space pause  ? help  q quit";
}

std::vector<Line> TopView::lines(Console::Size size, SystemTime now) {
  if (mode_ == Mode::details) return text_lines(size, detailed_);
  if (mode_ == Mode::help) return text_lines(size, "keys");
  return table_lines(size, now);
}

std::vector<Line> TopView::table_lines(Console::Size size, SystemTime now) {
  // A line that fills the last column would leave the cursor in doubt.
  const std::size_t width = size.columns > 1 ? size.columns - 1 : 1;
  const auto shown = rows();
  move(0);
  std::vector<Line> lines{
      make_line(headline(now), Color::none, width, settings_.colors),
      make_line(second_line(shown.size()), Color::dim, width, settings_.colors)};
  if (!problem_.empty()) lines.push_back(make_line(problem_, Color::red, width, settings_.colors));
  const std::vector<Line> table = make_table(shown, now, true).lines(width, settings_.colors);
  lines.push_back(table.front());
  const std::size_t height = size.rows > 1 ? size.rows - 1 : 1;
  page_ = height > lines.size() ? height - lines.size() : 1;
  // The chosen row is always in sight.
  const auto found =
      std::ranges::find(shown, selected_, [](const Summary* row) { return row->name; });
  const auto at = static_cast<std::size_t>(found - shown.begin());
  if (found != shown.end()) {
    first_row_ = std::min(first_row_, at);
    if (at >= first_row_ + page_) first_row_ = at - page_ + 1;
  }
  first_row_ = std::min(first_row_, shown.size() > page_ ? shown.size() - page_ : 0);
  for (std::size_t row = first_row_; row < shown.size() && row < first_row_ + page_; ++row)
    lines.push_back(table[row + 1]);
  return lines;
}

std::vector<Line> TopView::text_lines(Console::Size size, const std::string& title) {
  const std::size_t width = size.columns > 1 ? size.columns - 1 : 1;
  const std::size_t height = size.rows > 1 ? size.rows - 1 : 1;
  std::vector<Line> lines{make_line(title + "   (Escape leads back, arrows scroll)", Color::dim,
                                    width, settings_.colors)};
  if (!problem_.empty()) lines.push_back(make_line(problem_, Color::red, width, settings_.colors));
  page_ = height > lines.size() ? height - lines.size() : 1;
  first_line_ = std::min(first_line_, text_.size() > page_ ? text_.size() - page_ : 0);
  for (std::size_t at = first_line_; at < text_.size() && at < first_line_ + page_; ++at)
    lines.push_back(make_line(text_[at], Color::none, width, false));
  return lines;
}

}  // namespace wskeep::cli
