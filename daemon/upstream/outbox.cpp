#include "daemon/upstream/outbox.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <iterator>
#include <utility>

namespace wskeep::upstream {

namespace asio = boost::asio;

Outbox::Outbox(daemon::Environment& environment, const config::Outbox& settings,
               Statistics& statistics)
    : environment_(environment),
      settings_(settings),
      statistics_(statistics),
      alarm_(environment.make_alarm()),
      ended_(environment.make_alarm()) {}

Outbox::~Outbox() = default;

std::optional<ipc::Rejection> Outbox::add(websocket::Opcode opcode,
                                          std::span<const std::byte> payload,
                                          std::weak_ptr<ipc::PublishObserver> observer,
                                          std::uint64_t token) {
  if (waiting_.size() >= settings_.messages || payload.size() > settings_.bytes ||
      bytes_ > settings_.bytes - payload.size()) {
    return ipc::Rejection{"outbox_full",
                          "upstream is not connected, and as much waits for it as may (outbox)"};
  }
  bytes_ += payload.size();
  const auto told = observer.lock();
  waiting_.push_back(
      {opcode, {payload.begin(), payload.end()}, std::move(observer), token, environment_.now()});
  if (told) told->on_queued(token);
  if (!std::exchange(watching_, true)) {
    asio::co_spawn(environment_.executor(), watch(), [this](const std::exception_ptr& error) {
      if (error) std::rethrow_exception(error);
      watching_ = false;
      ended_->wake();
    });
  }
  return std::nullopt;
}

Outbox::Message Outbox::take() {
  Message message = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= message.payload.size();
  if (waiting_.empty()) alarm_->wake();
  return message;
}

asio::awaitable<void> Outbox::watch() {
  while (!waiting_.empty()) {
    co_await alarm_->wait_until(waiting_.front().since + settings_.ttl);
    expire();
  }
}

/// All wait equally long, so that the oldest goes first.
void Outbox::expire() {
  const daemon::TimePoint now = environment_.now();
  const auto fresh = std::ranges::find_if(
      waiting_, [&](const Message& message) { return now - message.since < settings_.ttl; });
  const auto count = static_cast<std::size_t>(std::distance(waiting_.begin(), fresh));
  statistics_.outbox_expired += count;
  give_up(count, {"expired", "upstream was not connected for outbox.ttl"});
}

void Outbox::give_up(std::size_t count, const ipc::Rejection& reason) {
  std::vector<Message> given_up;
  while (given_up.size() < count) given_up.push_back(take());
  for (const Message& message : given_up) {
    if (const auto observer = message.observer.lock()) observer->on_failed(message.token, reason);
  }
}

asio::awaitable<void> Outbox::end(ipc::Rejection reason) {
  give_up(waiting_.size(), reason);
  alarm_->wake();
  while (watching_) co_await ended_->wait_until(daemon::TimePoint::max());
}

}  // namespace wskeep::upstream
