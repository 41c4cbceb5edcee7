#include "cli/schema.hpp"

#include <boost/json.hpp>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "cli/commands.hpp"
#include "cli/session_schema.hpp"
#include "config/keys.hpp"

namespace wskeep::cli {

namespace {

namespace json = boost::json;
using namespace config;

constexpr std::string_view duration_pattern = R"(^[0-9]+(ms|s|m|h|d)$)";
constexpr std::string_view size_pattern = R"(^[0-9]+(kB|MB|GB|KiB|MiB|GiB)?$)";
constexpr std::string_view rate_pattern = R"(^[0-9]+/[0-9]*(ms|s|m|h|d)$)";
constexpr std::string_view byte_rate_pattern =
    R"(^[0-9]+(kB|MB|GB|KiB|MiB|GiB)?/[0-9]*(ms|s|m|h|d)$)";
constexpr std::string_view connection_name_pattern = R"(^[A-Za-z0-9_.-]{1,64}$)";

json::object pattern(std::string_view regular_expression) {
  return {{"type", "string"}, {"pattern", regular_expression}};
}

json::object reference_to(std::string_view name) {
  return {{"$ref", "#/$defs/" + std::string(name)}};
}

json::object any_of(json::array choices) {
  return {{"anyOf", std::move(choices)}};
}

json::object list_of(json::object items) {
  return {{"type", "array"}, {"items", std::move(items)}};
}

json::object map_of(json::object values) {
  return {{"type", "object"}, {"additionalProperties", std::move(values)}};
}

/// What each kind of value takes. Place-holders may stand for any scalar.
struct ValueSchema {
  json::object operator()(const DurationValue& value) const {
    json::array choices{pattern(duration_pattern), reference_to("placeholder")};
    if (value.zero_is_off) choices.push_back(reference_to("off"));
    return any_of(std::move(choices));
  }
  json::object operator()(const SizeValue& /*value*/) const {
    return any_of({pattern(size_pattern), json::object{{"type", "integer"}, {"minimum", 0}},
                   reference_to("placeholder")});
  }
  json::object operator()(const CountValue& value) const {
    json::array choices{
        json::object{{"type", "integer"}, {"minimum", value.least}, {"maximum", value.most}},
        reference_to("placeholder")};
    if (value.zero_is_off) choices.push_back(reference_to("off"));
    return any_of(std::move(choices));
  }
  json::object operator()(const RateValue& /*value*/) const {
    return any_of({pattern(rate_pattern), reference_to("off"), reference_to("placeholder")});
  }
  json::object operator()(const ByteRateValue& /*value*/) const {
    return any_of({pattern(byte_rate_pattern), reference_to("off"), reference_to("placeholder")});
  }
  json::object operator()(const FlagValue& /*value*/) const {
    return any_of({json::object{{"type", "boolean"}}, reference_to("placeholder")});
  }
  json::object operator()(const ChoiceValue& value) const { return one_of(value.names); }
  json::object operator()(const ModeValue& /*value*/) const {
    return any_of({pattern("^0?[0-7]{3,4}$"), reference_to("placeholder")});
  }
  json::object operator()(const StringValue& /*value*/) const { return reference_to("text"); }
  json::object operator()(const TextValue& /*value*/) const { return reference_to("text"); }
  json::object operator()(const TemplateValue& /*value*/) const { return reference_to("text"); }
  json::object operator()(const StringsValue& /*value*/) const { return texts(); }
  json::object operator()(const FaultsValue& value) const { return list_of(one_of(value.names)); }
  json::object operator()(const CodeRulesValue& /*value*/) const {
    return map_of(one_of({"retry", "slow", "stop"}));
  }
  json::object operator()(const PrincipalsValue& /*value*/) const {
    return list_of(any_of({pattern("^(root|daemon|anyone|(user|group):.+|(uid|gid):[0-9]+)$"),
                           reference_to("placeholder")}));
  }
  json::object operator()(const UrlsValue& /*value*/) const {
    return any_of({reference_to("text"), texts()});
  }
  json::object operator()(const HeadersValue& /*value*/) const {
    return map_of(reference_to("scalar"));
  }
  json::object operator()(const ResolveValue& /*value*/) const {
    return map_of(any_of({reference_to("text"), texts()}));
  }
  json::object operator()(const HostRatesValue& /*value*/) const {
    return map_of((*this)(RateValue{}));
  }
  json::object operator()(const SessionValue& /*value*/) const { return session_schema(); }
  json::object operator()(const SocketsValue& /*value*/) const {
    const json::object principals = (*this)(PrincipalsValue{});
    const json::object access =
        closed_map({{"subscribe", principals}, {"publish", principals}, {"control", principals}});
    json::object socket = closed_map({{"path", reference_to("text")},
                                      {"mode", (*this)(ModeValue{})},
                                      {"group", reference_to("text")},
                                      {"access", access}});
    socket["required"] = json::array({"path"});
    return list_of(std::move(socket));
  }

