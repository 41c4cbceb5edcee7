#pragma once

#include <algorithm>
#include <chrono>

#include "ring/ring.hpp"

namespace wskeep::ipc {

/// Whether a reader may hold the writer up, and since when it does. Begun anew when it has caught
/// up or got a good way on, not when the writer goes on: a reader that drips would otherwise hold
/// it for ever.
struct Hold {
  bool allowed = true;  ///< false from being lapped until it has caught up
  bool active = false;  ///< it was waited for since `since`
  std::chrono::steady_clock::time_point since{};
  ring::Position position = 0;  ///< where it stood then
};

/// How long the writer may wait for a reader that then turns out not to read: at most `patience` at
/// once, and at most a tenth of the time in the long run. Waiting for a reader that does read costs
/// nothing.
class PatienceCredit {
 public:
  using Clock = std::chrono::steady_clock;

  explicit PatienceCredit(Clock::duration patience) noexcept
      : patience_(patience), credit_(patience) {}

  /// What there is at `now`, which is not before that of an earlier call.
  [[nodiscard]] Clock::duration available(Clock::time_point now) noexcept {
    if (last_ != Clock::time_point{})
      credit_ = std::min(patience_, credit_ + (now - last_) / share);
    last_ = now;
    return credit_;
  }

  void spend(Clock::duration waited) noexcept {
    credit_ = std::max(Clock::duration::zero(), credit_ - waited);
  }

 private:
  static constexpr int share = 10;

  Clock::duration patience_;
  Clock::duration credit_;
  Clock::time_point last_{};
};

}  // namespace wskeep::ipc
