#include "daemon/net/real_environment.hpp"

#include <openssl/rand.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>
#include <utility>

#include "daemon/net/command.hpp"
#include "daemon/net/dial.hpp"

namespace wskeep::net {

namespace asio = boost::asio;
using daemon::TimePoint;

namespace {

class TimerAlarm final : public daemon::Environment::Alarm {
 public:
  explicit TimerAlarm(asio::io_context& context) : timer_(context) {}

  asio::awaitable<void> wait_until(TimePoint deadline) override {
    if (!std::exchange(woken_, false)) {
      timer_.expires_at(deadline);
      co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
      woken_ = false;
    }
  }

  void wake() override {
    woken_ = true;
    timer_.cancel();
  }

 private:
  asio::steady_timer timer_;
  bool woken_ = false;
};

std::uint64_t seed() {
  std::uint64_t value = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value) != 1)
    throw std::runtime_error("the system has no random numbers");
  return value;
}

}  // namespace

RealEnvironment::RealEnvironment(asio::io_context& context, TlsContexts& contexts,
                                 std::string servers, std::uint32_t handshakes)
    : context_(context),
      contexts_(contexts),
      resolver_(context.get_executor(), std::move(servers)),
      handshakes_(context.get_executor(), handshakes),
      random_(seed()) {}

std::uint32_t RealEnvironment::unpredictable() {
  if (pool_used_ == pool_.size()) {
    // Cannot fail once it has worked, and it has worked in the constructor.
    if (RAND_bytes(reinterpret_cast<unsigned char*>(pool_.data()), sizeof pool_) != 1) std::abort();
    pool_used_ = 0;
  }
  return std::exchange(pool_[pool_used_++], 0U);
}

std::unique_ptr<daemon::Environment::Alarm> RealEnvironment::make_alarm() {
  return std::make_unique<TimerAlarm>(context_);
}

asio::awaitable<daemon::ResolveResult> RealEnvironment::resolve(std::string host,
                                                                std::uint16_t port,
                                                                config::Family family,
                                                                std::chrono::milliseconds timeout) {
  return resolver_.resolve(std::move(host), port, family, timeout);
}

asio::awaitable<daemon::DialResult> RealEnvironment::dial(DialTarget target,
                                                          daemon::DialProgress& progress) {
  return net::dial(executor(), contexts_, handshakes_, std::move(target), progress);
}

asio::awaitable<daemon::CommandResult> RealEnvironment::run_command(daemon::Command command) {
  return net::run_command(*this, left_children_, std::move(command));
}

}  // namespace wskeep::net
