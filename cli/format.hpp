#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Numbers as people read them.
namespace wskeep::cli {

using Nanoseconds = std::chrono::nanoseconds;
using SystemTime = std::chrono::sys_time<Nanoseconds>;

/// The two largest units: `4.2 s`, `3 min 20 s`, `2 h 5 min`, `12 d 3 h`. A negative one is `0 s`.
[[nodiscard]] std::string format_duration(Nanoseconds duration);

/// `0 B`, `900 B`, `46.9 KiB`, `1.0 MiB`.
[[nodiscard]] std::string format_bytes(double bytes);

/// With a thin grouping that can be copied: `1,200,345`.
[[nodiscard]] std::string format_count(std::uint64_t count);

/// `0`, `0.1`, `240`, `12.3k`, `4.5M`.
[[nodiscard]] std::string format_rate(double per_second);

/// `12.4 ms`, `0.08 ms`.
[[nodiscard]] std::string format_milliseconds(double milliseconds);

/// `2026-01-31T12:00:00Z`, with 0 to 9 digits of the second.
[[nodiscard]] std::optional<SystemTime> parse_time(std::string_view text);

/// `2026-01-31T12:00:00.123456Z`
[[nodiscard]] std::string format_time(SystemTime time);

/// `90`, `1.5s`, `200ms`, `2min`: a plain number is seconds. None if it is no duration above zero.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace wskeep::cli
