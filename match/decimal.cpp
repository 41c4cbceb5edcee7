#include "match/decimal.hpp"

#include <algorithm>
#include <charconv>

namespace wskeep::match {
namespace {

// Far from the ends of 64 bits, so that the number of digits can be added.
constexpr std::int64_t largest_exponent = std::int64_t{1} << 60U;

std::int64_t read_exponent(std::string_view text) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  std::int64_t exponent = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (error == std::errc::result_out_of_range) {
    exponent = text.starts_with('-') ? -largest_exponent : largest_exponent;
  }
  return std::clamp(exponent, -largest_exponent, largest_exponent);
}

}  // namespace

Decimal::Decimal(std::string_view text) {
  if (text.starts_with('-')) {
    negative_ = true;
    text.remove_prefix(1);
  }
  const std::size_t mark = std::min(text.find_first_of("eE"), text.size());
  const std::string_view mantissa = text.substr(0, mark);
  const std::size_t point = std::min(mantissa.find('.'), mantissa.size());
  digits_ = mantissa.substr(0, point);
  if (point < mantissa.size()) {
    digits_ += mantissa.substr(point + 1);
  }
  const std::size_t zeros = std::min(digits_.find_first_not_of('0'), digits_.size());
  digits_.erase(0, zeros);
  if (digits_.empty()) {
    negative_ = false;
    return;
  }
  digits_.erase(digits_.find_last_not_of('0') + 1);
  exponent_ = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(zeros);
  if (mark < text.size()) {
    exponent_ += read_exponent(text.substr(mark + 1));
  }
}

}  // namespace wskeep::match
