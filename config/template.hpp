#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wskeep::config {

/// What a template can call. docs/templates.md says what each gives.
enum class Function : std::uint8_t {
  add,
  base64,
  base64_decode,
  base64url,
  concat,
  credential,
  default_,
  env,
  file,
  hex,
  hex_decode,
  hmac_sha256,
  hmac_sha512,
  json,
  jwt_eddsa,
  jwt_es256,
  jwt_hs256,
  lower,
  max,
  random_hex,
  sha256,
  time_ms,
  time_rfc3339,
  time_s,
  time_us,
  upper,
  url,
  uuid,
  with_length,
};

/// A value within a place-holder.
struct Expression {
  enum class Kind : std::uint8_t { text, number, variable, call };

  Kind kind = Kind::text;
  Function function = Function::concat;  ///< of a call
  std::size_t offset = 0;                ///< of its first character, within the template
  std::string text{};  ///< the text, the digits, or the name of the variable or function
  std::vector<Expression> arguments{};  ///< of a call, as many as the function takes
};

/// A text with place-holders whose values come from variables and functions: `${name}`,
/// `${function(argument, ...)}`, and those of Text: `${env:NAME}`, `${file:PATH}`,
/// `${credential:NAME}`, `$$`. Parsed once; wskeep::script::evaluate() says what it stands for.
/// docs/templates.md is the language.
class Template {
 public:
  static constexpr std::size_t max_size = std::size_t{64} << 10U;  ///< bytes
  static constexpr std::size_t max_depth = 16;                     ///< calls within calls

  /// A text is left as it is. In a JSON text a value is escaped where its place-holder stands
  /// between quotes, and must be JSON itself where not, so that it always stays well-formed.
  enum class Kind : std::uint8_t { text, json };

  /// Where a place-holder stands.
  enum class Place : std::uint8_t { text, json_string, json_value };

  struct Placeholder {
    Place place = Place::text;
    Expression expression;
  };

  using Part = std::variant<std::string, Placeholder>;

  Template() = default;

  /// Throws TemplateError.
  explicit Template(std::string_view source, Kind kind = Kind::text);

  /// Throws TemplateError when it names a variable that is not among `known`.
  void check_variables(std::span<const std::string_view> known) const;

  /// Throws TemplateError when an environment variable is not set or a file or credential cannot be
  /// read, save those that `default` covers: what is missing shows when the configuration is
  /// loaded.
  void check_sources() const;

  /// What it stands for now, where it has no other place-holders than Text; nothing where it has.
  /// Throws TemplateError, as check_sources() does.
  [[nodiscard]] std::optional<std::string> text_now() const;

  /// The variables that it names, each once, in their order.
  [[nodiscard]] std::vector<std::string_view> variables() const;

  [[nodiscard]] const std::vector<Part>& parts() const noexcept { return parts_; }
  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] bool empty() const noexcept { return source_.empty(); }

  /// As it stands in the configuration: safe to log.
  [[nodiscard]] const std::string& source() const noexcept { return source_; }

  /// Whether it stands for the same each time.
  [[nodiscard]] bool constant() const noexcept;

  /// Whether the same is written.
  friend bool operator==(const Template& a, const Template& b) noexcept {
    return a.source_ == b.source_ && a.kind_ == b.kind_;
  }

 private:
  std::string source_;
  Kind kind_ = Kind::text;
  std::vector<Part> parts_;
};

/// Says in `what()` what is wrong and what to do. Never repeats what is not a name: it may be part
/// of a secret.
class TemplateError : public std::runtime_error {
 public:
  TemplateError(std::size_t offset, const std::string& message)
      : std::runtime_error(message), offset_(offset) {}

  /// Of the character that is wrong, in bytes from the template's first; its size where something
  /// is missing at the end.
  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }

 private:
  std::size_t offset_;
};

}  // namespace wskeep::config
