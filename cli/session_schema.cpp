#include "cli/session_schema.hpp"

#include <array>
#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "config/session_keys.hpp"

namespace wskeep::cli {

namespace {

namespace json = boost::json;
using config::Form;
using config::SessionKey;
using config::SessionMap;

constexpr std::string_view duration_pattern = "^[0-9]+(ms|s|m|h|d)$";
constexpr std::string_view name_pattern = "^[A-Za-z_][A-Za-z0-9_]*$";
constexpr std::string_view pointer_pattern = "^(/|$)";
/// `1008`, `4000-4999`, `4xxx`.
constexpr std::string_view code_pattern = "^[0-9]{3,4}(-[0-9]{3,4})?$|^[0-9][0-9xX]{2,3}$";

constexpr std::array<std::pair<SessionMap, std::string_view>, 15> maps{{
    {SessionMap::session, "session"},
    {SessionMap::request, "session_request"},
    {SessionMap::command, "session_command"},
    {SessionMap::send, "session_send"},
    {SessionMap::wait, "session_wait"},
    {SessionMap::set, "session_set"},
    {SessionMap::pause, "session_pause"},
    {SessionMap::rule, "session_rule"},
    {SessionMap::refusal, "session_refusal"},
    {SessionMap::heartbeat, "session_heartbeat"},
    {SessionMap::reply, "session_reply"},
    {SessionMap::remembered, "session_remembered"},
    {SessionMap::goodbye, "session_goodbye"},
    {SessionMap::close, "session_close"},
    {SessionMap::forget, "session_forget"},
}};

json::object reference_to(std::string_view name) {
  return {{"$ref", "#/$defs/" + std::string(name)}};
}

json::object reference_to(SessionMap map) {
  for (const auto& [one, name] : maps) {
    if (one == map) return reference_to(name);
  }
  return {};
}

json::object any_of(json::array choices) {
  return {{"anyOf", std::move(choices)}};
}

json::object pattern(std::string_view regular_expression) {
  return {{"type", "string"}, {"pattern", regular_expression}};
}

json::object list_of(json::object items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

json::object one_or_list(const json::object& one) {
  return any_of({one, list_of(one)});
}

/// What is not empty where it says which messages are meant.
json::object one_or_some(const json::object& one) {
  json::object list = list_of(one);
  list["minItems"] = 1;
  return any_of({one, std::move(list)});
}

/// What YAML has as a scalar, and the loader takes as text.
json::object scalar() {
  return {{"type", {"string", "number", "boolean"}}};
}

json::object filled() {
  return {{"type", {"string", "number", "boolean"}}, {"minLength", 1}};
}

json::object duration() {
  return pattern(duration_pattern);
}

json::object map_by_name(json::object values) {
  return {{"type", "object"},
          {"propertyNames", pattern(name_pattern)},
          {"additionalProperties", std::move(values)}};
}

json::object json_values() {
  const json::object value{{"type", {"string", "number", "boolean", "null"}}};
  return {{"type", "object"},
          {"minProperties", 1},
          {"propertyNames", pattern(pointer_pattern)},
          {"additionalProperties", one_or_some(value)}};
}

/// Steps and requests: the key that each has tells which it is.
json::object items(std::initializer_list<SessionMap> kinds) {
  json::array choices;
  for (const SessionMap kind : kinds) choices.push_back(reference_to(kind));
  return list_of(any_of(std::move(choices)));
}

json::object repeat() {
  json::object one = map_by_name(json::object{{"type", "string"}});
  one["minProperties"] = 1;
  one["maxProperties"] = 1;
  return one;
}

json::object command() {
  json::object list = list_of(scalar());
  list["minItems"] = 1;
  return list;
}

json::object choice(const SessionKey& key) {
  json::array names;
  for (const std::string_view name : key.choices) names.emplace_back(name);
  return {{"enum", std::move(names)}};
}

json::object form_schema(const SessionKey& key) {
  switch (key.form) {
    case Form::text:
      return scalar();
    case Form::message:
    case Form::name:
      return filled();
    case Form::flag:
      return {{"enum", {true, false, "true", "false"}}};
    case Form::choice:
      return choice(key);
    case Form::duration:
      return duration();
    case Form::interval:
      return any_of({duration(), pattern(R"(\$\{)")});
    case Form::renewal:
      return any_of({duration(), json::object{{"const", "now"}}});
    case Form::close_code:
      return any_of({json::object{{"enum", {1000, 1001}}},
                     json::object{{"type", "integer"}, {"minimum", 3000}, {"maximum", 4999}},
                     pattern("^(1000|1001|[34][0-9]{3})$")});
    case Form::codes:
      return one_or_list(any_of({pattern(code_pattern), json::object{{"type", "integer"}}}));
    case Form::texts:
      return {{"type", "object"}, {"additionalProperties", scalar()}};
    case Form::values:
      return map_by_name(scalar());
    case Form::command:
      return command();
    case Form::constants:
      return map_by_name(one_or_some(scalar()));
    case Form::repeat:
      return repeat();
    case Form::json:
      return json_values();
    case Form::pointers:
      return one_or_some(pattern(pointer_pattern));
    case Form::map:
      return reference_to(key.map);
    case Form::maps:
      return key.required ? one_or_some(reference_to(key.map)) : one_or_list(reference_to(key.map));
    case Form::list:
      return list_of(reference_to(key.map));
    case Form::steps:
      return items({SessionMap::send, SessionMap::wait, SessionMap::set, SessionMap::pause});
    case Form::prepares:
      return items({SessionMap::request, SessionMap::command});
    case Form::remembered:
      return map_by_name(any_of({scalar(), reference_to(SessionMap::remembered)}));
  }
  return {};
}

json::object map_schema(SessionMap map) {
  json::object properties;
  json::array required;
  for (const SessionKey& key : config::session_keys(map)) {
    json::object schema = form_schema(key);
    const bool part = map == SessionMap::session && key.form != Form::constants;
    // `off` takes away what is inherited.
    if (part) schema = any_of({std::move(schema), reference_to("off")});
    schema["description"] = key.description;
    properties[key.name] = std::move(schema);
    if (key.required) required.emplace_back(key.name);
  }
  json::object result{
      {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  if (!required.empty()) result["required"] = std::move(required);
  if (map == SessionMap::rule) result["minProperties"] = 1;
  return result;
}

}  // namespace

json::object session_definitions() {
  json::object definitions;
  for (const auto& [map, name] : maps) definitions[name] = map_schema(map);
  return definitions;
}

json::object session_schema() {
  return any_of({reference_to(SessionMap::session), reference_to("off")});
}

}  // namespace wskeep::cli
