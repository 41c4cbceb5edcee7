#include "daemon/process.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <random>
#include <stdexcept>
#include <utility>

#include "daemon/state_file.hpp"
#include "daemon/version.hpp"
#include "ipc/event.hpp"
#include "ipc/merged_stream.hpp"

namespace wskeep::daemon {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

ipc::Server::Extent extent_of(const config::Config& config) {
  return {config.connections.size(), largest_message(config)};
}

std::uint64_t random_epoch() {
  std::random_device random;
  return (std::uint64_t{random()} << 32U) | random();
}

/// What a slow disk has at the end to take the last of the state.
constexpr std::chrono::milliseconds state_time{1'000};
/// How old the line of `systemctl status` may be.
constexpr std::chrono::seconds report_interval{5};

}  // namespace

std::size_t largest_message(const config::Config& config) {
  std::size_t largest = 0;
  for (const config::Connection& connection : config.connections) {
    largest = std::max<std::size_t>(largest, connection.settings.max_message);
  }
  return largest;
}

Process::Process(config::Config config, std::filesystem::path file, Log& log)
    : config_(std::move(config)),
      file_(std::move(file)),
      log_(log),
      budgets_(std::make_shared<upstream::ConnectBudgets>(config_.connects)),
      remembered_(std::make_shared<upstream::RememberedStore>()),
      state_keeper_(state_directory(config_.state_directory), budgets_, log_, remembered_),
      rules_(config_.ipc, ::geteuid()),
      started_(std::chrono::system_clock::now()) {
  for (std::uint32_t index = 0; index < config_.threads; ++index) {
    shards_.push_back(std::make_unique<Shard>(contexts_, config_.connects.handshakes));
    shards_.back()->watch_clock();
    shards_.back()->keep_remembered(*remembered_);
  }
  forget_others(config_);
  events_ = std::make_shared<ipc::EventStream>(first().context().get_executor(),
                                               config_.ipc.limits.events, random_epoch());
  for (const auto& shard : shards_) {
    shard->tell([this](std::string_view event, json::object details) {
      asio::post(first().context(),
                 [this, kind = std::string(event), time = std::chrono::system_clock::now(),
                  told = std::move(details)] { events_->tell(kind, time, told); });
    });
  }
  for (const config::Connection& settings : config_.connections) {
    Shard& shard = *shards_[connections_.size() % shards_.size()];
    connections_.emplace(settings.name,
                         Held{shard.add(settings, config_.ipc.limits, *budgets_, log_), &shard,
                              settings.settings.access});
  }
  server_ = std::make_unique<ipc::Server>(first().context().get_executor(), config_.ipc,
                                          config_.metrics, extent_of(config_), *this);
  server_->on_notice([this](const ipc::SocketNotice& notice) { note_socket(notice); });
  keep_order(config_);
  forget_connections();
  server_->listen(manager_.take_listeners());
}

Process::~Process() {
  for (const auto& shard : shards_) shard->finish();
  for (const auto& shard : shards_) shard->join();
}

int Process::run() {
  // A client that has gone is seen as an error of the write, in every thread.
  std::signal(SIGPIPE, SIG_IGN);
  // Where whoever started us ignores it, the kernel would not tell how programs ended that we run.
  std::signal(SIGCHLD, SIG_DFL);
  signals_ = std::make_unique<asio::signal_set>(first().context(), SIGTERM, SIGINT, SIGHUP);
  wait_for_signal();
  for (const auto& [name, held] : connections_) start(held);
  log_.write(Log::Level::info, "", "listening",
             {{"version", std::string(version)},
              {"socket", config_.ipc.socket},
              {"metrics", server_->metrics_address()},
              {"connections", std::to_string(connections_.size())},
              {"threads", std::to_string(shards_.size())}});
  for (std::size_t index = 1; index < shards_.size(); ++index) shards_[index]->start_thread();
  begin_to_report();
  first().run();
  for (std::size_t index = 1; index < shards_.size(); ++index) {
    shards_[index]->finish();
    shards_[index]->join();
  }
  state_keeper_.finish(state_time);
  // A file system that hangs is not waited for.
  if (reading_ > 0) forced_ = true;
  log_.write(Log::Level::info, "", "stopped", {{"exit_code", std::to_string(exit_code_)}});
  return exit_code_;
}

/// On the first shard, or before it runs.
void Process::start(const Held& held) {
  ++running_;
  asio::post(held.shard->context(), [this, held] {
    held.shard->start(*held.connection,
                      [this] { asio::post(first().context(), [this] { connection_ended(); }); });
  });
}

void Process::begin_to_report() {
  manager_.ready("listening at " + config_.ipc.socket);
  report_timer_ = std::make_unique<asio::steady_timer>(first().context());
  report();
  if (!manager_.watchdog()) return;
  std::vector<asio::any_io_executor> loops;
  for (const auto& shard : shards_) loops.emplace_back(shard->context().get_executor());
  watchdog_ = std::make_unique<Watchdog>(std::move(loops), *manager_.watchdog(),
                                         [this] { manager_.alive(); });
  watchdog_->start();
}

void Process::report() {
  if (!manager_.listens()) return;
  sample([this](const Samples& samples) {
    const auto ready =
        std::ranges::count(samples.connections, upstream::State::ready, &ConnectionSample::state);
    if (!stopping_) {
      manager_.status(std::to_string(ready) + " of " + std::to_string(samples.connections.size()) +
                      " connections ready, " + std::to_string(server_->accounts().total().clients) +
                      " local clients" + reload_failure_);
    }
  });
  report_timer_->expires_after(report_interval);
  report_timer_->async_wait([this](const boost::system::error_code& error) {
    if (!error) report();
  });
}

void Process::wait_for_signal() {
  signals_->async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal == SIGHUP) {
      reload({.uid = ::geteuid()}, [](const ipc::ReloadAnswer&) {});
    } else {
      stop(signal);
    }
    wait_for_signal();
  });
}

