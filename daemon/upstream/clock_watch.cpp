#include "daemon/upstream/clock_watch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <utility>

namespace wskeep::upstream {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

ClockWatch::ClockWatch(daemon::Environment& environment, std::function<void(milliseconds)> told)
    : environment_(environment), told_(std::move(told)), alarm_(environment.make_alarm()) {}

void ClockWatch::start() {
  boost::asio::co_spawn(environment_.executor(), watch(), [](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
  });
}

boost::asio::awaitable<void> ClockWatch::watch() {
  for (;;) {
    const auto steady = environment_.now();
    const auto wall = environment_.wall_now();
    co_await alarm_->wait_until(steady + period);
    const auto ahead = duration_cast<milliseconds>(environment_.wall_now() - wall) -
                       duration_cast<milliseconds>(environment_.now() - steady);
    if (ahead >= least) told_(ahead);
  }
}

}  // namespace wskeep::upstream
