#include <boost/json.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/attempts.hpp"
#include "cli/commands.hpp"
#include "cli/json_access.hpp"
#include "cli/live_terminal.hpp"
#include "cli/request.hpp"
#include "cli/show.hpp"
#include "cli/top_view.hpp"

namespace wskeep::cli {

namespace {

using std::chrono::steady_clock;

std::string fetch_overview(const Options& options) {
  return fetch(options, "/v1/connections", {});
}

Overview take_overview(const Options& options) {
  const std::string body = fetch_overview(options);
  return parse_overview(body, steady_clock::now());
}

SystemTime wall_now() {
  return std::chrono::system_clock::now();
}

/// The live view: asks the daemon, once each interval, and shows what keys ask for.
class Top {
 public:
  Top(const Options& options, const TopCommand& command, const Console& console, TopView view)
      : options_(options), command_(command), console_(console), view_(std::move(view)) {}

  ExitCode run();

 private:
  void refresh();
  void refresh_details();
  [[nodiscard]] bool press(const std::vector<Key>& keys);

  const Options& options_;
  const TopCommand& command_;
  const Console& console_;
  TopView view_;
};

void Top::refresh() {
  try {
    view_.take(take_overview(options_));
    if (!view_.detailed().empty()) refresh_details();
  } catch (const std::exception& error) {
    view_.take_problem(error.what());
  }
}

void Top::refresh_details() {
  try {
    const std::string& name = view_.detailed();
    const std::string path = connection_path(name);
    const std::string body = fetch(options_, path, name);
    const auto timeline = parse_object(fetch(options_, path + "/attempts", name));
    view_.take_details(render_connection(body, parse_attempts(timeline), wall_now(), false));
  } catch (const std::exception& error) {
    view_.take_problem(error.what());
  }
}

/// True: it is to end.
bool Top::press(const std::vector<Key>& keys) {
  for (const Key& key : keys) {
    switch (view_.press(key)) {
      case TopView::Wish::quit:
        return true;
      case TopView::Wish::details:
        refresh_details();
        break;
      case TopView::Wish::nothing:
        break;
    }
  }
  return false;
}

ExitCode Top::run() {
  // Before the screen changes: where there is no daemon, that is said as ever.
  view_.take(take_overview(options_));
  LiveTerminal terminal(console_, LiveTerminal::Screen::whole);
  auto next = steady_clock::now() + command_.interval;
  std::vector<Key> keys;
  for (;;) {
    terminal.draw(view_.lines(terminal.size(), wall_now()));
    const LiveTerminal::Wake wake = terminal.wait_for_keys(next, keys);
    if (press(keys)) return ExitCode::ok;
    if (wake != LiveTerminal::Wake::timed_out) continue;
    if (!view_.paused()) refresh();
    next = std::max(next + command_.interval, steady_clock::now());
  }
}

/// One table after the other, each with the rates of the interval before it.
ExitCode print_tables(const Options& options, const TopCommand& command, const Console& console,
                      TopView view, std::uint64_t count) {
  std::string body = fetch_overview(options);
  view.take(parse_overview(body, steady_clock::now()));
  for (std::uint64_t number = 0; number < count; ++number) {
    std::this_thread::sleep_for(command.interval);
    body = fetch_overview(options);
    if (options.json) {
      console.print(body.ends_with('\n') ? body : body + "\n");
      continue;
    }
    view.take(parse_overview(body, steady_clock::now()));
    std::string text = number == 0 ? "" : "\n";
    for (const Line& line : view.table(console.size().columns, wall_now()))
      text += line.text + "\n";
    console.print(text);
  }
  return ExitCode::ok;
}

}  // namespace

ExitCode run_top(const Options& options, const TopCommand& command, const Console& console) {
  TopView view({.order = command.order,
                .filter = command.filter,
                .colors = console.output_colors(),
                .unicode = console.output_unicode()});
  const bool live = console.output_is_terminal() && console.input_is_terminal();
  if (live && command.batch == 0 && !options.json)
    return Top(options, command, console, std::move(view)).run();
  return print_tables(options, command, console, std::move(view),
                      std::max<std::uint64_t>(command.batch, 1));
}

}  // namespace wskeep::cli
