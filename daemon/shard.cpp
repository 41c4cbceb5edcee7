#include "daemon/shard.hpp"

namespace wskeep::daemon {

Shard::Shard(net::TlsContexts& contexts, std::uint32_t handshakes)
    : work_(boost::asio::make_work_guard(context_)),
      environment_(context_, contexts, {}, handshakes),
      clock_watch_(environment_, [this](std::chrono::milliseconds ahead) {
        for (const auto& connection : connections_) connection->clock_jumped(ahead);
      }) {}

Shard::~Shard() {
  join();
}

upstream::Connection& Shard::add(const config::Connection& settings,
                                 const config::IpcLimits& limits, upstream::ConnectBudgets& budgets,
                                 Log& log) {
  return *connections_.emplace_back(
      std::make_unique<upstream::Connection>(environment_, settings, limits, budgets, log));
}

void Shard::watch_clock() {
  clock_watch_.start();
}

void Shard::start_thread() {
  thread_ = std::thread([this] { run(); });
}

void Shard::finish() {
  work_.reset();
  context_.stop();
}

void Shard::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace wskeep::daemon
