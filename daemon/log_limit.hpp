#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/config.hpp"

namespace wskeep::daemon {

/// How many lines of one kind about one connection are written: so many within a window, which
/// begins with the first of them. What is more is counted, to be told when the window is over. Time
/// is the steady clock's. Bounded; not synchronized.
class LogLimit {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// The lines that one window left out.
  struct LeftOut {
    std::string connection;
    std::string_view event;
    config::LogLevel level;  ///< of the most important one
    std::uint64_t lines;
    config::Milliseconds within;
  };

  /// `most`: how many windows are kept at once.
  explicit LogLimit(const config::Rate& rate, std::size_t most = 4096);

  /// Ends windows that are over, and the oldest when there is no room for another. To be called
  /// before `pass`; `now` max(): ends all of them.
  [[nodiscard]] std::vector<LeftOut> sweep(TimePoint now);

  /// Whether the line is to be written. `event` is a literal.
  [[nodiscard]] bool pass(std::string_view connection, std::string_view event,
                          config::LogLevel level, TimePoint now);

  /// When `sweep` may have something to tell; nothing: nothing was left out.
  [[nodiscard]] std::optional<TimePoint> due() const;

  /// Begins anew: `sweep` all before it.
  void configure(const config::Rate& rate);
  [[nodiscard]] const config::Rate& rate() const noexcept { return rate_; }

 private:
  struct Window {
    std::string key;
    TimePoint begun;
    std::uint32_t passed = 0;
    LeftOut left_out;
  };
  using Windows = std::list<Window>;

  void end_oldest(std::vector<LeftOut>& told);

  config::Rate rate_;
  std::size_t most_;
  Windows windows_;  ///< oldest first: all are of the same length
  std::unordered_map<std::string, Windows::iterator> by_key_;
  std::size_t leaving_out_ = 0;  ///< windows that have left out something
};

}  // namespace wskeep::daemon
