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
               std::function<void(std::shared_ptr<ipc::LongText>)> done) override;

  /// Connections that a shard is busy with before it goes on with its own work, where there are
  /// many to look at or to change.
  static constexpr std::size_t in_one_go = 64;

  void begin_to_report();
  void wait_for_signal();
  void stop(int signal);
  void start(const Held& held);
  void begin(const Held& held);
  void connection_ended();
  [[nodiscard]] Shard::Handle make_connection(Shard& shard, const config::Connection& settings);
  void say_farewell(Clock::time_point since, std::chrono::milliseconds at_most);
  void end_by_force();
  [[nodiscard]] Shard& first() { return *shards_.front(); }
  void keep_order(const config::Config& config);
  void forget_connections();
  void give_back_memory();
  void tell_watchers(void (ipc::DirectoryWatcher::*what)());
  void note_socket(const ipc::SocketNotice& notice);
  void watch_clocks();
  void note_refusal(ipc::Refusal refusal, std::optional<std::uint32_t> uid);

  // status.cpp: what the daemon says of itself
  using Viewer = std::optional<ipc::Client>;  ///< nullopt: one who sees everything
  struct Scrape {
    Viewer viewer;
    std::function<void(std::shared_ptr<ipc::LongText>)> done;
  };
  void report();
  boost::asio::awaitable<void> report_now();
  boost::asio::awaitable<void> serve_scrapes();
  boost::asio::awaitable<std::shared_ptr<const MetricsSample>> take_sample(Viewer viewer);
  [[nodiscard]] ProcessSample sample_process() const;
  using Look = std::function<void(const upstream::Connection&)>;
  /// Shows those connections to `look` that the viewer may see, each on its shard and those of one
  /// shard together.
  boost::asio::awaitable<void> visit(Viewer viewer, Look look);
  boost::asio::awaitable<std::string> describe_status(Viewer viewer);
  using StateCounts = std::map<upstream::State, std::size_t>;
  [[nodiscard]] std::string status_text(const Viewer& viewer, const StateCounts& counts) const;
  /// What local apps take, for those who may control the daemon also by user.
  [[nodiscard]] boost::json::object describe_local(const Viewer& viewer) const;

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
  boost::asio::awaitable<Loaded> load(std::optional<std::string> text,
                                      std::vector<config::Problem>& warnings);
  boost::asio::awaitable<config::Config> running();
  boost::asio::awaitable<config::Difference> difference_to(const config::Config& wanted);
  void place(const std::vector<std::string>& added, Made& made);
  /// All that is new, or nothing and a sentence.
  boost::asio::awaitable<std::string> make(const config::Config& wanted,
                                           const config::Difference& difference, Made& made);
  /// What a shard is to do about one connection. It refers to the configuration and the difference
  /// that it was made of.
  struct Deed {
    Shard* shard;
    std::function<void()> what;
    bool starts = false;  ///< a connection, which will end
  };
  using Deeds = std::vector<Deed>;
  [[nodiscard]] Deeds apply(const config::Difference& difference, config::Config& wanted,
                            Made made);
  [[nodiscard]] Deeds apply_top(const config::Difference& difference, const config::Config& wanted);
  [[nodiscard]] Deed changed(const config::ConnectionChange& change,
                             const config::Connection& wanted, const config::IpcLimits& limits,
                             Made& made);
  void take_top(config::Config& wanted);
  void apply_access(const config::Config& wanted, Deeds& deeds);
  [[nodiscard]] Deed remove(const std::string& name);
  void tell_reload(const config::Difference& difference, Deeds& deeds);
  boost::asio::awaitable<void> carry_out(Deeds deeds);
  boost::asio::awaitable<void> visit_all_shards();
  void forget_others(const config::Config& wanted);
  void reload_failed(const std::string& summary, const std::vector<config::Problem>& problems);

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
  std::unique_ptr<boost::asio::steady_timer> farewell_timer_;
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
  std::size_t reading_ = 0;  ///< files that `reader_` is busy with
  std::string reload_note_;  ///< what is to be known of the last reload, for `systemctl status`
  ReloadSample reloads_;
  std::vector<Scrape> scrapes_;  ///< of /metrics, that wait for their sample
  bool sampling_ = false;
  std::weak_ptr<const MetricsSample> newest_sample_;  ///< of all connections
  TimePoint sampled_at_;
  boost::asio::thread_pool reader_{1};  ///< of the configuration; ends before all else
  boost::asio::thread_pool writer_{1};  ///< of the text of /metrics; likewise
};

}  // namespace wskeep::daemon
