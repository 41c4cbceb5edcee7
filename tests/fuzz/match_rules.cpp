// Rules against messages: what the prefilter lets through, what on-demand parsing finds and what a
// whole parse of the same message finds must agree. The input is rules, one a line, then an empty
// line and the message. A line is `= POINTER VALUE`, `+ POINTER`, `- POINTER`, `~ EXPRESSION` or
// `" BYTES`. The first byte says whether the message is padded.

#include <simdjson.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.hpp"
#include "match/decimal.hpp"
#include "match/rule_set.hpp"

namespace {

using namespace wskeep;
using config::JsonPointer;
using config::JsonScalar;
using config::MessageRule;
namespace dom = simdjson::dom;

constexpr std::size_t most_rules = 8;

void require(bool holds) {
  if (!holds) std::abort();
}

std::optional<MessageRule> read_rule(std::string_view line) {
  if (line.size() < 2 || line[1] != ' ') return std::nullopt;
  const std::string rest(line.substr(2));
  MessageRule rule;
  switch (line[0]) {
    case '=': {
      const std::size_t space = rest.find(' ');
      if (space == std::string::npos) return std::nullopt;
      const std::string value = rest.substr(space + 1);
      rule.json.push_back({JsonPointer(rest.substr(0, space)), {JsonScalar::of(value, false)}});
      return rule;
    }
    case '+':
      rule.exists = {JsonPointer(rest)};
      return rule;
    case '-':
      rule.absent = {JsonPointer(rest)};
      return rule;
    case '~':
      rule.text = rest;
      return config::regular_expression_error(rest).empty() ? std::optional(rule) : std::nullopt;
    case '"':
      rule.contains = rest;
      return rule;
    default:
      return std::nullopt;
  }
}

std::vector<MessageRule> read_rules(std::string_view& input) {
  std::vector<MessageRule> rules;
  while (!input.empty()) {
    const std::size_t end = std::min(input.find('\n'), input.size());
    const std::string_view line = input.substr(0, end);
    input.remove_prefix(std::min(end + 1, input.size()));
    if (line.empty()) break;
    try {
      const auto rule = read_rule(line);
      if (rule && rules.size() < most_rules) rules.push_back(*rule);
    } catch (const config::JsonPointerError&) {
    }
  }
  return rules;
}

std::optional<dom::element> find(dom::element at, const JsonPointer& pointer) {
  for (const JsonPointer::Token& token : pointer.tokens()) {
    dom::array array;
    dom::object object;
    if (at.get(array) == simdjson::SUCCESS) {
      if (!token.index || array.at(*token.index).get(at) != simdjson::SUCCESS) return std::nullopt;
    } else if (at.get(object) != simdjson::SUCCESS ||
               object.at_key(token.name).get(at) != simdjson::SUCCESS) {
      return std::nullopt;
    }
  }
  return at;
}

/// Whether the value is the same, as far as doubles tell.
bool is(dom::element found, const JsonScalar& value) {
  std::string_view text;
  double number = 0;
  bool flag = false;
  switch (value.kind) {
    case JsonScalar::Kind::string:
      return found.get(text) == simdjson::SUCCESS && text == value.text;
    case JsonScalar::Kind::number:
      return found.get(number) == simdjson::SUCCESS &&
             number == std::strtod(value.text.c_str(), nullptr);
    case JsonScalar::Kind::boolean:
      return found.get(flag) == simdjson::SUCCESS && flag == (value.text == "true");
    default:
      return found.is_null();
  }
}

void compare(const MessageRule& rule, bool matched, dom::element root) {
  if (!rule.json.empty()) {
    const auto& [pointer, values] = rule.json.front();
    const auto found = find(root, pointer);
    const bool same = found && is(*found, values.front());
    // Decimals that are different can be the same double.
    const bool number = values.front().kind == JsonScalar::Kind::number;
    require(number ? same || !matched : same == matched);
  } else if (!rule.exists.empty()) {
    require(matched == find(root, rule.exists.front()).has_value());
  } else if (!rule.absent.empty()) {
    require(matched != find(root, rule.absent.front()).has_value());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::vector<MessageRule> rules = read_rules(input);
  // Of exactly the size that was promised, so that a sanitizer sees each byte too many.
  const bool padded = (data[0] & 1U) != 0;
  std::vector<char> memory(input.begin(), input.end());
  memory.resize(input.size() + (padded ? match::Message::padding : 0), '"');
  const match::Message message{.opcode = 1,
                               .payload = std::as_bytes(std::span(memory).first(input.size())),
                               .padded = padded};

  static match::JsonReader reader;
  match::RuleSet set(rules);
  const auto matches = set.match(message, reader);
  std::vector<bool> matched(rules.size());
  for (const std::uint32_t index : matches) matched.at(index) = true;

  static dom::parser parser;
  dom::element root;
  const simdjson::error_code error = parser.parse(simdjson::padded_string(input)).get(root);
  const bool json = reader.is_json();
  // What simdjson's whole parse refuses beyond the grammar and we take.
  const bool beyond = error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR;
  require(error == simdjson::SUCCESS ? json : !json || beyond);
  for (std::size_t index = 0; index < rules.size(); ++index) {
    const MessageRule& rule = rules[index];
    if (rule.asks_json() && error == simdjson::SUCCESS) compare(rule, matched[index], root);
    if (rule.asks_json()) require(json || !matched[index]);
    if (!rule.contains.empty()) {
      require(matched[index] == (input.find(rule.contains) != std::string_view::npos));
    }
    if (!rule.text.empty()) require(matched[index] == !set.captures(index, message).empty());
    for (const JsonPointer& pointer : rule.exists) {
      const auto text = reader.text_at(pointer);
      require(matched[index] || !text);
    }
  }
  return 0;
}
