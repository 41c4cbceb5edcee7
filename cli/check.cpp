#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/capacity_text.hpp"
#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/findings.hpp"
#include "cli/run_as.hpp"
#include "cli/script_words.hpp"
#include "config/load.hpp"

namespace wskeep::cli {

namespace {

namespace json = boost::json;

/// Whom the package has wskeepd run as, and with what.
constexpr const char* service_user = "wskeep";
constexpr std::string_view service_folder = "/etc/wskeep/";

std::string place_text(const std::string& file, std::size_t line, std::size_t column, bool colors) {
  if (file.empty()) return {};
  std::string place = file;
  if (line > 0) place += ":" + std::to_string(line);
  if (line > 0 && column > 0) place += ":" + std::to_string(column);
  return paint(visible(place) + ":", Color::bold, colors) + " ";
}

std::string render(const config::Problem& problem, bool colors) {
  std::string text = place_text(problem.file, problem.line, problem.column, colors);
  if (!problem.key.empty()) text += paint(visible(problem.key) + ":", Color::red, colors) + " ";
  return text + visible(problem.message) + "\n";
}

std::string render(const Finding& finding, bool colors) {
  const bool warning = finding.kind == Finding::Kind::warning;
  std::string text =
      paint(warning ? "warning:" : "note:", warning ? Color::yellow : Color::cyan, colors) + " " +
      place_text(finding.file, finding.line, finding.column, colors);
  if (!finding.key.empty()) text += visible(finding.key) + ": ";
  return text + visible(finding.message) + "\n";
}

/// Of a problem, or of a finding.
template <typename Told>
json::object describe(const Told& told) {
  return {{"file", told.file},
          {"line", told.line},
          {"column", told.column},
          {"key", told.key},
          {"message", told.message}};
}

json::array describe(const std::vector<Finding>& findings, Finding::Kind kind) {
  json::array list;
  for (const Finding& finding : findings) {
    if (finding.kind == kind) list.push_back(describe(finding));
  }
  return list;
}

/// What is known of a configuration without problems.
struct Checked {
  config::Config config;
  config::Capacity capacity;
  Machine machine;
  std::vector<Finding> findings;
};

Checked check(const CheckCommand& command) {
  config::Places places;
  Checked checked;
  checked.config = config::load_file(command.file, &places);
  checked.capacity = config::capacity(checked.config);
  checked.machine = look_at_machine();
  checked.findings = find_all(checked.config, places, checked.capacity, checked.machine);
  const bool of_service = command.file.starts_with(service_folder) && has_user(service_user);
  if (::geteuid() == 0 && command.user.empty() && of_service) {
    checked.findings.push_back(
        {.kind = Finding::Kind::note,
         .message = std::string("files were read with the rights of root; under systemd wskeepd "
                                "has those of ") +
                    service_user + ": wskeep check --user " + service_user + " " + command.file});
  }
  return checked;
}

std::string render_as_json(const Checked& checked) {
  return json::serialize(
             json::object{{"problems", json::array()},
                          {"warnings", describe(checked.findings, Finding::Kind::warning)},
                          {"notes", describe(checked.findings, Finding::Kind::note)},
                          {"user", own_user()},
                          {"capacity", describe_capacity(checked.capacity)},
                          {"machine", describe_machine(checked.machine)},
                          {"scripts", describe_scripts(checked.config)}}) +
         "\n";
}

std::string render(const Checked& checked, const std::string& file, const Console& console) {
  const bool colors = console.output_colors();
  const std::size_t count = checked.config.connections.size();
  std::string text = visible(file) + ": " + paint("OK", Color::green, colors) + ", " +
                     std::to_string(count) + (count == 1 ? " connection" : " connections") +
                     ", as " + visible(own_user()) + "\n";
  for (const Finding& finding : checked.findings) text += render(finding, colors);
  return text + explain_scripts(checked.config, canvas_of(console)) + "\n" +
         render_capacity(checked.capacity, checked.machine, colors);
}

ExitCode tell(const config::LoadError& error, const Options& options, const Console& console) {
  std::string text;
  json::array list;
  for (const config::Problem& problem : error.problems()) {
    text += render(problem, console.error_colors());
    list.push_back(describe(problem));
  }
  if (options.json) {
    console.print(json::serialize(json::object{{"problems", std::move(list)}}) + "\n");
  } else {
    console.print_error(text);
  }
  return ExitCode::configuration;
}

}  // namespace

ExitCode run_check(const Options& options, const CheckCommand& command, const Console& console) {
  if (!command.user.empty()) become(command.user);
  try {
    const Checked checked = check(command);
    console.print(options.json ? render_as_json(checked) : render(checked, command.file, console));
    const bool warned = std::ranges::find(checked.findings, Finding::Kind::warning,
                                          &Finding::kind) != checked.findings.end();
    return command.strict && warned ? ExitCode::configuration : ExitCode::ok;
  } catch (const config::LoadError& error) {
    return tell(error, options, console);
  }
}

}  // namespace wskeep::cli
