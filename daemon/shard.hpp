#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>
#include <vector>

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

  /// Before `run`.
  upstream::Connection& add(const config::Connection& settings, const config::IpcLimits& limits,
                            upstream::ConnectBudgets& budgets, Log& log);

  /// Before `run`: from then on the connections are told when the wall clock jumps.
  void watch_clock();

  [[nodiscard]] const std::vector<std::unique_ptr<upstream::Connection>>& connections()
      const noexcept {
    return connections_;
  }

  /// Begins to run, on a thread of its own. What throws there ends the process.
  void start_thread();

  /// Runs on the caller's thread until `finish`.
  void run() { context_.run(); }

  /// Lets `run` return. Any thread.
  void finish();
  void join();

 private:
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  net::RealEnvironment environment_;
  std::vector<std::unique_ptr<upstream::Connection>> connections_;
  upstream::ClockWatch clock_watch_;
  std::thread thread_;
};

}  // namespace wskeep::daemon
