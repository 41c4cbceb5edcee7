#pragma once

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "daemon/environment.hpp"
#include "tests/unit/daemon/simulated_transport.hpp"

namespace wskeep::simulated {

using std::chrono::milliseconds;

/// What one address does when it is dialled.
struct Route {
  milliseconds tcp{0};  ///< until TCP is there, or has failed
  daemon::Error tcp_error = daemon::Error::none;
  bool tcp_hangs = false;
  milliseconds proxy{0};  ///< where it is one
  daemon::Error proxy_error = daemon::Error::none;
  bool proxy_hangs = false;
  milliseconds tls{0};
  daemon::Error tls_error = daemon::Error::none;
  bool tls_hangs = false;
  std::function<void(Peer)> on_open;  ///< the peer's script begins; the peer may be kept
};

/// What a name is when it is looked up.
struct Name {
  std::vector<std::string> addresses;
  milliseconds after{0};
  daemon::Error error = daemon::Error::none;
  bool hangs = false;  ///< until the timeout
  std::chrono::seconds ttl{0};
};

/// Time, chance, names and network as a test says. Time stands still while anything is to be done,
/// and then jumps to the next alarm. `log` has what was asked of the outside: "250 dial 10.0.0.2".
class Environment final : public daemon::Environment {
 public:
  std::map<std::string, Route> routes;  ///< by address; others refuse at once
  std::map<std::string, Name> names;    ///< by host; others do not exist
  std::vector<std::string> log;
  bool keep_log = true;
  milliseconds wall_ahead{0};  ///< what somebody, or a sleep, has added to the wall clock
  std::function<void(const DialTarget&)> on_dial;  ///< sees what is dialled
  /// What a program comes to that is run; it is let run for `command_takes` first.
  std::function<daemon::CommandResult(const daemon::Command&)> on_command;
  milliseconds command_takes{0};
  /// Called before each operation that could fail or be cancelled, with its number from 1; false
  /// lets it fail.
  std::function<bool(std::uint64_t)> on_operation;

  Environment() {
    keeper_.async_wait([](boost::system::error_code) {});
  }

  boost::asio::any_io_executor executor() override { return context.get_executor(); }
  daemon::TimePoint now() const override { return now_; }
  daemon::WallTime wall_now() const override {
    return wall_start + std::chrono::duration_cast<daemon::WallTime::duration>(now_ - start_) +
           wall_ahead;
  }
  std::uint64_t random() override { return random_(); }
  std::uint32_t unpredictable() override { return static_cast<std::uint32_t>(random_()); }

