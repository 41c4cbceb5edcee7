#pragma once

#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "daemon/log.hpp"
#include "daemon/metrics.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/shard.hpp"
#include "daemon/state_keeper.hpp"
#include "daemon/watchdog.hpp"
#include "ipc/server.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::daemon {

/// The running daemon: shards with their connections, the local server on the first of them, and
/// the signals that end it.
class Process final : public ipc::Directory {
 public:
  /// Makes everything, and listens. Throws std::exception with a sentence for people.
  Process(config::Config config, Log& log);
  ~Process() override;

  /// Runs until SIGTERM or SIGINT and what follows from it; a second signal ends it at once. The
  /// exit code.
  [[nodiscard]] int run();

  /// `run` ended while connections were still busy. Their coroutines wait for what will not come
  /// and refer to one another: the process is to end without taking them apart.
  [[nodiscard]] bool forced() const noexcept { return forced_; }

 private:
  ipc::Upstream* find(std::string_view name) override;
  std::vector<ipc::Upstream*> all() override;
  void status(std::function<void(std::string)> done) override;
  void metrics(std::function<void(std::string)> done) override;

  void begin_to_report();
  void report();
  void wait_for_signal();
  void stop(int signal);
  void connection_ended();
  void end_by_force();
  [[nodiscard]] Shard& first() { return *shards_.front(); }
  /// Samples all connections, each on its shard, and gives the samples to `done` on the first.
  struct Samples {
    std::vector<ConnectionSample> connections;
    std::vector<HandshakeSample> handshakes;  ///< one per shard
  };
  void sample(std::function<void(Samples)> done);
  [[nodiscard]] ProcessSample sample_process(const std::vector<HandshakeSample>& handshakes) const;

  config::Config config_;  ///< without its connections, which have their own
  Log& log_;
  ServiceManager manager_;
  net::TlsContexts contexts_;
  std::shared_ptr<upstream::ConnectBudgets> budgets_;
  StateKeeper state_keeper_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<upstream::Connection*> connections_;  ///< in the order of the file
  std::map<std::string, upstream::Connection*, std::less<>> by_name_;
  std::unique_ptr<ipc::Server> server_;
  std::unique_ptr<boost::asio::signal_set> signals_;
  std::unique_ptr<boost::asio::steady_timer> shutdown_timer_;
  std::unique_ptr<boost::asio::steady_timer>
      report_timer_;  ///< `systemctl status` from time to time
  std::unique_ptr<Watchdog> watchdog_;
  WallTime started_;
  std::size_t running_ = 0;  ///< connections that have not ended; the first shard's
  bool stopping_ = false;
  bool forced_ = false;
  int exit_code_ = 0;
};

}  // namespace wskeep::daemon
