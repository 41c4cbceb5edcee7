#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wskeep::config {

/// Follows a JSON text (RFC 8259) character by character and says at the first one that cannot
/// stand where it stands. UTF-8 is not its business, nor are equal names in an object.
class JsonScanner {
 public:
  static constexpr std::size_t max_depth = 1024;  ///< of arrays and objects

  /// False where `c` cannot follow what was taken; it is then not taken, and `expected` says why.
  [[nodiscard]] bool take(char c);

  /// The first byte of `text` that cannot be taken; its size when all of it was.
  [[nodiscard]] std::size_t take(std::string_view text);

  /// Takes a whole value that is not seen, such as one that is put in later. False where none can
  /// stand.
  [[nodiscard]] bool take_value();

  /// Within a string, and not within an escape.
  [[nodiscard]] bool in_string() const noexcept { return state_ == State::string; }

  /// Within an escape of a string.
  [[nodiscard]] bool in_escape() const noexcept {
    return state_ == State::escape || state_ == State::hex;
  }

  /// Whether what was taken is a whole JSON text.
  [[nodiscard]] bool complete() const noexcept;

  /// What could stand next: "a value", "':' and a value".
  [[nodiscard]] std::string_view expected() const noexcept;

 private:
  enum class State : std::uint8_t {
    value,
    value_or_end,
    name_or_end,
    name,
    colon,
    after_value,
    string,
    escape,
    hex,
    minus,
    zero,
    integer,
    point,
    fraction,
    exponent,
    exponent_sign,
    exponent_digits,
    word,
  };

  bool take_in_string(char c);
  bool take_in_number(char c);
  bool take_in_word(char c);
  bool take_between(char c);
  bool take_after_value(char c);
  bool begin_value(char c);
  bool open(char c);
  bool close(char c);
  void end_value() noexcept { state_ = State::after_value; }
  [[nodiscard]] bool number_may_end() const noexcept;
  [[nodiscard]] bool in_object() const noexcept {
    return depth_ > 0 &&
           ((objects_[(depth_ - 1) / 64] >> ((depth_ - 1) % 64)) & std::uint64_t{1}) != 0;
  }

  State state_ = State::value;
  bool name_ = false;        ///< the string is a name
  std::uint8_t digits_ = 0;  ///< of \u that are to come
  std::string_view word_{};  ///< what is left of true, false or null
  std::size_t depth_ = 0;
  std::array<std::uint64_t, max_depth / 64> objects_{};  ///< one bit for each open bracket
};

/// Whether `text` is one JSON text, given that it is UTF-8.
[[nodiscard]] bool is_json(std::string_view text);

/// Appends `text`, which is UTF-8, as it stands between the quotes of a JSON string.
void append_json_escaped(std::string& to, std::string_view text);

}  // namespace wskeep::config
