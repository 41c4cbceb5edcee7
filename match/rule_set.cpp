#include "match/rule_set.hpp"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "config/regular_expression.hpp"
#include "match/decimal.hpp"
#include "match/needle_set.hpp"
#include "match/prefilter.hpp"
#include "match/search.hpp"

namespace wskeep::match {
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
      text.emplace(rule.text,
                   config::regular_expression_options(opcode == MessageRule::Opcode::binary));
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

  /// One of these stands in each message that matches, unless it has escapes. Empty: nothing is
  /// known.
  [[nodiscard]] std::vector<std::string> needed() const {
    std::vector<std::string> texts =
        contains ? std::vector<std::string>{contains->text()} : prefilter.needed();
    const bool too_short = std::ranges::any_of(
        texts, [](const std::string& one) { return one.size() < NeedleSet::shortest; });
    return too_short ? std::vector<std::string>() : texts;
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

struct RuleSet::Sieve {
  explicit Sieve(const std::vector<std::unique_ptr<Rule>>& rules)
      : candidates(rules.size()), always(rules.size()) {
    std::vector<std::string> texts{std::string(Prefilter::escape)};
    users.resize(1);
    for (std::uint32_t rule = 0; rule < rules.size(); ++rule) {
      const std::vector<std::string> needed = rules[rule]->needed();
      always[rule] = needed.empty() ? 1 : 0;
      any_always = any_always || needed.empty();
      for (const std::string& text : needed) {
        const auto known = std::ranges::find(texts, text);
        const auto number = static_cast<std::size_t>(known - texts.begin());
        if (known == texts.end()) {
          texts.push_back(text);
          users.emplace_back();
        }
        users[number].push_back(rule);
      }
    }
    needles.emplace(texts);
    found.resize(texts.size());
  }

  /// Whether there are `candidates`; nothing is known of them where there are none. Says of
  /// `subject` whether it has escapes.
  [[nodiscard]] bool pass(Prefilter::Subject& subject) {
    const bool any = needles->find(subject.text, found);
    subject.escapes = any && found[0] != 0;
    if (!any && !any_always) {
      return false;
    }
    if (*subject.escapes) {
      std::ranges::fill(candidates, 1);
    } else {
      candidates = always;
      for (std::size_t text = 1; any && text < found.size(); ++text) {
        for (std::size_t i = 0; found[text] != 0 && i < users[text].size(); ++i) {
          candidates[users[text][i]] = 1;
        }
      }
    }
    if (any) {
      std::ranges::fill(found, 0);
    }
    return true;
  }

  std::optional<NeedleSet> needles;               ///< the first of them is that of an escape
  std::vector<std::vector<std::uint32_t>> users;  ///< by needle, the rules that need it
  std::vector<char> found;                        ///< of the needles; none between two messages
  std::vector<char> candidates;                   ///< of the rules
  std::vector<char> always;                       ///< rules that need nothing that is looked for
  bool any_always = false;
};

RuleSet::RuleSet(std::span<const MessageRule> rules) {
  for (const MessageRule& rule : rules) {
    rules_.push_back(std::make_unique<Rule>(rule));
  }
  sieve_ = std::make_unique<Sieve>(rules_);
  matches_.reserve(rules.size());
}

RuleSet::RuleSet(RuleSet&&) noexcept = default;
RuleSet& RuleSet::operator=(RuleSet&&) noexcept = default;
RuleSet::~RuleSet() = default;

std::span<const std::uint32_t> RuleSet::match(const Message& message, JsonReader& reader) {
  matches_.clear();
  reader.open(message);
  Prefilter::Subject subject{.text = message.text()};
  if (!sieve_->pass(subject)) {
    return matches_;
  }
  for (std::size_t index = 0; index < rules_.size(); ++index) {
    if (sieve_->candidates[index] != 0 && rules_[index]->matches(message, subject, reader)) {
      matches_.push_back(static_cast<std::uint32_t>(index));
    }
  }
  return matches_;
}

bool RuleSet::matches(const Message& message, JsonReader& reader) const {
  Prefilter::Subject subject{.text = message.text()};
  return std::ranges::any_of(rules_, [&](const std::unique_ptr<Rule>& rule) {
    return rule->matches(message, subject, reader);
  });
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
  values.reserve(groups.size());
  for (const re2::StringPiece& group : groups) {
    values.emplace_back(group.data() == nullptr ? std::string()
                                                : std::string(group.data(), group.size()));
  }
  return values;
}

}  // namespace wskeep::match
