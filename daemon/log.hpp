#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "config/config.hpp"

namespace spdlog {
class logger;
namespace details {
class thread_pool;
}
}  // namespace spdlog

namespace wskeep::daemon {

/// One line per event on stderr: `TIME LEVEL CONNECTION EVENT key=value ...`, or the same as JSON.
/// Lines are written by a thread of their own behind a bounded queue; when nobody takes them the
/// oldest are dropped, and nothing waits. Any thread may write.
class Log {
 public:
  using Field = std::pair<std::string_view, std::string>;
  using Level = config::LogLevel;

  explicit Log(const config::Log& settings);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  /// `connection` empty: the daemon itself. Values must hold no secret.
  void write(Level level, std::string_view connection, std::string_view event,
             std::initializer_list<Field> fields = {});

  /// From now on the least important entries to write. Any thread.
  void level(Level least);

  /// Lines that nobody took in time, since the begin. Any thread.
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  config::Log settings_;
  std::shared_ptr<spdlog::details::thread_pool> pool_;
  std::shared_ptr<spdlog::logger> logger_;
};

}  // namespace wskeep::daemon
