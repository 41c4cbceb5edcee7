#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace wskeep::match {

/// A number as JSON writes it, whatever its size, so that 1, 1.0 and 10e-1 are the same and
/// 9007199254740993 and 9007199254740992 are not. The value is 0.DIGITS times ten to the exponent.
class Decimal {
 public:
  /// `text` is a JSON number.
  explicit Decimal(std::string_view text);

  friend bool operator==(const Decimal&, const Decimal&) = default;

 private:
  bool negative_ = false;
  std::string digits_;  ///< neither begins nor ends with a zero; empty: the value is zero
  std::int64_t exponent_ = 0;
};

}  // namespace wskeep::match
