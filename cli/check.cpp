#include <boost/json.hpp>
#include <exception>
#include <string>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "cli/script_words.hpp"
#include "config/load.hpp"
#include "config/warnings.hpp"

namespace wskeep::cli {

namespace {

std::string render(const config::Problem& problem, bool colors) {
  std::string place = problem.file;
  if (problem.line > 0) place += ":" + std::to_string(problem.line);
  if (problem.line > 0 && problem.column > 0) place += ":" + std::to_string(problem.column);
  std::string text = paint(visible(place) + ":", Color::bold, colors) + " ";
  if (!problem.key.empty()) text += paint(visible(problem.key) + ":", Color::red, colors) + " ";
  return text + visible(problem.message) + "\n";
}

boost::json::array describe(const std::vector<config::Problem>& problems) {
  boost::json::array list;
  for (const config::Problem& problem : problems) {
    list.push_back({{"file", problem.file},
                    {"line", problem.line},
                    {"column", problem.column},
                    {"key", problem.key},
                    {"message", problem.message}});
  }
  return list;
}

std::string render_as_json(const std::vector<config::Problem>& problems) {
  return boost::json::serialize(boost::json::object{{"problems", describe(problems)}}) + "\n";
}

std::string render_as_json(const config::Config& config) {
  boost::json::array warned;
  for (const std::string& warning : config::warnings(config)) warned.emplace_back(warning);
  return boost::json::serialize(boost::json::object{{"problems", boost::json::array()},
                                                    {"warnings", std::move(warned)},
                                                    {"scripts", describe_scripts(config)}}) +
         "\n";
}

std::string render(const config::Config& config, const std::string& file, const Console& console) {
  const std::size_t count = config.connections.size();
  std::string warned;
  for (const std::string& warning : config::warnings(config)) {
    warned +=
        paint("warning:", Color::yellow, console.output_colors()) + " " + visible(warning) + "\n";
  }
  return visible(file) + ": " + paint("OK", Color::green, console.output_colors()) + ", " +
         std::to_string(count) + (count == 1 ? " connection" : " connections") + "\n" + warned +
         explain_scripts(config, canvas_of(console));
}

}  // namespace

ExitCode run_check(const Options& options, const CheckCommand& command, const Console& console) {
  try {
    const config::Config config = config::load_file(command.file);
    console.print(options.json ? render_as_json(config) : render(config, command.file, console));
    return ExitCode::ok;
  } catch (const config::LoadError& error) {
    std::string text;
    for (const config::Problem& problem : error.problems()) {
      text += render(problem, console.error_colors());
    }
    if (options.json) {
      console.print(render_as_json(error.problems()));
    } else {
      console.print_error(text);
    }
    return ExitCode::configuration;
  }
}

}  // namespace wskeep::cli
