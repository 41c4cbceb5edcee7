#include "config/quantity.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <span>

namespace wskeep::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 5> duration_units{{
    {"d", 86'400'000},
    {"h", 3'600'000},
    {"m", 60'000},
    {"s", 1'000},
    {"ms", 1},
}};

constexpr std::array<Unit, 7> size_units{{
    {"GiB", 1U << 30U},
    {"MiB", 1U << 20U},
    {"KiB", 1U << 10U},
    {"", 1},
    {"GB", 1'000'000'000},
    {"MB", 1'000'000},
    {"kB", 1'000},
}};

constexpr std::string_view digits = "0123456789";
// Durations are signed.
constexpr std::uint64_t largest = std::numeric_limits<std::int64_t>::max();

/// Digits that are too many for the type give its largest value, so that it is the range that is
/// named.
std::uint64_t parse_digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  return result.ec == std::errc::result_out_of_range ? largest : value;
}

std::uint64_t parse_with_unit(std::string_view text, std::span<const Unit> units,
                              const char* complaint) {
  const std::size_t end = std::min(text.find_first_not_of(digits), text.size());
  if (end == 0) {
    throw QuantityError(complaint);
  }
  for (const Unit& unit : units) {
    if (unit.name == text.substr(end)) {
      const std::uint64_t value = parse_digits(text.substr(0, end));
      return value > largest / unit.factor ? largest : value * unit.factor;
    }
  }
  throw QuantityError(complaint);
}

std::string format_with_unit(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value != 0 && value % unit.factor == 0) {
      return std::to_string(value / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(value) + std::string(units.back().name);
}

/// What stands behind a rate's slash.
Milliseconds parse_stretch(std::string_view text, const char* complaint) {
  std::string per(text);
  if (!per.empty() && digits.find(per.front()) == std::string_view::npos) {
    per.insert(0, 1, '1');
  }
  return Milliseconds(static_cast<std::int64_t>(parse_with_unit(per, duration_units, complaint)));
}

std::string format_stretch(Milliseconds stretch) {
  std::string per = format_duration(stretch);
  if (per.size() == 2 && per.front() == '1') {
    per.erase(0, 1);
  }
  return per;
}

}  // namespace

std::chrono::milliseconds parse_duration(std::string_view text) {
  if (!text.empty() && text.find_first_not_of(digits) == std::string_view::npos) {
    const std::string number(text.substr(0, 20));
    throw QuantityError("has no unit (" + number + "s or " + number + "ms?)");
  }
  const std::uint64_t value =
      parse_with_unit(text, duration_units, "is not a duration such as 250ms, 10s, 5m, 23h or 1d");
  return std::chrono::milliseconds(static_cast<std::int64_t>(value));
}

Rate parse_rate(std::string_view text) {
  constexpr const char* complaint = "is not a rate such as 5/s, 300/5m or 1000/1d";
  const std::size_t slash = text.find('/');
  if (slash == 0 || text.find_first_not_of(digits) != slash || slash == std::string_view::npos) {
    throw QuantityError(complaint);
  }
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  Rate rate;
  rate.count = static_cast<std::uint32_t>(std::min(parse_digits(text.substr(0, slash)), most));
  rate.per = parse_stretch(text.substr(slash + 1), complaint);
  return rate;
}

ByteRate parse_byte_rate(std::string_view text) {
  constexpr const char* complaint = "is not a rate such as 64KiB/s, 10MB/1m or 1GiB/1d";
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) {
    throw QuantityError(complaint);
  }
  ByteRate rate;
  rate.bytes = parse_with_unit(text.substr(0, slash), size_units, complaint);
  rate.per = parse_stretch(text.substr(slash + 1), complaint);
  return rate;
}

std::uint64_t parse_size(std::string_view text) {
  return parse_with_unit(text, size_units, "is not a size such as 1000, 64kB, 64KiB, 1MB or 1MiB");
}

std::uint64_t parse_count(std::string_view text) {
  if (text.empty() || text.find_first_not_of(digits) != std::string_view::npos) {
    throw QuantityError("is not a whole number");
  }
  return parse_digits(text);
}

std::uint32_t parse_mode(std::string_view text) {
  const bool three = text.size() == 3 || (text.size() == 4 && text.front() == '0');
  if (!three || text.find_first_not_of("01234567") != std::string_view::npos) {
    throw QuantityError("is not a file mode such as \"0660\"");
  }
  std::uint32_t mode = 0;
  std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  return mode;
}

std::string format_duration(std::chrono::milliseconds duration) {
  return format_with_unit(static_cast<std::uint64_t>(duration.count()), duration_units);
}

std::string format_rate(const Rate& rate) {
  if (rate.off()) {
    return "off";
  }
  return std::to_string(rate.count) + "/" + format_stretch(rate.per);
}

std::string format_byte_rate(const ByteRate& rate) {
  return rate.off() ? "off" : format_size(rate.bytes) + "/" + format_stretch(rate.per);
}

std::string format_size(std::uint64_t bytes) {
  return format_with_unit(bytes, std::span(size_units).first(4));
}

std::string format_mode(std::uint32_t mode) {
  std::string result = "0000";
  for (std::size_t place = 0; place < 3; ++place) {
    result[3 - place] = static_cast<char>('0' + ((mode >> (3 * place)) & 7U));
  }
  return result;
}

}  // namespace wskeep::config
