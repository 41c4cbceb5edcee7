#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json/fwd.hpp>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "config/difference.hpp"
#include "config/load.hpp"
#include "daemon/log.hpp"
#include "daemon/metrics.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/shard.hpp"
#include "daemon/state_keeper.hpp"
#include "daemon/watchdog.hpp"
#include "ipc/directory_watcher.hpp"
#include "ipc/event_stream.hpp"
#include "ipc/server.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::daemon {

/// Over all connections: what a local app may send at once.
[[nodiscard]] std::size_t largest_message(const config::Config& config);

/// The running daemon: shards with their connections, the local server on the first of them, and
/// the signals that end it or have it read its configuration anew.
class Process final : public ipc::Directory {
 public:
  /// Makes everything, and listens. `file` is where the configuration comes from, and will be read
  /// anew. Throws std::exception with a sentence for people.
  Process(config::Config config, std::filesystem::path file, Log& log);
  ~Process() override;

  /// Runs until SIGTERM or SIGINT and what follows from it; a second signal ends it at once. The
  /// exit code.
  [[nodiscard]] int run();

  /// `run` ended while connections were still busy. Their coroutines wait for what will not come
  /// and refer to one another: the process is to end without taking them apart.
  [[nodiscard]] bool forced() const noexcept { return forced_; }

 private:
  /// A connection of the configuration, with where it lives.
  struct Held {
    Shard::Handle connection;
    Shard* shard = nullptr;
    config::Access access{};  ///< who may use it
  };

  std::shared_ptr<ipc::Upstream> find(std::string_view name) override;
  std::vector<std::shared_ptr<ipc::Upstream>> all() override;
  std::shared_ptr<ipc::EventStream> events() override { return events_; }
  void watch(std::weak_ptr<ipc::DirectoryWatcher> watcher) override;
  void reload(ipc::ReloadRequest request, std::function<void(ipc::ReloadAnswer)> done) override;
  [[nodiscard]] ipc::Rights rights(const ipc::Client& client, std::string_view name) override;
  void status(const std::optional<ipc::Client>& viewer,
              std::function<void(std::string)> done) override;
  void metrics(const std::optional<ipc::Client>& viewer,
               std::function<void(std::string)> done) override;

  void begin_to_report();
  void report();
  void wait_for_signal();
  void stop(int signal);
  void start(const Held& held);
  void connection_ended();
  void end_by_force();
  [[nodiscard]] Shard& first() { return *shards_.front(); }
  /// Samples all connections, each on its shard, and gives the samples to `done` on the first.
  struct Samples {
    std::vector<ConnectionSample> connections;
    std::vector<HandshakeSample> handshakes;  ///< one per shard
  };
  void sample(std::function<void(Samples)> done);
  /// Leaves out what the viewer has no right to; nullopt: nothing.
  void leave_out(const std::optional<ipc::Client>& viewer, Samples& samples);
  [[nodiscard]] ProcessSample sample_process(const std::vector<HandshakeSample>& handshakes) const;

  void keep_order(const config::Config& config);
  void forget_connections();
  void tell_watchers(void (ipc::DirectoryWatcher::*what)());
  void tell_reload(const config::Difference& difference);
  /// What local apps take, for those who may control the daemon also by user.
  [[nodiscard]] boost::json::object describe_local(const std::optional<ipc::Client>& viewer) const;
  void note_socket(const ipc::SocketNotice& notice);

  // reload.cpp
  using Loaded = std::variant<config::Config, std::vector<config::Problem>>;
  struct Order {
    std::uint32_t uid;
    std::function<void(ipc::ReloadAnswer)> done;
  };
  using Made = std::map<std::string, Held, std::less<>>;
  boost::asio::awaitable<void> serve_orders();
  boost::asio::awaitable<ipc::ReloadAnswer> reload_now(std::uint32_t uid);
  boost::asio::awaitable<ipc::ReloadAnswer> foresee(std::optional<std::string> text);
  boost::asio::awaitable<Loaded> load(std::optional<std::string> text);
  boost::asio::awaitable<config::Config> running();
  /// All that is new, or nothing and a sentence.
  boost::asio::awaitable<std::string> make(const config::Config& wanted,
                                           const config::Difference& difference, Made& made);
  void apply(const config::Difference& difference, const config::Config& wanted, Made made);
  void apply_top(const config::Difference& difference, const config::Config& wanted);
  void apply_change(const config::ConnectionChange& change, const config::Connection& wanted,
                    const config::IpcLimits& limits, Made& made);
  void apply_access(const config::Config& wanted);
  void remove(const std::string& name);
  boost::asio::awaitable<void> visit_all_shards();
  void forget_others(const config::Config& wanted);
  void reload_failed(const std::string& summary, const std::vector<config::Problem>& problems);
  [[nodiscard]] Shard& emptiest_shard(const Made& made);

  config::Config config_;  ///< as it runs, without its connections, which have their own
  std::filesystem::path file_;
  Log& log_;
  ServiceManager manager_;
  net::TlsContexts contexts_;
  std::shared_ptr<upstream::ConnectBudgets> budgets_;
  std::shared_ptr<upstream::RememberedStore> remembered_;
  StateKeeper state_keeper_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::map<std::string, Held, std::less<>> connections_;  ///< of the first shard, as all below
  std::vector<Shard::Handle> in_order_;                   ///< of the configuration
  std::shared_ptr<ipc::EventStream> events_;
  std::vector<std::weak_ptr<ipc::DirectoryWatcher>> watchers_;
  ipc::AccessRules rules_;
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
  std::vector<Order> orders_;  ///< reloads that were asked for and have not begun
  bool reloading_ = false;
  std::size_t reading_ = 0;             ///< files that `reader_` is busy with
  std::string reload_failure_;          ///< of the last reload, for `systemctl status`
  boost::asio::thread_pool reader_{1};  ///< of the configuration; ends before all else
};

}  // namespace wskeep::daemon
