#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/upstream/clock_watch.hpp"
#include "daemon/upstream/connection.hpp"
#include "ipc/subscriber.hpp"
#include "tests/unit/daemon/open_world.hpp"
#include "tests/unit/daemon/session_world.hpp"

/// What the tests of a connection share: one connection, and a server that a test changes as it
/// goes on.
namespace wskeep::upstream {

struct ConnectionWorld {
  /// One for all worlds, for a log has a thread.
  static daemon::Log& quiet_log() {
    static daemon::Log log({.level = config::LogLevel::error});
    return log;
  }

  static constexpr const char* address = "10.0.0.1";

  ConnectionWorld() {
    settings.name = "test";
    settings.urls = {config::Template("wss://example.com/ws")};
    environment.names["example.com"].addresses = {address};
    serve("");
  }
  ConnectionWorld(const ConnectionWorld&) = delete;
  ConnectionWorld& operator=(const ConnectionWorld&) = delete;
  ~ConnectionWorld() {
    if (!connection) return;
    connection->stop(0ms);
    run_for(1h);
    EXPECT_EQ(done, 1);
  }

  simulated::Route& route() { return environment.routes[address]; }

  /// From now on the server upgrades and says that at once.
  void serve(const std::string& first_words) {
    route() = {};
    route().on_open = [this, first_words](Peer opened) {
      peer = opened;
      ++opens;
      answers([first_words](const std::string& request) {
        return switching(request) + first_words;
      })(opened);
    };
  }
  /// From now on it answers that to the request.
  void answer(const std::string& text) {
    route() = {};
    route().on_open = says(text);
  }

  void make() { connection.emplace(environment, settings, limits, budgets(), log); }
  void start() {
    make();
    connection->start([this] {
      ++done;
      done_at = environment.elapsed();
    });
    run_for(0ms);
  }
  /// From now on the connection is told when the wall clock jumps.
  void watch_clock() {
    watch.emplace(environment,
                  [this](std::chrono::milliseconds ahead) { connection->clock_jumped(ahead); });
    watch->start();
  }
  void run_for(std::chrono::milliseconds duration) { environment.run_for(duration); }

  /// The server ends the session; then time goes on until there is the next.
  void end_session() {
    peer->end();
    run_for(0ms);
  }
  /// False: not within that time.
  bool wait_for(State state, std::chrono::milliseconds at_most = 1min) {
    for (auto waited = 0ms; waited < at_most && connection->state() != state; waited += 10ms)
      run_for(10ms);
    return connection->state() == state;
  }

  /// When each cycle began.
  [[nodiscard]] std::vector<std::int64_t> begins() const {
    std::vector<std::int64_t> times;
    for (const std::string& line : environment.log) {
      if (line.find(" resolve ") != std::string::npos) times.push_back(std::stoll(line));
    }
    return times;
  }
  [[nodiscard]] std::vector<std::int64_t> waits() const {
    auto times = begins();
    for (std::size_t i = times.size(); i-- > 1;) times[i] -= times[i - 1];
    if (!times.empty()) times.erase(times.begin());
    return times;
  }

  /// Made when it is asked for first, of `connects`.
  ConnectBudgets& budgets() {
    if (!budgets_) budgets_.emplace(connects);
    return *budgets_;
  }

  [[nodiscard]] const ring::Ring& ring() const { return connection->channel().ring(); }
  [[nodiscard]] boost::json::object event(std::size_t back) const {
    const auto& events = connection->channel().events();
    return boost::json::parse(events.at(events.next() - 1 - back).json).as_object();
  }
  [[nodiscard]] std::uint64_t ended(daemon::Error error) const {
    return connection->statistics().ended[static_cast<std::size_t>(error)];
  }

  config::Connection settings;
  config::IpcLimits limits;
  config::Connects connects;
  std::optional<ConnectBudgets> budgets_;
  daemon::Log& log = quiet_log();
  simulated::Environment environment;
  std::optional<Connection> connection;
  std::optional<ClockWatch> watch;
  std::optional<Peer> peer;  ///< of the last session
  std::size_t opens = 0;
  int done = 0;
  std::chrono::milliseconds done_at{-1};
};

/// A subscriber of the connection, as a local app has it.
struct Subscribed {
  Subscribed(ConnectionWorld& world, bool v1)
      : app([&](int socket) {
          ipc::Subscription subscription;
          subscription.v1 = v1;
          ipc::Subscriber::start(*world.connection, socket, ipc::ClientSlot(), subscription,
                                 world.connection->channel().batches(), "", {});
        }) {}
  LocalApp app;
};

}  // namespace wskeep::upstream
