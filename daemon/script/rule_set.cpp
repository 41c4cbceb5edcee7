#include "daemon/script/rule_set.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "config/regular_expression.hpp"
#include "daemon/script/decimal.hpp"
#include "daemon/script/prefilter.hpp"
#include "daemon/script/search.hpp"

namespace wskeep::script {
namespace {

using config::JsonPointer;
using config::JsonScalar;
using config::MessageRule;

/// A value that is looked for.
class Expected {
 public:
  explicit Expected(const JsonScalar& scalar) : scalar_(scalar) {
    if (scalar.kind == JsonScalar::Kind::number) {
      number_.emplace(scalar.text);
    }
  }

  [[nodiscard]] bool is(const JsonValue& found) const {
    switch (scalar_.kind) {
      case JsonScalar::Kind::string:
        return found.text == scalar_.text;
      case JsonScalar::Kind::number:
        return found.kind == JsonValue::Kind::number &&
               (found.raw == scalar_.text || Decimal(found.raw) == number_);
      default:
        return found.raw == scalar_.text;
    }
  }

 private:
  JsonScalar scalar_;
  std::optional<Decimal> number_;
};

struct Equality {
  JsonPointer pointer;
  std::vector<Expected> expected;
};

re2::StringPiece piece(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

struct RuleSet::Rule {
  explicit Rule(const MessageRule& rule)
      : opcode(rule.opcode),
        asks_json(rule.asks_json()),
        prefilter(rule),
        exists(rule.exists),
        absent(rule.absent) {
    for (const auto& [pointer, values] : rule.json) {
      equalities.push_back({pointer, {values.begin(), values.end()}});
    }
    if (!rule.contains.empty()) {
      contains.emplace(rule.contains);
    }
    if (!rule.text.empty()) {
      text.emplace(rule.text, config::regular_expression_options());
      if (!text->ok()) {
        throw RuleError("'" + rule.text + "' is no regular expression: " + text->error());
      }
    }
  }

  [[nodiscard]] bool takes(std::uint8_t found) const noexcept {
    return opcode == MessageRule::Opcode::any ||
           found == (opcode == MessageRule::Opcode::text ? 1 : 2);
  }

  [[nodiscard]] bool holds(JsonReader& reader) const {
    return reader.is_json() &&
           std::ranges::all_of(equalities,
                               [&](const Equality& equality) {
                                 const auto found = reader.find(equality.pointer);
                                 return found && std::ranges::any_of(equality.expected,
                                                                     [&](const Expected& expected) {
                                                                       return expected.is(*found);
                                                                     });
                               }) &&
           std::ranges::all_of(
               exists,
               [&](const JsonPointer& pointer) { return reader.find(pointer).has_value(); }) &&
           std::ranges::none_of(absent, [&](const JsonPointer& pointer) {
             return reader.find(pointer).has_value();
           });
  }

  /// What costs least is asked first.
  [[nodiscard]] bool matches(const Message& message, Prefilter::Subject& subject,
                             JsonReader& reader) const {
    return takes(message.opcode) && (!contains || contains->in(subject.text)) &&
           (!asks_json || (prefilter.may_match(subject) && holds(reader))) &&
           (!text || re2::RE2::PartialMatch(piece(subject.text), *text));
  }

  MessageRule::Opcode opcode;
  bool asks_json;
  Prefilter prefilter;
  std::vector<Equality> equalities;
  std::vector<JsonPointer> exists;
  std::vector<JsonPointer> absent;
  std::optional<Needle> contains;
  std::optional<re2::RE2> text;
};

RuleSet::RuleSet(std::span<const MessageRule> rules) {
  for (const MessageRule& rule : rules) {
    rules_.push_back(std::make_unique<Rule>(rule));
  }
  matches_.reserve(rules.size());
}

RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet& RuleSet::operator=(RuleSet&&) noexcept = default;
RuleSet::~RuleSet() = default;

std::span<const std::uint32_t> RuleSet::match(const Message& message, JsonReader& reader) {
  matches_.clear();
  reader.open(message);
  Prefilter::Subject subject{.text = message.text()};
  for (std::size_t index = 0; index < rules_.size(); ++index) {
    if (rules_[index]->matches(message, subject, reader)) {
      matches_.push_back(static_cast<std::uint32_t>(index));
    }
  }
  return matches_;
}

std::vector<std::string> RuleSet::captures(std::size_t rule, const Message& message) const {
  const auto& expression = rules_.at(rule)->text;
  if (!expression) {
    return {};
  }
  std::vector<re2::StringPiece> groups(
      static_cast<std::size_t>(expression->NumberOfCapturingGroups()) + 1);
  const re2::StringPiece text = piece(message.text());
  if (!expression->Match(text, 0, text.size(), re2::RE2::UNANCHORED, groups.data(),
                         static_cast<int>(groups.size()))) {
    return {};
  }
  std::vector<std::string> values;
  for (const re2::StringPiece& group : groups) {
    values.emplace_back(group.data() == nullptr ? std::string()
                                                : std::string(group.data(), group.size()));
  }
  return values;
}

}  // namespace wskeep::script
