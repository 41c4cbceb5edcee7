#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include "config/config.hpp"

namespace wskeep::config {

/// Says in `what()` what is wrong with a value, so that it can follow the value in quotes.
class QuantityError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// `250ms`, `10s`, `5m`, `23h`, `1d`: a whole number and its unit. Throws QuantityError.
[[nodiscard]] std::chrono::milliseconds parse_duration(std::string_view text);

/// `300/5m`; `s`, `m`, `h` and `d` alone mean one of them: `5/s`. Counts over the largest that fits
/// give that one. Throws QuantityError. `off` is for the caller.
[[nodiscard]] Rate parse_rate(std::string_view text);

/// `1MiB/1s`; `s`, `m`, `h` and `d` alone mean one of them. Throws QuantityError. `off` is for the
/// caller.
[[nodiscard]] ByteRate parse_byte_rate(std::string_view text);

/// `1000`, `1kB`, `1MB`, `1GB`, `64KiB`, `1MiB`, `1GiB`: bytes. Throws QuantityError.
[[nodiscard]] std::uint64_t parse_size(std::string_view text);

/// Decimal digits alone. Throws QuantityError.
[[nodiscard]] std::uint64_t parse_count(std::string_view text);

/// Three octal digits with or without a zero before them. Throws QuantityError.
[[nodiscard]] std::uint32_t parse_mode(std::string_view text);

/// As `parse_duration` reads it, in the largest unit that divides it.
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

/// As `parse_rate` reads it, or `off`.
[[nodiscard]] std::string format_rate(const Rate& rate);

/// As `parse_byte_rate` reads it, or `off`.
[[nodiscard]] std::string format_byte_rate(const ByteRate& rate);

/// As `parse_size` reads it, in the largest binary unit that divides it.
[[nodiscard]] std::string format_size(std::uint64_t bytes);

/// As `parse_mode` reads it, with a zero before it.
[[nodiscard]] std::string format_mode(std::uint32_t mode);

}  // namespace wskeep::config
