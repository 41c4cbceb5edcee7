#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "config/config.hpp"

namespace wskeep::upstream {

/// Evenly in [0, limit], of 64 uniform bits; limits over a week are a week.
[[nodiscard]] std::chrono::milliseconds draw(std::uint64_t random,
                                             std::chrono::milliseconds limit) noexcept;

/// How long to wait before the next cycle: full jitter, drawn evenly from zero to
/// min(max, initial * 2^failures), but never less than `floor`, so that no setting makes a busy
/// loop. A value: no clock and no chance of its own.
class Backoff {
 public:
  static constexpr std::chrono::milliseconds floor{10};
  /// The most that a server's Retry-After can ask for.
  static constexpr std::chrono::seconds longest_retry_after{3600};

  struct Settings {
    std::chrono::milliseconds initial;
    std::chrono::milliseconds max;
    std::chrono::milliseconds stable_after;
  };

  explicit Backoff(Settings settings) noexcept : settings_(settings) {}
  explicit Backoff(const config::Reconnect& settings) noexcept
      : Backoff(Settings{settings.initial, settings.max, settings.stable_after}) {}

  /// The wait after a failed cycle or an ended session; counts it as a failure. `random` is 64
  /// uniform bits. `retry_after` (a server's wish) is the least that is waited; jitter comes on top
  /// of it, so that a thousand clients sent away together do not return together.
  [[nodiscard]] std::chrono::milliseconds next(
      std::uint64_t random,
      std::optional<std::chrono::seconds> retry_after = std::nullopt) noexcept;

  /// The same for what a retry will hardly mend (401, a faulty certificate): drawn from max/2 to
  /// max; from `retry_after` on, where that is more than max/2.
  [[nodiscard]] std::chrono::milliseconds slowest(
      std::uint64_t random,
      std::optional<std::chrono::seconds> retry_after = std::nullopt) noexcept;

  /// A session has ended after `lived`. Resets the growth if it lived `stable_after`; a server that
  /// accepts and closes at once does not.
  void session_ended(std::chrono::milliseconds lived) noexcept;

  /// Someone asked for a reconnect: begin anew.
  void reset() noexcept { failures_ = 0; }

  /// Failures since the last reset.
  [[nodiscard]] std::uint32_t failures() const noexcept { return failures_; }

  void configure(Settings settings) noexcept { settings_ = settings; }

 private:
  [[nodiscard]] std::chrono::milliseconds ceiling() const noexcept;

  Settings settings_;
  std::uint32_t failures_ = 0;
};

}  // namespace wskeep::upstream
