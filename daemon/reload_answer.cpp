#include "daemon/reload_answer.hpp"

#include <boost/json.hpp>
#include <utility>

namespace wskeep::daemon {
namespace {

namespace json = boost::json;
using config::Effect;

json::array as_json(const std::vector<std::string>& names) {
  json::array array;
  for (const std::string& name : names) array.emplace_back(name);
  return array;
}

json::array as_json(const std::vector<config::Problem>& problems) {
  json::array list;
  for (const config::Problem& problem : problems) {
    list.emplace_back(json::object{{"file", problem.file},
                                   {"line", problem.line},
                                   {"column", problem.column},
                                   {"key", problem.key},
                                   {"message", problem.message}});
  }
  return list;
}

}  // namespace

std::string_view effect_name(Effect effect) {
  switch (effect) {
    case Effect::in_place:
      return "in_place";
    case Effect::new_session:
      return "new_session";
    case Effect::new_ring:
      return "new_ring";
    case Effect::next_start:
      break;
  }
  return "next_start";
}

std::string problem_count(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " problem" : " problems");
}

ipc::ReloadAnswer answer_with(const config::Difference& difference, bool applied,
                              const std::vector<config::Problem>& warnings) {
  json::array changed;
  for (const config::ConnectionChange& change : difference.changed) {
    changed.emplace_back(json::object{{"name", change.name},
                                      {"effect", effect_name(change.effect)},
                                      {"keys", as_json(change.keys)}});
  }
  return {200, json::serialize(json::object{{"applied", applied},
                                            {"added", as_json(difference.added)},
                                            {"removed", as_json(difference.removed)},
                                            {"changed", std::move(changed)},
                                            {"unchanged", difference.unchanged},
                                            {"in_place", as_json(difference.in_place)},
                                            {"next_start", as_json(difference.next_start)},
                                            {"warnings", as_json(warnings)}}) +
                   "\n"};
}

ipc::ReloadAnswer answer_failure(unsigned status, std::string_view error,
                                 const std::string& message,
                                 const std::vector<config::Problem>& problems) {
  json::object body{{"error", error}, {"message", message}};
  if (!problems.empty()) body["problems"] = as_json(problems);
  return {status, json::serialize(body) + "\n"};
}

ipc::ReloadAnswer answer_broken(const std::vector<config::Problem>& problems) {
  return answer_failure(
      422, "configuration_invalid",
      "the configuration has " + problem_count(problems.size()) + "; nothing was changed",
      problems);
}

}  // namespace wskeep::daemon