void Process::stop(int signal) {
  if (stopping_) {
    log_.write(Log::Level::warning, "", "stopping_at_once", {{"signal", std::to_string(signal)}});
    exit_code_ = 128 + signal;
    return end_by_force();
  }
  stopping_ = true;
  log_.write(Log::Level::info, "", "stopping", {{"signal", std::to_string(signal)}});
  manager_.stopping("stopping");
  report_timer_->cancel();
  server_->stop();
  events_->tell("stopping", std::chrono::system_clock::now(), {});
  events_->channel().close_all(static_cast<std::uint16_t>(websocket::CloseCode::going_away),
                               "wskeepd is stopping");
  tell_watchers(&ipc::DirectoryWatcher::daemon_stops);
  for (const auto& shard : shards_) {
    asio::post(shard->context(),
               [shard = shard.get(), at_most = config_.shutdown] { shard->stop(at_most); });
  }
  shutdown_timer_ = std::make_unique<asio::steady_timer>(first().context(), config_.shutdown);
  shutdown_timer_->async_wait([this](const boost::system::error_code& error) {
    if (error) return;
    log_.write(Log::Level::warning, "", "shutdown_timeout",
               {{"connections", std::to_string(running_)}});
    end_by_force();
  });
  if (running_ == 0) first().finish();
}

void Process::end_by_force() {
  forced_ = true;
  first().finish();
}

void Process::connection_ended() {
  if (--running_ == 0 && stopping_) first().finish();
}

std::shared_ptr<ipc::Upstream> Process::find(std::string_view name) {
  const auto found = connections_.find(name);
  return found == connections_.end() ? nullptr : found->second.connection;
}

std::vector<std::shared_ptr<ipc::Upstream>> Process::all() {
  return {in_order_.begin(), in_order_.end()};
}

