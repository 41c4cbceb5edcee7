#include "daemon/shard.hpp"

namespace wskeep::daemon {

Shard::Shard(net::TlsContexts& contexts)
    : work_(boost::asio::make_work_guard(context_)), environment_(context_, contexts) {}

Shard::~Shard() {
  join();
}

upstream::Connection& Shard::add(const config::Connection& settings,
                                 const config::IpcLimits& limits, Log& log) {
  return *connections_.emplace_back(
      std::make_unique<upstream::Connection>(environment_, settings, limits, log));
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
