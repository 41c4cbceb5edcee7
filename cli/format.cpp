#include "cli/format.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace wskeep::cli {

namespace {

using std::chrono::days;
using std::chrono::duration_cast;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

template <typename... Arguments>
std::string print(const char* format, Arguments... arguments) {
  std::array<char, 96> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, arguments...);
  return buffer.data();
}

template <typename Large, typename Small>
std::string two_units(Nanoseconds duration, const char* large_unit, const char* small_unit) {
  const auto large = duration_cast<Large>(duration);
  const auto small = duration_cast<Small>(duration - large);
  std::string text = std::to_string(large.count()) + ' ' + large_unit;
  if (small.count() > 0) text += ' ' + std::to_string(small.count()) + ' ' + small_unit;
  return text;
}

/// The number of exactly `size` digits at the front of `text`, which it takes away.
std::optional<int> take_digits(std::string_view& text, std::size_t size) {
  if (text.size() < size) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + size, value);
  if (error != std::errc() || end != text.data() + size || value < 0) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

bool take(std::string_view& text, char expected) {
  if (text.empty() || text.front() != expected) return false;
  text.remove_prefix(1);
  return true;
}

/// `.123456` as nanoseconds; zero if there is no fraction.
std::optional<Nanoseconds> take_fraction(std::string_view& text) {
  if (!take(text, '.')) return Nanoseconds(0);
  std::int64_t value = 0;
  int digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9' && digits < 9) {
    value = value * 10 + (text.front() - '0');
    text.remove_prefix(1);
    ++digits;
  }
  if (digits == 0) return std::nullopt;
  for (; digits < 9; ++digits) value *= 10;
  return Nanoseconds(value);
}

}  // namespace

std::string format_duration(Nanoseconds duration) {
  if (duration <= Nanoseconds(0)) return "0 s";
  if (duration < seconds(1)) {
    return print("%lld ms", static_cast<long long>(duration_cast<milliseconds>(duration).count()));
  }
  if (duration < seconds(10)) {
    const auto tenths = duration_cast<milliseconds>(duration).count() / 100;
    return print("%.1f s", static_cast<double>(tenths) / 10);
  }
  if (duration < minutes(1)) return two_units<seconds, seconds>(duration, "s", "s");
  if (duration < hours(1)) return two_units<minutes, seconds>(duration, "min", "s");
  if (duration < days(1)) return two_units<hours, minutes>(duration, "h", "min");
  return two_units<days, hours>(duration, "d", "h");
}

std::string format_bytes(double bytes) {
  if (bytes < 1023.5) return print("%.0f B", bytes);
  constexpr std::array units{"KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  bytes /= 1024;
  // 1023.95 would be printed as 1024.0 of the smaller unit.
  while (bytes >= 1023.95 && unit + 1 < units.size()) {
    bytes /= 1024;
    ++unit;
  }
  return print("%.1f %s", bytes, units.at(unit));
}

std::string format_count(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string format_rate(double per_second) {
  if (per_second < 0.05) return "0";
  if (per_second < 9.95) return print("%.1f", per_second);
  if (per_second < 9999.5) return print("%.0f", per_second);
  if (per_second < 999'950) return print("%.1fk", per_second / 1e3);
  return print("%.1fM", per_second / 1e6);
}

std::string format_milliseconds(double value) {
  if (value < 1) return print("%.2f ms", value);
  if (value < 100) return print("%.1f ms", value);
  return print("%.0f ms", value);
}

std::optional<SystemTime> parse_time(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, 'T')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || !take(text, ':')) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second) return std::nullopt;
  const auto fraction = take_fraction(text);
  if (!fraction || text != "Z") return std::nullopt;

  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::sys_days(date) + hours(*hour) + minutes(*minute) + seconds(*second) +
         *fraction;
}

std::string format_time(SystemTime time) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(duration_cast<std::chrono::microseconds>(
      std::chrono::floor<std::chrono::microseconds>(time) - day));
  return print("%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", static_cast<int>(date.year()),
               static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
               static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
               static_cast<int>(clock.seconds().count()),
               static_cast<int>(clock.subseconds().count()));
}

std::optional<milliseconds> parse_duration(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.empty() || unit == "s") {
    value *= 1e3;
  } else if (unit == "min" || unit == "m") {
    value *= 60e3;
  } else if (unit == "h") {
    value *= 3600e3;
  } else if (unit != "ms") {
    return std::nullopt;
  }
  constexpr double longest = 365.0 * 24 * 3600e3;
  if (value < 1 || value > longest) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(value));
}

}  // namespace wskeep::cli
