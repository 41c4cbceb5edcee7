#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <unordered_map>

#include "daemon/net/real_environment.hpp"
#include "daemon/upstream/clock_watch.hpp"
#include "daemon/upstream/connection.hpp"

namespace wskeep::daemon {

/// A thread with its io_context, and the connections that live on it: nothing of theirs is touched
/// by another thread, so that the data path has no lock.
class Shard {
 public:
  /// `handshakes`: how many TLS handshakes there may be at once.
  Shard(net::TlsContexts& contexts, std::uint32_t handshakes);
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;
  ~Shard();

  [[nodiscard]] boost::asio::io_context& context() noexcept { return context_; }
  [[nodiscard]] net::RealEnvironment& environment() noexcept { return environment_; }

  /// Before connections are added: what they remember over a restart is kept there. It outlives
  /// this.
  void keep_remembered(upstream::RememberedStore& store) noexcept { remembered_ = &store; }

  /// Whoever holds one may refer to the connection, on any thread: it is destroyed, on the shard,
  /// some time after it was retired and the last handle is gone.
  using Handle = std::shared_ptr<upstream::Connection>;

  /// Is told, on the shard, what happens to its connections. Before any is added.
  void tell(upstream::Connection::Teller teller) { teller_ = std::move(teller); }

  /// Throws std::system_error when there is no memory for the ring. On the shard, or before `run`,
  /// as all that follows.
  [[nodiscard]] Handle add(const config::Connection& settings, const config::IpcLimits& limits,
                           upstream::ConnectBudgets& budgets, Log& log);

  /// Begins; `done` is called once when it has ended.
  void start(upstream::Connection& connection, std::function<void()> done);

  /// Ends what was started: see upstream::Connection. `stop` only hastens it from then on.
  void retire(upstream::Connection& connection, upstream::Connection::Farewell farewell,
              std::function<void()> session_gone);

  /// Destroys what was never started, when its last handle is gone.
  void discard(upstream::Connection& connection);

  /// Ends all connections, and hastens those that were retired.
  void stop(std::chrono::milliseconds at_most);

  /// From then on the connections, and `told`, are told when the wall clock jumps ahead.
  void watch_clock(std::function<void(std::chrono::milliseconds ahead)> told = nullptr);

  /// Begins to run, on a thread of its own. What throws there ends the process.
  void start_thread();

  /// Runs on the caller's thread until `finish`.
  void run() { context_.run(); }

  /// Lets `run` return. Any thread.
  void finish();
  void join();

 private:
  struct Retired {
    std::unique_ptr<upstream::Connection> connection;
    bool ended = false;     ///< nothing runs any more
    bool released = false;  ///< no handle is left
  };

  /// By where they are: a reload may concern thousands at once.
  template <typename Kept>
  using ByAddress = std::unordered_map<const upstream::Connection*, Kept>;

  Retired& put_aside(upstream::Connection& connection);
  void ended(upstream::Connection& connection);
  void released(upstream::Connection& connection);
  void dissolve_when_free(const Retired& retired);
  boost::asio::awaitable<void> dissolve(upstream::Connection& connection);

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  net::RealEnvironment environment_;
  upstream::Connection::Teller teller_;
  ByAddress<std::unique_ptr<upstream::Connection>> connections_;
  upstream::RememberedStore* remembered_ = nullptr;
  ByAddress<Retired> retired_;
  std::shared_ptr<std::atomic<bool>> runs_;  ///< false: no handle's end is of interest any more
  std::function<void(std::chrono::milliseconds ahead)> clock_told_;
  upstream::ClockWatch clock_watch_;
  std::thread thread_;
};

}  // namespace wskeep::daemon
