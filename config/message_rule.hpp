#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/json_pointer.hpp"

namespace wskeep::config {

/// A JSON value that is neither array nor object.
struct JsonScalar {
  enum class Kind : std::uint8_t { null, boolean, number, string };
  Kind kind = Kind::null;
  std::string text;  ///< the string itself; else as JSON writes it: `true`, `1.50`

  /// As YAML means it: what stands without quotes and is null, true, false or a JSON number is
  /// that, all else is a string.
  [[nodiscard]] static JsonScalar of(std::string_view text, bool quoted);

  friend bool operator==(const JsonScalar&, const JsonScalar&) = default;
};

/// Which messages are meant: those for which all that is given holds. Nothing given: every one.
struct MessageRule {
  enum class Opcode : std::uint8_t { any, text, binary };

  Opcode opcode = Opcode::any;
  /// What stands at the pointer is one of these. Numbers compare by their value, however they are
  /// written; strings byte by byte.
  std::vector<std::pair<JsonPointer, std::vector<JsonScalar>>> json;
  std::vector<JsonPointer> exists;  ///< something stands there, be it null
  std::vector<JsonPointer> absent;  ///< the message is JSON, and nothing stands there
  std::string text;                 ///< regular expression, found anywhere in it; empty: none.
                                    ///< Of bytes where `opcode` is binary
  std::string contains;             ///< bytes that stand somewhere in it; empty: none

  /// Whether it says something of the message as JSON.
  [[nodiscard]] bool asks_json() const noexcept {
    return !json.empty() || !exists.empty() || !absent.empty();
  }

  friend bool operator==(const MessageRule&, const MessageRule&) = default;
};

/// What is wrong with a regular expression (RE2's syntax), so that it can follow the expression in
/// quotes; empty where nothing is. `bytes`: it is of bytes, not of characters.
[[nodiscard]] std::string regular_expression_error(const std::string& pattern, bool bytes = false);

/// The names of its groups, in order, empty for those that have none. Needs one without an error.
[[nodiscard]] std::vector<std::string> regular_expression_groups(const std::string& pattern);

}  // namespace wskeep::config
