#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "config/config.hpp"

namespace wskeep::ipc {

/// How fast may be published: an allowance of messages and one of bytes, each as large as its limit
/// says, that fill up again in the time that it says. Whoever has any left may send one more
/// message, however large; what that takes too much is waited for afterwards.
class PublishGate {
 public:
  using Clock = std::chrono::steady_clock;

  PublishGate() = default;
  explicit PublishGate(const config::PublishLimits& limits) { configure(limits); }

  /// From now on; what was used stays used.
  void configure(const config::PublishLimits& limits) noexcept {
    messages_.configure(limits.rate.off() ? 0.0 : limits.rate.count, limits.rate.per);
    bytes_.configure(static_cast<double>(limits.bytes.bytes), limits.bytes.per);
  }

  [[nodiscard]] bool off() const noexcept { return messages_.off() && bytes_.off(); }

  /// When the next message may be sent; the past: now.
  [[nodiscard]] Clock::time_point opens() const noexcept {
    return std::max(messages_.opens(), bytes_.opens());
  }

  /// A message of that size is sent.
  void count(std::size_t size, Clock::time_point now) noexcept {
    messages_.take(1.0, now);
    bytes_.take(static_cast<double>(size), now);
  }

 private:
  /// Kept as the time at which it will be full.
  class Allowance {
   public:
    void configure(double size, std::chrono::milliseconds per) noexcept {
      size_ = size;
      per_ = per;
    }
    [[nodiscard]] bool off() const noexcept { return size_ <= 0; }
    [[nodiscard]] Clock::time_point opens() const noexcept {
      return off() ? Clock::time_point::min() : full_ - per_ + one();
    }
    void take(double amount, Clock::time_point now) noexcept {
      if (off()) return;
      const std::chrono::duration<double> takes = std::chrono::duration<double>(per_) * amount;
      full_ = std::max(full_, now) + std::chrono::duration_cast<Clock::duration>(takes / size_);
    }

   private:
    /// What one message or byte is of it in time.
    [[nodiscard]] Clock::duration one() const noexcept {
      return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(per_) /
                                                         size_);
    }

    double size_ = 0;
    Clock::duration per_{0};
    Clock::time_point full_;
  };

  Allowance messages_;
  Allowance bytes_;
};

}  // namespace wskeep::ipc
