#include "daemon/watchdog.hpp"

#include <boost/asio/post.hpp>
#include <utility>

namespace wskeep::daemon {

namespace asio = boost::asio;

// Thrice within each interval: one late turn of a busy machine does not count as stuck.
Watchdog::Watchdog(std::vector<asio::any_io_executor> loops, std::chrono::microseconds interval,
                   std::function<void()> alive)
    : loops_(std::move(loops)),
      pause_(interval / 3),
      alive_(std::move(alive)),
      timer_(loops_.front()),
      silent_(std::make_shared<std::size_t>(0)) {}

void Watchdog::start() {
  if (*silent_ == 0) {
    alive_();
    ask();
  }
  timer_.expires_after(pause_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) start();
  });
}

void Watchdog::stop() {
  timer_.cancel();
}

void Watchdog::ask() {
  *silent_ = loops_.size();
  for (const asio::any_io_executor& loop : loops_) {
    asio::post(loop, [silent = silent_, first = loops_.front()] {
      asio::post(first, [silent] { --*silent; });
    });
  }
}

}  // namespace wskeep::daemon