void Process::watch(std::weak_ptr<ipc::DirectoryWatcher> watcher) {
  std::erase_if(watchers_, [](const auto& weak) { return weak.expired(); });
  watchers_.push_back(std::move(watcher));
}

void Process::tell_watchers(void (ipc::DirectoryWatcher::*what)()) {
  for (const auto& weak : std::vector(watchers_)) {
    if (const auto watcher = weak.lock()) (*watcher.*what)();
  }
}

/// Kept twice, the settings would be a tenth of what an idle connection costs. A vector that is
/// only emptied keeps its memory.
void Process::forget_connections() {
  std::vector<config::Connection>().swap(config_.connections);
}

void Process::keep_order(const config::Config& config) {
  in_order_.clear();
  in_order_.reserve(config.connections.size());
  for (const config::Connection& settings : config.connections)
    in_order_.push_back(connections_.at(settings.name).connection);
}

void Process::sample(std::function<void(Samples)> done) {
  struct Gathering {
    Samples samples;
    std::size_t shards_left = 0;
    std::function<void(Samples)> done;
  };
  const auto gathering = std::make_shared<Gathering>();
  gathering->shards_left = shards_.size();
  gathering->done = std::move(done);
  for (const auto& shard : shards_) {
    asio::post(shard->context(), [this, gathering, shard = shard.get()] {
      auto samples = std::make_shared<std::vector<ConnectionSample>>();
      for (const auto& connection : shard->connections())
        samples->push_back(sample_connection(*connection));
      const net::HandshakeLimit& limit = shard->environment().handshakes();
      const HandshakeSample handshakes{limit.under_way(), limit.waiting()};
      asio::post(first().context(), [gathering, samples, handshakes] {
        auto& all = gathering->samples;
        all.connections.insert(all.connections.end(), samples->begin(), samples->end());
        all.handshakes.push_back(handshakes);
        if (--gathering->shards_left == 0) gathering->done(std::move(all));
      });
    });
  }
}

ProcessSample Process::sample_process(const std::vector<HandshakeSample>& handshakes) const {
  const ipc::Accounts& accounts = server_->accounts();
  ProcessSample sample{.started = started_};
  sample.local = {.use = accounts.total(),
                  .limits = accounts.limits(),
                  .users = accounts.users(),
                  .refusals = accounts.refusals(),
                  .descriptors = server_->descriptors(),
                  .sockets = server_->sockets()};
  for (const HandshakeSample& shard : handshakes) {
    sample.handshakes.under_way += shard.under_way;
    sample.handshakes.waiting += shard.waiting;
  }
  sample.handshakes_limit = config_.connects.handshakes * handshakes.size();
  sample.merged_readers = ipc::MergedStream::count();
  sample.event_readers = events_->channel().readers();
  sample.events = events_->channel().ring().next() - 1;
  sample.log_dropped = log_.dropped();
  sample.state_write_failures = state_keeper_.failures();
  for (const std::string& host : budgets_->named_hosts())
    sample.host_budgets.emplace_back(host, budgets_->use_of_host(host, Clock::now()));
  return sample;
}

ipc::Rights Process::rights(const ipc::Client& client, std::string_view name) {
  const auto found = connections_.find(name);
  return rules_.rights(client,
                       found == connections_.end() ? config::Access{} : found->second.access);
}

void Process::leave_out(const std::optional<ipc::Client>& viewer, Samples& samples) {
  if (!viewer) return;
  std::erase_if(samples.connections, [&](const ConnectionSample& sample) {
    return rights(*viewer, sample.name).none();
  });
}

