#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <span>
#include <string>

#include "cli/advice.hpp"
#include "cli/attempts.hpp"
#include "cli/commands.hpp"
#include "cli/explanation.hpp"
#include "cli/json_access.hpp"
#include "cli/picture.hpp"
#include "cli/request.hpp"

namespace wskeep::cli {

namespace {

using boost::json::object;

constexpr std::size_t usual_cycles = 3;

/// What scripts get: the daemon's timeline, and beside it who and what it is about.
std::string render_json(const object& connection, const object& timeline, const Attempts& attempts,
                        std::size_t count) {
  object answer;
  for (const char* key : {"name", "state", "since", "last_error"}) {
    if (const auto* member = connection.if_contains(key)) answer[key] = *member;
  }
  answer["advice"] = nullptr;
  if (const Advice* advice = find_advice(current_error(connection, attempts))) {
    answer["advice"] = boost::json::string_view(advice->advice.data(), advice->advice.size());
  }
  for (const auto& [key, value] : timeline) answer[key] = value;
  if (auto* cycles = answer["cycles"].if_array(); cycles != nullptr && cycles->size() > count) {
    cycles->erase(cycles->begin(), cycles->end() - static_cast<std::ptrdiff_t>(count));
  }
  return boost::json::serialize(answer) + "\n";
}

std::string render_text(const object& connection, const Attempts& attempts, std::size_t count,
                        const Canvas& canvas) {
  const auto now = std::chrono::system_clock::now();
  std::string text = explain(connection, attempts, now, canvas);
  const std::span<const Cycle> all(attempts.cycles);
  const std::size_t shown = std::min(count, all.size());
  text += draw_cycles(all.last(shown), now, canvas);
  if (const std::size_t hidden = all.size() - shown; hidden > 0) {
    text += "\n" + std::string(4, ' ') +
            canvas.painted(std::to_string(hidden) + " older (--cycles " +
                               std::to_string(all.size()) + " shows them too)",
                           Color::dim) +
            "\n";
  }
  return text;
}

}  // namespace

ExitCode run_why(const Options& options, const WhyCommand& command, const Console& console) {
  const std::string path = connection_path(command.name);
  const auto connection = parse_object(fetch(options, path, command.name));
  const auto timeline = parse_object(fetch(options, path + "/attempts", command.name));
  const Attempts attempts = parse_attempts(timeline);
  if (options.json) {
    const std::size_t count = command.cycles.value_or(attempts.cycles.size());
    console.print(render_json(connection, timeline, attempts, count));
    return ExitCode::ok;
  }
  console.print(
      render_text(connection, attempts, command.cycles.value_or(usual_cycles), canvas_of(console)));
  return ExitCode::ok;
}

}  // namespace wskeep::cli
