#include "ipc/filter_query.hpp"

#include <boost/json.hpp>
#include <vector>

#include "config/json.hpp"

namespace wskeep::ipc {
namespace {

using config::JsonPointer;
using config::JsonScalar;
using config::MessageRule;

/// The value of a JSON string with its quotes; nothing where it is none.
std::optional<std::string> unquoted(std::string_view text) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error);
  if (error || !value.is_string()) return std::nullopt;
  return std::string(value.get_string());
}

std::optional<JsonScalar> parse_scalar(std::string_view text) {
  if (text.starts_with('"')) {
    const auto string = unquoted(text);
    if (!string) return std::nullopt;
    return JsonScalar{JsonScalar::Kind::string, *string};
  }
  JsonScalar scalar = JsonScalar::of(text, false);
  if (scalar.kind == JsonScalar::Kind::string) return std::nullopt;
  return scalar;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t\r\n"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

/// Of `[A, B]`, which is JSON; nothing where one of them is an array, an object, or there is none.
std::optional<std::vector<JsonScalar>> parse_list(std::string_view text) {
  std::vector<JsonScalar> values;
  text = text.substr(1, text.size() - 2);
  std::size_t begin = 0;
  bool in_string = false;
  for (std::size_t at = 0; at <= text.size(); ++at) {
    if (at < text.size() && in_string) {
      if (text[at] == '\\')
        ++at;
      else if (text[at] == '"')
        in_string = false;
      continue;
    }
    if (at < text.size() && text[at] == '"') in_string = true;
    if (at < text.size() && text[at] != ',') continue;
    const auto value = parse_scalar(trimmed(text.substr(begin, at - begin)));
    if (!value) return std::nullopt;
    values.push_back(*value);
    begin = at + 1;
  }
  return values;
}

/// As a person writes it: what is no other JSON value is a string.
std::optional<std::vector<JsonScalar>> parse_values(std::string_view text) {
  if (text.starts_with('[') && config::is_json(text)) return parse_list(trimmed(text));
  if (text.starts_with('"') && config::is_json(text)) {
    const auto value = parse_scalar(trimmed(text));
    if (!value) return std::nullopt;
    return std::vector{*value};
  }
  return std::vector{JsonScalar::of(text, false)};
}

/// `/pointer:value`, or `/pointer` alone. The answer is what is wrong, or empty.
std::string read_json(const std::string& text, MessageRule& rule) {
  const std::size_t colon = text.find(':');
  try {
    JsonPointer pointer(std::string_view(text).substr(0, colon));
    if (colon == std::string::npos) {
      rule.exists.push_back(std::move(pointer));
      return {};
    }
    auto values = parse_values(std::string_view(text).substr(colon + 1));
    if (!values) {
      return "json is /POINTER:VALUE, where VALUE is a string, a number, true, false, null or a "
             "list of them, [A,B]";
    }
    rule.json.emplace_back(std::move(pointer), std::move(*values));
    return {};
  } catch (const config::JsonPointerError& error) {
    return "json is /POINTER:VALUE, and '" + text.substr(0, colon) + "' " + error.what();
  }
}

}  // namespace

bool is_filter_key(std::string_view key) noexcept {
  return key == "contains" || key == "json" || key == "opcode";
}

std::variant<std::optional<MessageRule>, std::string> parse_filter(const Target& target,
                                                                   std::size_t longest) {
  MessageRule rule;
  std::size_t size = 0;
  for (const std::string& text : target.json) {
    std::string problem = read_json(text, rule);
    if (!problem.empty()) return problem;
    size += text.size();
  }
  if (const auto found = target.query.find("contains"); found != target.query.end()) {
    if (found->second.empty()) return "contains is the text that a message has in it, not nothing";
    rule.contains = found->second;
    size += found->second.size();
  }
  if (const auto found = target.query.find("opcode"); found != target.query.end()) {
    if (found->second != "text" && found->second != "binary") return "opcode is text or binary";
    rule.opcode = found->second == "text" ? MessageRule::Opcode::text : MessageRule::Opcode::binary;
  }
  if (size > longest) {
    return "the filter has " + std::to_string(size) + " bytes, and ipc.limits.filter allows " +
           std::to_string(longest);
  }
  if (rule == MessageRule{}) return std::optional<MessageRule>();
  return std::optional(std::move(rule));
}

}  // namespace wskeep::ipc