  /// 2026-01-01T00:00:00Z
  static constexpr daemon::WallTime wall_start{std::chrono::seconds{1'767'225'600}};

  [[nodiscard]] milliseconds elapsed() const {
    return std::chrono::duration_cast<milliseconds>(now_ - start_);
  }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }

  /// Until nothing is left that time would bring about.
  void run() { run_until(daemon::TimePoint::max()); }
  void run_for(milliseconds duration) { run_until(now_ + duration); }

  void note(const std::string& what) {
    if (keep_log) log.push_back(std::to_string(elapsed().count()) + " " + what);
  }

  std::unique_ptr<Alarm> make_alarm() override { return std::make_unique<SimulatedAlarm>(*this); }

  boost::asio::awaitable<daemon::ResolveResult> resolve(std::string host, std::uint16_t port,
                                                        config::Family /*family*/,
                                                        milliseconds timeout) override {
    using daemon::Failure;
    note("resolve " + host);
    if (!operation()) co_return Failure{daemon::Error::resolve_failed, "injected"};
    const auto found = names.find(host);
    if (found == names.end())
      co_return Failure{daemon::Error::resolve_failed, host + " does not exist"};
    const Name name = found->second;
    const bool late = name.hangs || name.after > timeout;
    if (!co_await sleep(late ? timeout : name.after)) co_return cancelled("resolve " + host);
    if (late) co_return Failure{daemon::Error::resolve_timeout, "no answer for " + host};
    if (name.error != daemon::Error::none) co_return Failure{name.error, "scripted"};
    daemon::Resolved resolved;
    resolved.ttl = name.ttl;
    for (const std::string& address : name.addresses)
      resolved.endpoints.emplace_back(boost::asio::ip::make_address(address), port);
    co_return resolved;
  }

  boost::asio::awaitable<daemon::DialResult> dial(DialTarget target,
                                                  daemon::DialProgress& progress) override {
    using daemon::Failure;
    const std::string address = target.endpoint.address().to_string();
    note("dial " + address);
    if (on_dial) on_dial(target);
    progress.started = now_;
    Route route{};
    if (const auto found = routes.find(address); found != routes.end())
      route = found->second;
    else
      route.tcp_error = daemon::Error::connection_refused;
    if (!operation()) co_return Failure{daemon::Error::connection_reset, "injected"};
    if (!co_await stage(route.tcp, route.tcp_hangs)) co_return cancelled("dial " + address);
    if (route.tcp_error != daemon::Error::none) co_return failed(address, route.tcp_error);
    progress.connected = now_;
    progress.stage = target.proxy == nullptr ? daemon::DialProgress::Stage::tls
                                             : daemon::DialProgress::Stage::proxy;
    note("connected " + address);
    if (target.gate != nullptr) co_await target.gate->pass();
    if (co_await is_cancelled()) co_return cancelled("dial " + address);
    if (target.proxy != nullptr) {
      note("proxy " + address + " to " + target.host);
      if (!operation()) co_return Failure{daemon::Error::proxy_protocol, "injected"};
      if (!co_await stage(route.proxy, route.proxy_hangs)) co_return cancelled("proxy " + address);
      if (route.proxy_error != daemon::Error::none) co_return failed(address, route.proxy_error);
      progress.proxied = now_;
      progress.stage = daemon::DialProgress::Stage::tls;
    }
    if (target.secure) {
      note("tls " + address);
      if (!operation()) co_return Failure{daemon::Error::tls_protocol, "injected"};
      if (!co_await stage(route.tls, route.tls_hangs)) co_return cancelled("tls " + address);
      if (route.tls_error != daemon::Error::none) co_return failed(address, route.tls_error);
      progress.secured = now_;
    }
    progress.stage = daemon::DialProgress::Stage::done;
    note("open " + address);
    co_return open(route);
  }

  boost::asio::awaitable<daemon::CommandResult> run_command(daemon::Command command) override {
    note("run " + command.arguments.at(0));
    if (!operation() || !on_command)
      co_return daemon::Failure{daemon::Error::prepare_failed, "injected"};
    const bool late = command_takes > command.timeout;
    if (!co_await sleep(late ? command.timeout : command_takes)) co_return cancelled("run");
    if (late) {
      daemon::CommandEnd end;
      end.kind = daemon::CommandEnd::Kind::timed_out;
      co_return end;
    }
    co_return on_command(command);
  }

  /// Ends after that time; false when cancelled.
  boost::asio::awaitable<bool> sleep(milliseconds duration) {
    SimulatedAlarm alarm(*this);
    co_await alarm.wait_until(now_ + duration);
    co_return !co_await is_cancelled();
  }

 private:
  class SimulatedAlarm final : public Alarm {
   public:
    explicit SimulatedAlarm(Environment& environment)
        : environment_(environment), timer_(environment.context) {}

    boost::asio::awaitable<void> wait_until(daemon::TimePoint deadline) override {
      environment_.operation();
      if (!std::exchange(woken_, false)) {
        if (deadline <= environment_.now_) {
          // Others have their turn; a timer that is due would cost a system call.
          co_await boost::asio::post(environment_.context, boost::asio::use_awaitable);
          woken_ = false;
          co_return;
        }
        // Woken by cancelling: its own deadline is real time, and never comes.
        timer_.expires_at(daemon::TimePoint::max());
        const Sleeper sleeper(environment_, timer_, deadline);
        co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        woken_ = false;
      }
    }
    void wake() override {
      woken_ = true;
      timer_.cancel();
    }

   private:
    Environment& environment_;
    boost::asio::steady_timer timer_;
    bool woken_ = false;
  };

  using Sleepers = std::multimap<daemon::TimePoint, boost::asio::steady_timer*>;

  /// One entry in the list of those that time will wake.
  struct Sleeper {
    Sleeper(Environment& environment_, boost::asio::steady_timer& timer, daemon::TimePoint deadline)
        : environment(environment_) {
      if (deadline != daemon::TimePoint::max())
        entry = environment.sleepers_.emplace(deadline, &timer);
    }
    ~Sleeper() {
      if (entry) environment.sleepers_.erase(*entry);
    }
    Sleeper(const Sleeper&) = delete;
    Sleeper& operator=(const Sleeper&) = delete;
    Environment& environment;
    std::optional<Sleepers::iterator> entry;
  };

  bool operation() {
    ++operations_;
    return !on_operation || on_operation(operations_);
  }

  static boost::asio::awaitable<bool> is_cancelled() {
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    co_return state.cancelled() != boost::asio::cancellation_type::none;
  }

  boost::asio::awaitable<bool> stage(milliseconds duration, bool hangs) {
    SimulatedAlarm alarm(*this);
    co_await alarm.wait_until(hangs ? daemon::TimePoint::max() : now_ + duration);
    co_return !co_await is_cancelled();
  }

  daemon::Failure cancelled(const std::string& what) {
    note("cancel " + what);
    return {daemon::Error::stopped, "stopped"};
  }

  daemon::Failure failed(const std::string& address, daemon::Error error) {
    note(std::string(daemon::error_name(error)) + " " + address);
    return {error, "scripted " + std::string(daemon::error_name(error))};
  }

  std::unique_ptr<net::Transport> open(const Route& route) {
    auto pipe = std::make_shared<Pipe>(executor());
    pipe->may_go_on = [this] { return operation(); };
    auto transport = std::make_unique<Transport>(pipe);
    if (route.on_open) route.on_open(Peer(pipe));
    return transport;
  }

  /// All that is to be done at this moment. Throws where that has no end: who waits for time to
  /// pass would wait for ever.
  void turn() {
    constexpr std::uint64_t most = 5'000'000;
    for (std::uint64_t handlers = 0; context.poll_one() != 0; ++handlers) {
      if (handlers == most)
        throw std::runtime_error("busy loop at " + std::to_string(elapsed().count()) + " ms");
    }
  }

  void run_until(daemon::TimePoint limit) {
    for (;;) {
      context.restart();
      turn();
      if (sleepers_.empty() || sleepers_.begin()->first > limit) break;
      now_ = std::max(now_, sleepers_.begin()->first);
      for (auto& [deadline, timer] : sleepers_) {
        if (deadline > now_) break;
        timer->cancel();
      }
    }
    if (limit != daemon::TimePoint::max()) now_ = limit;
  }

  const daemon::TimePoint start_{std::chrono::hours(1000)};
  daemon::TimePoint now_ = start_;
  Sleepers sleepers_;
  std::uint64_t operations_ = 0;
  std::mt19937_64 random_{42};

 public:
  /// Behind all else: the coroutines that its end destroys refer to the above.
  boost::asio::io_context context{1};

 private:
  /// Always the first of Asio's timers to be due, if only in centuries, so that the others cost no
  /// system call.
  boost::asio::steady_timer keeper_{context, daemon::TimePoint::max() - std::chrono::hours(1)};
};

}  // namespace wskeep::simulated
