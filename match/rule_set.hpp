#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "config/message_rule.hpp"
#include "match/json_reader.hpp"
#include "match/message.hpp"

namespace wskeep::match {

/// All rules of a connection, compiled once. A message is parsed at most once for all of them, and
/// not at all when its bytes show that none can match.
class RuleSet {
 public:
  /// Throws RuleError for a regular expression that is none; config::regular_expression_error()
  /// finds those when the configuration is loaded.
  explicit RuleSet(std::span<const config::MessageRule> rules);
  RuleSet(RuleSet&&) noexcept;
  RuleSet& operator=(RuleSet&&) noexcept;
  RuleSet(const RuleSet&) = delete;
  RuleSet& operator=(const RuleSet&) = delete;
  ~RuleSet();

  [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }

  /// The rules that match, by their number in the order given, ascending; until the next call.
  /// `reader` has the message open then, for its values. Allocates nothing when none matches,
  /// unless a message larger than any before is parsed.
  [[nodiscard]] std::span<const std::uint32_t> match(const Message& message, JsonReader& reader);

  /// Whether one of them matches. `reader` has the message open already, so that several sets share
  /// one parse.
  [[nodiscard]] bool matches(const Message& message, JsonReader& reader) const;

  /// What the groups of a rule's regular expression hold in a message that matches, `[0]` being the
  /// whole of what it found; a group that took no part is empty. Nothing where the rule has none.
  [[nodiscard]] std::vector<std::string> captures(std::size_t rule, const Message& message) const;

 private:
  struct Rule;
  /// Finds out, in one pass over a message, which rules are worth asking.
  struct Sieve;

  std::vector<std::unique_ptr<Rule>> rules_;
  std::unique_ptr<Sieve> sieve_;
  std::vector<std::uint32_t> matches_;
};

class RuleError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace wskeep::match
