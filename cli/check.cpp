#include <boost/json.hpp>
#include <exception>
#include <string>

#include "cli/commands.hpp"
#include "cli/escape.hpp"
#include "config/load.hpp"

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

std::string render_as_json(const std::vector<config::Problem>& problems) {
  boost::json::array list;
  for (const config::Problem& problem : problems) {
    list.push_back({{"file", problem.file},
                    {"line", problem.line},
                    {"column", problem.column},
                    {"key", problem.key},
                    {"message", problem.message}});
  }
  return boost::json::serialize(boost::json::object{{"problems", std::move(list)}}) + "\n";
}

}  // namespace

ExitCode run_check(const Options& options, const CheckCommand& command, const Console& console) {
  try {
    const config::Config config = config::load_file(command.file);
    const std::size_t count = config.connections.size();
    const std::string number =
        std::to_string(count) + (count == 1 ? " connection" : " connections");
    console.print(options.json ? render_as_json({})
                               : visible(command.file) + ": " +
                                     paint("OK", Color::green, console.output_colors()) + ", " +
                                     number + "\n");
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
