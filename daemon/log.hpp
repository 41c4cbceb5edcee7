#pragma once

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string_view>

#include "config/config.hpp"
#include "daemon/log_entry.hpp"

namespace wskeep::daemon {

/// One line per event, for people, as JSON, or to systemd's journal: docs/logs.md has all events.
/// Lines are made and written by a thread of their own behind a bounded queue; when nobody takes
/// them the oldest are dropped, and nothing waits. What is dropped, and what `log.rate` leaves out,
/// is counted and told. Any thread may call anything; there is a lock, which is held for a moment
/// and never while a line is written.
class Log {
 public:
  using Field = LogField;
  using Level = config::LogLevel;

  /// Since the begin.
  struct Statistics {
    std::uint64_t dropped = 0;         ///< lines that nobody took in time, and those below
    std::uint64_t write_failures = 0;  ///< lines that could not be written
    std::uint64_t left_out = 0;        ///< lines that `log.rate` left out
    std::uint64_t queue_bytes = 0;     ///< of the lines that wait now
    std::uint64_t queue_limit = 0;
  };

  /// `descriptor`, stderr as a rule, outlives the log.
  explicit Log(const config::Log& settings, int descriptor = 2);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  /// Writes what is left, for as long as somebody takes it: see docs/logs.md.
  ~Log();

  /// `connection` empty: the daemon itself. `event` and the fields' names are literals; values must
  /// hold no secret. `least` stands for `log.level`. Whether it is written.
  bool write(Level level, std::string_view connection, std::string_view event,
             std::initializer_list<Field> fields = {}, std::optional<Level> least = std::nullopt);

  /// A further line of what `write` has just said of the daemon: `log.rate` does not count it.
  void add(Level level, std::string_view event, std::initializer_list<Field> fields);

  /// Whether lines of that importance are written; for what is not cheap to put together.
  [[nodiscard]] bool writes(Level level, std::optional<Level> least = std::nullopt) const noexcept {
    return level >= least.value_or(level_.load(std::memory_order_relaxed));
  }

  /// From now on these hold.
  void configure(const config::Log& settings);

  [[nodiscard]] Statistics statistics() const;

 private:
  struct Work;

  std::atomic<Level> level_;
  std::shared_ptr<Work> work_;
};

}  // namespace wskeep::daemon