 private:
  static json::object closed_map(json::object properties) {
    return {
        {"type", "object"}, {"properties", std::move(properties)}, {"additionalProperties", false}};
  }

  static json::object texts() { return list_of(reference_to("text")); }

  static json::object one_of(const std::vector<std::string_view>& names) {
    json::array choices;
    for (const std::string_view name : names) {
      // YAML 1.1 reads these as true and false.
      if (name == "on" || name == "yes") choices.emplace_back(true);
      if (name == "off" || name == "no") choices.emplace_back(false);
      choices.emplace_back(name);
    }
    return any_of({json::object{{"enum", std::move(choices)}}, reference_to("placeholder")});
  }
};

json::object empty_map() {
  return {{"type", "object"}, {"properties", json::object()}, {"additionalProperties", false}};
}

/// The map that the key's last name stands in; those on the way are made.
json::object& group_of(json::object& root, std::string_view path, bool off) {
  json::object* group = &root;
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    json::object& properties = group->at("properties").as_object();
    const std::string_view name = path.substr(0, dot);
    const auto found =
        properties.emplace(name, any_of({empty_map(), reference_to("placeholder")})).first;
    json::array& choices = found->value().as_object().at("anyOf").as_array();
    if (off && choices.size() == 2) choices.push_back(reference_to("off"));
    group = &choices.front().as_object();
    path.remove_prefix(dot + 1);
  }
  return *group;
}

void add_key(json::object& root, const Key& key) {
  json::object schema = std::visit(ValueSchema{}, key.value);
  std::string description = std::string(key.description) + " (" + type_text(key.value);
  if (const std::string initial = default_text(key.value); initial != "required")
    description += "; default: " + initial;
  schema["description"] = description + ")";
  const std::string_view name = key.path.substr(key.path.rfind('.') + 1);
  group_of(root, key.path, key.group_off).at("properties").as_object()[name] = std::move(schema);
}

json::object definitions() {
  json::object all{
      {"scalar", {{"type", {"string", "number", "boolean"}}}},
      {"text", {{"type", {"string", "number", "boolean"}}}},
      {"off", {{"enum", {"off", false, 0}}}},
      {"placeholder", {{"type", "string"}, {"pattern", R"(\$\{(env|file|credential):)"}}},
  };
  const json::object session = session_definitions();
  all.insert(session.begin(), session.end());
  return all;
}

}  // namespace

std::string configuration_schema(SchemaOf file) {
  json::object root = empty_map();
  json::object defaults = empty_map();
  json::object connection = empty_map();
  for (const Key& key : all_keys()) {
    if (key.scope == Scope::top && file == SchemaOf::main) add_key(root, key);
    if (key.scope == Scope::inherited) add_key(defaults, key);
    if (key.scope != Scope::top) add_key(connection, key);
  }
  connection["required"] = json::array({"url"});
  json::object& keys = root.at("properties").as_object();
  if (file == SchemaOf::main) {
    defaults["description"] = "Holds for every connection that does not say otherwise";
    keys["defaults"] = std::move(defaults);
  }
  keys["connections"] = json::object{{"type", "object"},
                                     {"description", "What is held, by name"},
                                     {"propertyNames", pattern(connection_name_pattern)},
                                     {"additionalProperties", std::move(connection)}};
  if (file == SchemaOf::main) keys.at("connections").as_object()["minProperties"] = 1;
  json::object schema{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                      {"title", file == SchemaOf::main ? "wskeep.yaml" : "conf.d/*.yaml of wskeep"},
                      {"$defs", definitions()}};
  schema.insert(root.begin(), root.end());
  return json::serialize(schema) + "\n";
}

std::string installed_schema() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  const auto file = program.parent_path().parent_path() / "share" / "wskeep" / "wskeep.schema.json";
  return std::filesystem::is_regular_file(file, error) ? file.string() : std::string();
}

ExitCode run_schema(const Options& /*options*/, const SchemaCommand& command,
                    const Console& console) {
  console.print(configuration_schema(command.further ? SchemaOf::further : SchemaOf::main));
  return ExitCode::ok;
}

}  // namespace wskeep::cli
