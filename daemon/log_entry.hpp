#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.hpp"

namespace wskeep::daemon {

using LogField = std::pair<std::string_view, std::string>;

/// One event of the log, as the log's thread is given it. Names of events and fields are literals.
struct LogEntry {
  std::chrono::system_clock::time_point time;
  config::LogLevel level = config::LogLevel::info;
  std::string connection;  ///< empty: the daemon itself
  std::string_view event;
  std::vector<LogField> fields;  ///< none is named `time`, `level`, `connection` or `event`

  /// Bytes of memory, about.
  [[nodiscard]] std::size_t size() const noexcept;
};

[[nodiscard]] std::string_view level_name(config::LogLevel level) noexcept;

/// `TIME LEVEL CONNECTION EVENT key=value ...`, without the line's end.
[[nodiscard]] std::string text_line(const LogEntry& entry);

/// The same as an object of JSON.
[[nodiscard]] std::string json_line(const LogEntry& entry);

/// `NAME=VALUE` each, for sd_journal_sendv(3): values may hold any bytes.
[[nodiscard]] std::vector<std::string> journal_fields(const LogEntry& entry);

}  // namespace wskeep::daemon
