#include "daemon/process.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <random>
#include <stdexcept>
#include <system_error>
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
      started_(std::chrono::system_clock::now()),
      reloads_({.taken = started_}) {
  for (std::uint32_t index = 0; index < config_.threads; ++index) {
    shards_.push_back(std::make_unique<Shard>(contexts_, config_.connects.handshakes));
    shards_.back()->keep_remembered(*remembered_);
  }
  watch_clocks();
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
                         Held{make_connection(shard, settings), &shard, settings.settings.access});
  }
  server_ = std::make_unique<ipc::Server>(first().context().get_executor(), config_.ipc,
                                          config_.metrics, extent_of(config_), *this);
  server_->on_notice([this](const ipc::SocketNotice& notice) { note_socket(notice); });
  server_->on_refusal([this](ipc::Refusal refusal, std::optional<std::uint32_t> uid) {
    note_refusal(refusal, uid);
  });
  keep_order(config_);
  forget_connections();
  server_->listen(manager_.take_listeners());
}

Shard::Handle Process::make_connection(Shard& shard, const config::Connection& settings) {
  try {
    return shard.add(settings, config_.ipc.limits, *budgets_, log_);
  } catch (const std::system_error& error) {
    throw std::runtime_error("no memory for the connection " + settings.name +
                             " and its history: " + error.what() +
                             "; give it a smaller history, or the process more memory");
  }
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
  give_back_memory();
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
  asio::post(held.shard->context(), [this, held] { begin(held); });
}

/// On its shard; it is counted as running already.
void Process::begin(const Held& held) {
  held.shard->start(*held.connection,
                    [this] { asio::post(first().context(), [this] { connection_ended(); }); });
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
  farewell_timer_ = std::make_unique<asio::steady_timer>(first().context());
  say_farewell(Clock::now(), config_.shutdown);
}

/// Who reads the events, or all connections, is given what there is, like the readers of each
/// connection; with the last of them it ends.
void Process::say_farewell(Clock::time_point since, std::chrono::milliseconds at_most) {
  constexpr std::chrono::milliseconds look_again{20};
  constexpr auto code = static_cast<std::uint16_t>(websocket::CloseCode::going_away);
  const auto passed = Clock::now() - since;
  ipc::Channel& events = events_->channel();
  if (passed < at_most * 3 / 4) {
    events.close_caught_up(code, "wskeepd is stopping");
  } else {
    events.close_all(code, "wskeepd is stopping");
  }
  const bool read = events.readers() == 0 && ipc::MergedStream::count() == 0;
  if (running_ == 0 && (read || passed > at_most * 9 / 10)) return first().finish();
  farewell_timer_->expires_after(look_again);
  // Cancelled, it is to look at once.
  farewell_timer_->async_wait([this, since, at_most](const boost::system::error_code& /*error*/) {
    say_farewell(since, at_most);
  });
}

void Process::end_by_force() {
  forced_ = true;
  first().finish();
}

void Process::connection_ended() {
  if (--running_ == 0 && stopping_) farewell_timer_->cancel();
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

ipc::Rights Process::rights(const ipc::Client& client, std::string_view name) {
  const auto found = connections_.find(name);
  return rules_.rights(client,
                       found == connections_.end() ? config::Access{} : found->second.access);
}

/// One shard says it for all.
void Process::watch_clocks() {
  for (const auto& shard : shards_) {
    if (shard != shards_.front()) shard->watch_clock();
  }
  first().watch_clock([this](std::chrono::milliseconds ahead) {
    log_.write(Log::Level::info, "", "clock_jumped",
               {{"ahead", std::to_string(ahead.count()) + "ms"},
                {"message",
                 "the wall clock was set, or the machine was asleep: sessions are asked "
                 "for a sign of life where they may have died of it"}});
  });
}

/// On any thread.
void Process::note_refusal(ipc::Refusal refusal, std::optional<std::uint32_t> uid) {
  if (!log_.writes(Log::Level::warning)) return;
  log_.write(Log::Level::warning, "", "client_refused",
             {{"limit", std::string(ipc::refusal_name(refusal))},
              {"uid", uid ? std::to_string(*uid) : ""},
              {"message", std::string(ipc::refusal_text(refusal))}});
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

}  // namespace wskeep::daemon
