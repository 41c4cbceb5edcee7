#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace wskeep::ipc {

/// The ends of a histogram's buckets in microseconds, rising.
using HistogramBounds = std::array<std::uint32_t, 12>;

/// How many durations were how long. A bucket takes what is no longer than its bound, and one more
/// takes the rest. Plain numbers, used by one thread; nothing is allocated. `Count` is as large as
/// what is observed is frequent.
template <const HistogramBounds& bounds, typename Count = std::uint64_t>
class Histogram {
 public:
  static constexpr std::size_t buckets = bounds.size() + 1;

  void observe(std::chrono::nanoseconds duration) noexcept {
    const auto bucket = std::ranges::lower_bound(
        bounds, duration, {}, [](std::uint32_t bound) { return std::chrono::microseconds(bound); });
    ++counts_[static_cast<std::size_t>(bucket - bounds.begin())];
    sum_ += duration;
  }

  /// By bucket, each without those before it.
  [[nodiscard]] const std::array<Count, buckets>& counts() const noexcept { return counts_; }
  [[nodiscard]] std::chrono::nanoseconds sum() const noexcept { return sum_; }

 private:
  std::array<Count, buckets> counts_{};
  std::chrono::nanoseconds sum_{0};
};

}  // namespace wskeep::ipc
