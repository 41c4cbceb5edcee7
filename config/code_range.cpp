#include "config/code_range.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "config/quantity.hpp"

namespace wskeep::config {
namespace {

constexpr const char* complaint = "is not a code, a range of codes or a class of them";

std::uint16_t parse_code(std::string_view text, std::size_t length) {
  std::uint16_t code = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (text.size() != length || error != std::errc{} || end != text.data() + text.size()) {
    throw QuantityError(complaint);
  }
  return code;
}

/// `4xx` has its first and last code where `x` is 0 and 9.
std::string with_digit(std::string_view text, char digit) {
  std::string result(text);
  std::replace(result.begin() + 1, result.end(), 'x', digit);
  return result;
}

}  // namespace

CodeRange parse_code_range(std::string_view text, std::uint16_t least, std::uint16_t most) {
  const std::size_t length = std::to_string(most).size();
  const bool is_class =
      text.size() == length && text.find_first_not_of('x', 1) == std::string_view::npos;
  const std::size_t dash = text.find('-');
  const std::string first = is_class ? with_digit(text, '0') : std::string(text.substr(0, dash));
  const std::string last = is_class                         ? with_digit(text, '9')
                           : dash == std::string_view::npos ? first
                                                            : std::string(text.substr(dash + 1));
  const CodeRange range{parse_code(first, length), parse_code(last, length)};
  if (range.first < least || range.last > most) {
    throw QuantityError("is not within " + std::to_string(least) + " and " + std::to_string(most));
  }
  if (range.first > range.last) {
    throw QuantityError("has its ends the wrong way round");
  }
  return range;
}

}  // namespace wskeep::config
