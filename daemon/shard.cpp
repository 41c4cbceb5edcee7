#include "daemon/shard.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace wskeep::daemon {

Shard::Shard(net::TlsContexts& contexts, std::uint32_t handshakes)
    : work_(boost::asio::make_work_guard(context_)),
      environment_(context_, contexts, {}, handshakes),
      runs_(std::make_shared<std::atomic<bool>>(true)),
      clock_watch_(environment_, [this](std::chrono::milliseconds ahead) {
        for (const auto& [address, connection] : connections_) connection->clock_jumped(ahead);
        if (clock_told_) clock_told_(ahead);
      }) {}

Shard::~Shard() {
  join();
}

Shard::Handle Shard::add(const config::Connection& settings, const config::IpcLimits& limits,
                         upstream::ConnectBudgets& budgets, Log& log) {
  auto made = std::make_unique<upstream::Connection>(environment_, settings, limits, budgets, log);
  upstream::Connection& connection = *made;
  connections_.emplace(&connection, std::move(made));
  if (remembered_ != nullptr) connection.keep_remembered(*remembered_);
  connection.tell(teller_);
  const auto release = [this, runs = runs_](upstream::Connection* handed_out) {
    if (*runs) boost::asio::post(context_, [this, handed_out] { released(*handed_out); });
  };
  return {&connection, release};
}

void Shard::start(upstream::Connection& connection, std::function<void()> done) {
  connection.start([this, &connection, done = std::move(done)] {
    ended(connection);
    done();
  });
}

void Shard::retire(upstream::Connection& connection, upstream::Connection::Farewell farewell,
                   std::function<void()> session_gone) {
  put_aside(connection);
  connection.retire(std::move(farewell), std::move(session_gone));
}

void Shard::discard(upstream::Connection& connection) {
  put_aside(connection).ended = true;
}

Shard::Retired& Shard::put_aside(upstream::Connection& connection) {
  const auto found = connections_.find(&connection);
  Retired& retired = retired_[&connection];
  retired.connection = std::move(found->second);
  connections_.erase(found);
  return retired;
}

void Shard::ended(upstream::Connection& connection) {
  const auto found = retired_.find(&connection);
  if (found == retired_.end()) return;
  found->second.ended = true;
  dissolve_when_free(found->second);
}

void Shard::released(upstream::Connection& connection) {
  const auto found = retired_.find(&connection);
  if (found == retired_.end()) return;
  found->second.released = true;
  dissolve_when_free(found->second);
}

/// Not at once: the connection may be in the middle of saying that it has ended.
void Shard::dissolve_when_free(const Retired& retired) {
  if (!retired.ended || !retired.released) return;
  boost::asio::post(context_, [this, connection = retired.connection.get()] {
    boost::asio::co_spawn(context_, dissolve(*connection), boost::asio::detached);
  });
}

/// Who had found the connection before it was retired may have begun to read it after that.
boost::asio::awaitable<void> Shard::dissolve(upstream::Connection& connection) {
  constexpr std::chrono::milliseconds look_again{20};
  boost::asio::steady_timer timer(context_);
  while (connection.channel().readers() > 0) {
    connection.close_late_readers();
    timer.expires_after(look_again);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
  retired_.erase(&connection);
}

void Shard::stop(std::chrono::milliseconds at_most) {
  for (const auto& [address, connection] : connections_) connection->stop(at_most);
  for (const auto& [address, retired] : retired_) {
    if (!retired.ended) retired.connection->stop(at_most);
  }
}

void Shard::watch_clock(std::function<void(std::chrono::milliseconds ahead)> told) {
  clock_told_ = std::move(told);
  clock_watch_.start();
}

void Shard::start_thread() {
  thread_ = std::thread([this] { run(); });
}

void Shard::finish() {
  *runs_ = false;
  work_.reset();
  context_.stop();
}

void Shard::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace wskeep::daemon
