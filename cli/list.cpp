#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/live_terminal.hpp"
#include "cli/overview.hpp"
#include "cli/request.hpp"

namespace wskeep::cli {

namespace {

using std::chrono::steady_clock;

Overview take_overview(const Options& options) {
  const std::string body = fetch(options, "/v1/connections", {});
  return parse_overview(body, steady_clock::now());
}

std::string join(const std::vector<Line>& lines) {
  std::string text;
  for (const Line& line : lines) text += line.text + "\n";
  return text;
}

Line make_line(std::string_view text, Color color, std::size_t width, bool colors) {
  const std::string shown = shorten(visible(text), width);
  return {paint(shown, color, colors), display_width(shown)};
}

/// What the live table shows, and how it gets it.
class Watch {
 public:
  Watch(const Options& options, const Console& console, Overview first)
      : options_(options), console_(console), now_(std::move(first)) {}

  ExitCode run();

 private:
  void refresh();
  [[nodiscard]] std::vector<Line> lines(Console::Size size) const;

  const Options& options_;
  const Console& console_;
  Overview now_;
  std::optional<Overview> before_;
  std::string problem_;  ///< why there is nothing newer than `now_`
};

void Watch::refresh() {
  try {
    Overview overview = take_overview(options_);
    before_ = std::exchange(now_, std::move(overview));
    problem_.clear();
  } catch (const std::exception& error) {
    problem_ = error.what();
    before_.reset();
  }
}

std::vector<Line> Watch::lines(Console::Size size) const {
  // A line that fills the last column would leave the cursor in doubt.
  const std::size_t width = size.columns > 1 ? size.columns - 1 : 1;
  const bool colors = console_.output_colors();
  std::vector<Line> lines{make_line(count_states(now_) + "   (q ends)", Color::dim, width, colors)};
  if (!problem_.empty()) lines.push_back(make_line(problem_, Color::red, width, colors));
  // Rates are empty until there is something to compare with, but their columns stand from the
  // start.
  const Overview* before = before_ ? &*before_ : &now_;
  const Table table = make_table(now_, before, std::chrono::system_clock::now());
  for (Line& line : table.lines(width, colors)) lines.push_back(std::move(line));
  const std::size_t room = size.rows > 2 ? size.rows - 1 : 2;
  if (lines.size() > room) {
    const std::size_t hidden = lines.size() - room + 1;
    lines.resize(room - 1);
    lines.push_back(make_line("… " + std::to_string(hidden) + " more (wskeep list --once)",
                              Color::dim, width, colors));
  }
  return lines;
}

ExitCode Watch::run() {
  constexpr std::chrono::seconds period{1};
  LiveTerminal terminal(console_);
  auto next = steady_clock::now() + period;
  for (;;) {
    terminal.draw(lines(terminal.size()));
    switch (terminal.wait(next)) {
      case LiveTerminal::Wake::quit:
        return ExitCode::ok;
      case LiveTerminal::Wake::resized:
        continue;
      case LiveTerminal::Wake::timed_out:
      case LiveTerminal::Wake::keys:
        break;
    }
    refresh();
    next = std::max(next + period, steady_clock::now());
  }
}

}  // namespace

ExitCode run_list(const Options& options, const ListCommand& command, const Console& console) {
  if (command.names) {
    std::string names;
    for (const Summary& each : take_overview(options).connections) names += each.name + "\n";
    console.print(names);
    return ExitCode::ok;
  }
  if (options.json) {
    console.print(fetch(options, "/v1/connections", {}) + "\n");
    return ExitCode::ok;
  }
  Overview overview = take_overview(options);
  if (console.output_is_terminal() && !command.once) {
    return Watch(options, console, std::move(overview)).run();
  }
  if (overview.connections.empty()) {
    console.note(count_states(overview));
    return ExitCode::ok;
  }
  const Table table = make_table(overview, nullptr, std::chrono::system_clock::now());
  console.print(join(table.lines(console.size().columns, console.output_colors())));
  return ExitCode::ok;
}

}  // namespace wskeep::cli
