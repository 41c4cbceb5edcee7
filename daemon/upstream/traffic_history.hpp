#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// How many bytes went in and out in each of the last seconds, so that it can be said how much the
/// bandwidth varies. No timer: whoever moves bytes notes them, which costs a comparison but once a
/// second.
class TrafficHistory {
 public:
  /// Seconds that are kept.
  static constexpr std::size_t window = 60;

  /// Bytes a second, over the whole seconds that are kept.
  struct Spread {
    double mean = 0;
    double least = 0;
    double most = 0;
    double deviation = 0;  ///< standard deviation
  };
  struct Report {
    std::chrono::seconds window{0};  ///< how many there are; 0: all is 0
    Spread in;
    Spread out;
  };

  /// The counts that ever were, behind a read or a write at `now`, which does not go back.
  void note(daemon::TimePoint now, std::uint64_t bytes_in, std::uint64_t bytes_out) noexcept {
    const std::int64_t second = second_of(now);
    if (second != second_) begin_second(second);
    in_.newest = bytes_in;
    out_.newest = bytes_out;
  }

  [[nodiscard]] Report report(daemon::TimePoint now) const noexcept;

 private:
  struct Direction {
    std::uint64_t begin = 0;   ///< the count when the current second began
    std::uint64_t newest = 0;  ///< the count now
    std::array<float, window> seconds{};

    void end_second(std::int64_t second, std::int64_t next) noexcept;
  };

  [[nodiscard]] static std::int64_t second_of(daemon::TimePoint time) noexcept {
    return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  }
  void begin_second(std::int64_t second) noexcept;
  [[nodiscard]] static Spread spread(const Direction& direction, std::int64_t from,
                                     std::int64_t to) noexcept;

  std::int64_t first_ = -1;   ///< the first second that was noted; -1: none
  std::int64_t second_ = -1;  ///< the one that is not over yet
  Direction in_;
  Direction out_;
};

}  // namespace wskeep::upstream
