#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// Sees when the wall clock goes ahead of the steady one, which stands still while the machine
/// sleeps: somebody set it, or the machine was suspended, and then what was connected may be gone.
/// One per shard.
class ClockWatch {
 public:
  static constexpr std::chrono::milliseconds period{2'000};
  /// Less than that is a clock being kept right.
  static constexpr std::chrono::milliseconds least{500};

  /// `told` is called, on the environment's executor, with how far it went ahead within a period.
  ClockWatch(daemon::Environment& environment, std::function<void(std::chrono::milliseconds)> told);
  ClockWatch(const ClockWatch&) = delete;
  ClockWatch& operator=(const ClockWatch&) = delete;

  /// Looks from now on, as long as the executor runs; the watch outlives that.
  void start();

 private:
  boost::asio::awaitable<void> watch();

  daemon::Environment& environment_;
  std::function<void(std::chrono::milliseconds)> told_;
  std::unique_ptr<daemon::Environment::Alarm> alarm_;
};

}  // namespace wskeep::upstream
