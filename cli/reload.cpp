#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/json_access.hpp"
#include "cli/reload.hpp"
#include "cli/request.hpp"
#include "config/document.hpp"
#include "config/file.hpp"
#include "config/load.hpp"
#include "ipc/client/http_client.hpp"

namespace wskeep::cli {

namespace {

using boost::json::object;

std::string joined(const boost::json::array& names) {
  std::string text;
  for (const boost::json::value& name : names) {
    if (!text.empty()) text += ", ";
    text += describe(name);
  }
  return visible(text);
}

std::string effect_text(std::string_view effect) {
  if (effect == "in_place") return "in place";
  if (effect == "new_session") return "takes a new session";
  if (effect == "new_ring") return "begins anew, with an empty history, and its readers with it";
  return visible(effect);
}

class Rendering {
 public:
  explicit Rendering(bool colors) : colors_(colors) {}

  void add_names(const object& answer, std::string_view key, char mark, Color color) {
    const auto* names = array_of(answer, key);
    if (names == nullptr) return;
    for (const boost::json::value& name : *names) add(mark, color, visible(describe(name)), "");
  }

  void add_changes(const object& answer) {
    const auto* changes = array_of(answer, "changed");
    if (changes == nullptr) return;
    for (const boost::json::value& each : *changes) {
      const object* change = each.if_object();
      if (change == nullptr) continue;
      const auto* keys = array_of(*change, "keys");
      add('~', Color::yellow, visible(text_of(*change, "name")),
          (keys == nullptr ? "" : joined(*keys) + ": ") + effect_text(text_of(*change, "effect")));
    }
  }

  void add_keys(const object& answer, std::string_view key, char mark, Color color,
                const std::string& what) {
    const auto* keys = array_of(answer, key);
    if (keys != nullptr && !keys->empty()) add(mark, color, joined(*keys), what);
  }

  [[nodiscard]] std::string text() && { return std::move(text_); }

 private:
  void add(char mark, Color color, const std::string& subject, const std::string& what) {
    text_ += paint(std::string(1, mark) + " " + subject, color, colors_);
    text_ += what.empty() ? "\n" : ": " + what + "\n";
  }

  bool colors_;
  std::string text_;
};

/// Problems or warnings of a configuration; `name` is what to call the text that was sent.
std::vector<std::string> lines_of(const object& answer, std::string_view key,
                                  const std::string& name) {
  std::vector<std::string> lines;
  const auto* problems = array_of(answer, key);
  if (problems == nullptr) return lines;
  for (const boost::json::value& each : *problems) {
    const object* problem = each.if_object();
    if (problem == nullptr) continue;
    std::string file = text_of(*problem, "file");
    if (!name.empty() && file == "-") file = name;
    lines.push_back(visible(config::Problem{.file = std::move(file),
                                            .line = count_of(*problem, "line").value_or(0),
                                            .column = count_of(*problem, "column").value_or(0),
                                            .key = text_of(*problem, "key"),
                                            .message = text_of(*problem, "message")}
                                .text()));
  }
  return lines;
}

std::string problems_text(const object& answer, const std::string& name) {
  std::string text;
  for (const std::string& line : lines_of(answer, "problems", name)) text += line + "\n";
  return text;
}

/// Told beside the outcome, whatever that is: they are of no concern to who reads the outcome.
std::string warnings_text(const object& answer, const std::string& name, bool colors) {
  std::string text;
  for (const std::string& line : lines_of(answer, "warnings", name))
    text += paint("warning:", Color::yellow, colors) + " " + line + "\n";
  return text;
}

/// `sent`: the name of the file that was sent; empty: the daemon's own.
ExitCode ask(const Options& options, const Console& console, const std::string& target,
             const std::string& sent, std::string_view body) {
  const ipc::HttpResponse response =
      ipc::HttpClient(options.socket, options.timeout).post(target, "application/yaml", body);
  if (response.status != 200 && response.status != 422)
    throw refused(ipc::Refusal(response.status, response.body), {});
  if (options.json) {
    console.print(response.body);
  } else if (response.status == 200) {
    console.print(render_reload(response.body, console.output_colors()));
    console.print_error(warnings_text(parse_object(response.body), sent, console.error_colors()));
  } else {
    const object answer = parse_object(response.body);
    console.print_error(problems_text(answer, sent));
    console.complain(text_of(answer, "message"));
  }
  return response.status == 200 ? ExitCode::ok : ExitCode::configuration;
}

}  // namespace

std::string render_reload(std::string_view body, bool colors) {
  const object answer = parse_object(body);
  const auto* applied = answer.if_contains("applied");
  const bool done = applied != nullptr && applied->is_bool() && applied->get_bool();
  Rendering lines(colors);
  lines.add_names(answer, "added", '+', Color::green);
  lines.add_names(answer, "removed", '-', Color::red);
  lines.add_changes(answer);
  lines.add_keys(answer, "in_place", '~', Color::yellow, "in place");
  lines.add_keys(answer, "next_start", '!', Color::red,
                 done ? "not applied: from the next start of wskeepd on"
                      : "would not be applied: from the next start of wskeepd on");
  std::string text = std::move(lines).text();
  const std::string unchanged =
      std::to_string(count_of(answer, "unchanged").value_or(0)) + " unchanged\n";
  if (text.empty())
    return (done ? "reloaded, and nothing has changed: " : "no change: ") + unchanged;
  return text + (done ? "reloaded; " : "a reload would do that; ") + unchanged;
}

ExitCode run_reload(const Options& options, const ReloadCommand&, const Console& console) {
  return ask(options, console, "/v1/reload", {}, {});
}

ExitCode run_diff(const Options& options, const DiffCommand& command, const Console& console) {
  const std::string target = "/v1/reload?dry_run=true";
  if (command.file.empty()) return ask(options, console, target, {}, {});
  std::string text;
  try {
    text = config::read_regular_file(command.file, config::largest_file);
  } catch (const config::FileError& error) {
    throw CommandError(ExitCode::configuration, command.file + ": " + error.what());
  }
  if (text.empty()) throw CommandError(ExitCode::configuration, command.file + ": is empty");
  return ask(options, console, target, command.file, text);
}

}  // namespace wskeep::cli
