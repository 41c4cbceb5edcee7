#include "daemon/process.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <stdexcept>

#include "daemon/version.hpp"
#include "ipc/event.hpp"

namespace wskeep::daemon {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

std::size_t largest_message(const config::Config& config) {
  std::size_t largest = 0;
  for (const config::Connection& connection : config.connections) {
    largest = std::max<std::size_t>(largest, connection.settings.max_message);
  }
  return largest;
}

}  // namespace

Process::Process(const config::Config& config, Log& log)
    : config_(config), log_(log), started_(std::chrono::system_clock::now()) {
  for (std::uint32_t index = 0; index < config_.threads; ++index) {
    shards_.push_back(std::make_unique<Shard>(contexts_));
  }
  for (const config::Connection& settings : config_.connections) {
    Shard& shard = *shards_[connections_.size() % shards_.size()];
    upstream::Connection& connection = shard.add(settings, config_.ipc.limits, log_);
    connections_.push_back(&connection);
    by_name_.emplace(settings.name, &connection);
  }
  server_ = std::make_unique<ipc::Server>(first().context().get_executor(), config_.ipc,
                                          config_.metrics, largest_message(config_), *this);
  server_->listen();
}

Process::~Process() {
  for (const auto& shard : shards_) shard->finish();
  for (const auto& shard : shards_) shard->join();
}

int Process::run() {
  // A client that has gone is seen as an error of the write, in every thread.
  std::signal(SIGPIPE, SIG_IGN);
  signals_ = std::make_unique<asio::signal_set>(first().context(), SIGTERM, SIGINT);
  wait_for_signal();
  running_ = connections_.size();
  for (upstream::Connection* connection : connections_) {
    asio::post(connection->executor(), [this, connection] {
      connection->start([this] { asio::post(first().context(), [this] { connection_ended(); }); });
    });
  }
  log_.write(Log::Level::info, "", "listening",
             {{"version", std::string(version)},
              {"socket", config_.ipc.socket},
              {"metrics", server_->metrics_address()},
              {"connections", std::to_string(connections_.size())},
              {"threads", std::to_string(shards_.size())}});
  for (std::size_t index = 1; index < shards_.size(); ++index) shards_[index]->start_thread();
  first().run();
  for (std::size_t index = 1; index < shards_.size(); ++index) {
    shards_[index]->finish();
    shards_[index]->join();
  }
  log_.write(Log::Level::info, "", "stopped", {{"exit_code", std::to_string(exit_code_)}});
  return exit_code_;
}

void Process::wait_for_signal() {
  signals_->async_wait([this](const boost::system::error_code& error, int signal) {
    if (error) return;
    stop(signal);
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
  server_->stop();
  for (upstream::Connection* connection : connections_) {
    asio::post(connection->executor(), [this, connection] { connection->stop(config_.shutdown); });
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
  if (--running_ == 0) first().finish();
}

ipc::Upstream* Process::find(std::string_view name) {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::vector<ipc::Upstream*> Process::all() {
  return {connections_.begin(), connections_.end()};
}

void Process::sample(std::function<void(std::vector<ConnectionSample>)> done) {
  struct Gathering {
    std::vector<ConnectionSample> samples;
    std::size_t shards_left = 0;
    std::function<void(std::vector<ConnectionSample>)> done;
  };
  const auto gathering = std::make_shared<Gathering>();
  gathering->shards_left = shards_.size();
  gathering->done = std::move(done);
  for (const auto& shard : shards_) {
    asio::post(shard->context(), [this, gathering, shard = shard.get()] {
      auto samples = std::make_shared<std::vector<ConnectionSample>>();
      for (const auto& connection : shard->connections())
        samples->push_back(sample_connection(*connection));
      asio::post(first().context(), [gathering, samples] {
        gathering->samples.insert(gathering->samples.end(), samples->begin(), samples->end());
        if (--gathering->shards_left == 0) gathering->done(std::move(gathering->samples));
      });
    });
  }
}

ProcessSample Process::sample_process() const {
  return {.clients = server_->clients(),
          .clients_limit = config_.ipc.limits.clients,
          .started = started_};
}

void Process::metrics(std::function<void(std::string)> done) {
  sample([this, done = std::move(done)](const std::vector<ConnectionSample>& samples) {
    done(write_metrics(samples, sample_process()));
  });
}

void Process::status(std::function<void(std::string)> done) {
  sample([this, done = std::move(done)](const std::vector<ConnectionSample>& samples) {
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
                                      {"clients", server_->clients()},
                                      {"clients_limit", config_.ipc.limits.clients},
                                      {"metrics_listen", server_->metrics_address()},
                                      {"connections", samples.size()},
                                      {"states", std::move(states)}}));
  });
}

}  // namespace wskeep::daemon
