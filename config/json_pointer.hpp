#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace wskeep::config {

/// A place within a JSON text (RFC 6901): `/data/0/id`; the empty one is the whole.
class JsonPointer {
 public:
  static constexpr std::size_t max_tokens = 64;

  struct Token {
    std::string name;                  ///< unescaped
    std::optional<std::size_t> index;  ///< where it can also be the index of an array
    friend bool operator==(const Token&, const Token&) = default;
  };

  JsonPointer() = default;

  /// Throws JsonPointerError.
  explicit JsonPointer(std::string_view source);

  [[nodiscard]] const std::string& source() const noexcept { return source_; }
  [[nodiscard]] const std::vector<Token>& tokens() const noexcept { return tokens_; }

  friend bool operator==(const JsonPointer&, const JsonPointer&) = default;

 private:
  std::string source_;
  std::vector<Token> tokens_;
};

/// Says in `what()` what is wrong, so that it can follow the pointer in quotes.
class JsonPointerError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace wskeep::config
