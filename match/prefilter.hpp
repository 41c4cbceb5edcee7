#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/message_rule.hpp"
#include "match/search.hpp"

namespace wskeep::match {

/// Tells from the bytes of a message alone that what a rule says of its JSON cannot hold, so that
/// few messages are parsed. Never wrong when it says so, however the JSON is written.
class Prefilter {
 public:
  explicit Prefilter(const config::MessageRule& rule);

  /// One message, as far as it is known.
  struct Subject {
    std::string_view text;
    std::optional<bool> escapes{};  ///< whether plain letters may be written as \u00XX in it
  };

  [[nodiscard]] bool may_match(Subject& subject) const;

  /// One of these stands in each message for which `may_match` is true, unless it has escapes.
  /// Empty: nothing is known.
  [[nodiscard]] std::vector<std::string> needed() const;

  /// What a message with escapes has in it.
  static constexpr std::string_view escape = "\\u00";

 private:
  /// One of these stands in the message.
  using Literals = std::vector<Needle>;

  /// One of these values follows the name.
  struct Member {
    Needle name;
    std::vector<config::JsonScalar> values;
    [[nodiscard]] bool in(std::string_view text) const;
  };

  void add_value(const config::JsonPointer& pointer, const std::vector<config::JsonScalar>& values);
  void add_names(const config::JsonPointer& pointer);
  [[nodiscard]] bool finds_all(std::string_view text) const;

  std::vector<Literals> literals_;
  std::vector<Member> members_;
  std::vector<Needle> names_;
};

}  // namespace wskeep::match