json::object Process::describe_local(const std::optional<ipc::Client>& viewer) const {
  const ipc::Accounts& accounts = server_->accounts();
  const auto use_of = [](const ipc::Accounts::Use& use) {
    return json::object{{"clients", use.clients},
                        {"subscriptions", use.subscriptions},
                        {"in_flight_bytes", use.in_flight}};
  };
  const ipc::Accounts::Limits limits = accounts.limits();
  const ipc::Server::Descriptors descriptors = server_->descriptors();
  json::object local = use_of(accounts.total());
  local["limits"] = json::object{{"clients", limits.clients},
                                 {"clients_per_user", limits.clients_per_user},
                                 {"subscriptions", limits.subscriptions},
                                 {"subscriptions_per_user", limits.subscriptions_per_user},
                                 {"in_flight_bytes", limits.in_flight},
                                 {"descriptors", descriptors.limit},
                                 {"descriptors_reserved", descriptors.reserved}};
  json::object refused;
  const auto refusals = accounts.refusals();
  for (const ipc::Refusal refusal : ipc::all_refusals)
    refused[ipc::refusal_name(refusal)] = refusals[static_cast<std::size_t>(refusal)];
  local["refused"] = std::move(refused);
  // Of others, only those are told who could see them anyway.
  const bool all = !viewer || rules_.rights(*viewer, {}).has(ipc::Right::control);
  json::array users;
  for (const auto& [uid, use] : accounts.users()) {
    if (!all && uid != viewer->peer.uid) continue;
    json::object user = use_of(use);
    user["uid"] = uid;
    users.push_back(std::move(user));
  }
  local["users"] = std::move(users);
  json::array sockets;
  for (const ipc::SocketStatus& socket : server_->sockets()) {
    sockets.push_back(json::object{{"path", socket.path},
                                   {"file", ipc::condition_name(socket.condition)},
                                   {"handed_over", socket.handed_over},
                                   {"renewed", socket.renewed}});
  }
  local["sockets"] = std::move(sockets);
  return local;
}

void Process::note_socket(const ipc::SocketNotice& notice) {
  using What = ipc::SocketNotice::What;
  const auto write = [&](Log::Level level, std::string_view event, const std::string& message) {
    log_.write(level, "", event, {{"socket", notice.path}, {"message", message}});
  };
  switch (notice.what) {
    case What::renewed:
      return write(Log::Level::warning, "socket_renewed",
                   "its file was removed, and was made anew");
    case What::not_renewed:
      return write(Log::Level::error, "socket_removed", notice.error);
    case What::replaced:
      return write(Log::Level::error, "socket_replaced",
                   "something else is in its place, and is left there: remove it, and the socket "
                   "is made anew");
    case What::restored:
      return write(Log::Level::info, "socket_restored", "its file is there again");
  }
}

void Process::metrics(const std::optional<ipc::Client>& viewer,
                      std::function<void(std::string)> done) {
  sample([this, viewer, done = std::move(done)](Samples samples) {
    leave_out(viewer, samples);
    done(write_metrics(samples.connections, sample_process(samples.handshakes)));
  });
}

void Process::status(const std::optional<ipc::Client>& viewer,
                     std::function<void(std::string)> done) {
  sample([this, viewer, done = std::move(done)](Samples gathered) {
    leave_out(viewer, gathered);
    const auto& samples = gathered.connections;
    json::object states;
    for (const upstream::State state : upstream::all_states)
      states[upstream::state_name(state)] = 0;
    for (const ConnectionSample& sample : samples) {
      json::value& count = states[upstream::state_name(sample.state)];
      count = count.as_int64() + 1;
    }
    done(json::serialize(json::object{{"version", version},
                                      {"pid", ::getpid()},
                                      {"started", ipc::time_text(started_)},
                                      {"shards", shards_.size()},
                                      {"clients", server_->accounts().total().clients},
                                      {"clients_limit", config_.ipc.limits.clients},
                                      {"local", describe_local(viewer)},
                                      {"metrics_listen", server_->metrics_address()},
                                      {"connections", samples.size()},
                                      {"states", std::move(states)}}));
  });
}

}  // namespace wskeep::daemon
