#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

namespace wskeep::daemon {

/// Says `alive` every so often as long as every event loop answers: one that is stuck keeps it
/// silent. Lives on the first of the loops.
class Watchdog {
 public:
  /// `alive` is called on `loops.front()`, at least once within each `interval` while all of them
  /// turn. Nothing begins yet.
  Watchdog(std::vector<boost::asio::any_io_executor> loops, std::chrono::microseconds interval,
           std::function<void()> alive);
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// On the first loop. What it has begun may end behind the watchdog's own end.
  void start();
  void stop();

 private:
  void ask();

  std::vector<boost::asio::any_io_executor> loops_;
  std::chrono::microseconds pause_;
  std::function<void()> alive_;
  boost::asio::steady_timer timer_;
  /// How many loops have not yet answered; shared with the questions under way.
  std::shared_ptr<std::size_t> silent_;
};

}  // namespace wskeep::daemon
