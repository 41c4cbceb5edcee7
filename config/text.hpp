#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wskeep::config {

/// A string of the configuration that may hold `${env:NAME}`, `${file:PATH}` and
/// `${credential:NAME}`; `$$` is a dollar sign. Place-holders do not nest, and a dollar sign before
/// anything but `{` and `$` is itself. What they name is read each time `resolve` is called, so
/// that a renewed token is used at the next connect, and a secret is not kept. A file's one last
/// line end is not part of the value.
class Text {
 public:
  Text() = default;

  /// Throws TextError on a place-holder that is not closed or of an unknown kind.
  explicit Text(std::string_view source);

  /// Throws TextError when a variable is not set, or a file cannot be read or is over 64 KiB.
  [[nodiscard]] std::string resolve() const;

  /// As it stands in the configuration, place-holders and all: safe to log.
  [[nodiscard]] const std::string& source() const noexcept { return source_; }

  [[nodiscard]] bool has_placeholder() const noexcept;

  [[nodiscard]] bool empty() const noexcept { return source_.empty(); }

  /// Whether the same is written.
  friend bool operator==(const Text& a, const Text& b) noexcept { return a.source_ == b.source_; }

 private:
  struct Literal {
    std::string value;
  };
  struct Variable {
    std::string name;
  };
  struct File {
    std::string path;
  };
  struct Credential {
    std::string name;
  };

  void add_placeholder(std::string_view inside);

  std::string source_;
  std::vector<std::variant<Literal, Variable, File, Credential>> parts_;
};

class TextError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace wskeep::config
