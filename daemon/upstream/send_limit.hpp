#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "config/config.hpp"
#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// Counts frames so that in no stretch of `rate.per`, wherever it begins, more than `rate.count`
/// are written. A frame has its place from when it is handed to the transport until `per` after the
/// transport has taken the last of it: one that was stuck is not followed by too many at once.
///
/// At most some thousand moments are kept. With a larger count, frames within a thousandth of `per`
/// share one, and their places become free together with the last of them.
class SendLimit {
 public:
  /// `rate` is not off.
  explicit SendLimit(config::Rate rate) noexcept : rate_(rate) {}

  /// How many frames may be handed over at `now`, which is not before that of an earlier call.
  [[nodiscard]] std::uint32_t places(daemon::TimePoint now) noexcept;

  /// One takes a place.
  void hand_over() noexcept { ++under_way_; }

  /// Of those handed over so many have been taken whole, by `now` at the latest.
  void written(std::uint32_t frames, daemon::TimePoint now);

  /// When there will be that many places; max(): not before something more is written.
  [[nodiscard]] daemon::TimePoint free_at(std::uint32_t places) const noexcept;

 private:
  struct Batch {
    daemon::TimePoint first;
    daemon::TimePoint last;
    std::uint32_t frames;
  };

  config::Rate rate_;
  std::deque<Batch> batches_;    ///< written within the last `per`, oldest first
  std::uint32_t counted_ = 0;    ///< in batches_
  std::uint32_t under_way_ = 0;  ///< handed over, and not yet written
};

}  // namespace wskeep::upstream
