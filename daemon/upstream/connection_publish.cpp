// What local apps send: the parts of Connection that take it, for now or for later.

#include <memory>
#include <string>
#include <utility>

#include "daemon/upstream/connection.hpp"

namespace wskeep::upstream {

std::optional<ipc::Rejection> Connection::publish(websocket::Opcode opcode,
                                                  std::span<const std::byte> payload,
                                                  std::weak_ptr<ipc::PublishObserver> observer,
                                                  std::uint64_t token) {
  std::optional<ipc::Rejection> rejection;
  const bool takes = session_ && session_->takes_messages();
  const bool waits = settings_.settings.outbox.ttl.count() > 0 || (outbox_ && !outbox_->empty());
  if (waits && !stopping_ && (!takes || (outbox_ && !outbox_->empty()))) {
    if (!outbox_) {
      outbox_ = std::make_unique<Outbox>(environment_, settings_.settings.outbox, statistics_);
    }
    if (payload.size() > settings_.settings.max_message) {
      rejection = ipc::Rejection{"too_large", "the message is larger than max_message"};
    } else {
      rejection = outbox_->add(opcode, payload, std::move(observer), token);
    }
  } else if (session_) {
    // Who gives no number wants to know only of what was never sent.
    if (token == 0) observer.reset();
    rejection = session_->publish(opcode, payload, std::move(observer), token);
  } else {
    rejection = ipc::Rejection{"not_connected",
                               "upstream is not connected (" + std::string(state_name()) + ")"};
  }
  if (rejection) ++statistics_.rejected_messages;
  return rejection;
}

/// What waited goes first.
void Connection::send_waiting() {
  if (!outbox_ || outbox_->empty()) return;
  while (!outbox_->empty() && session_->takes_messages() && session_->accepts_more()) {
    Outbox::Message message = outbox_->take();
    const auto observer = message.observer.lock();
    if (message.token == 0) message.observer.reset();
    const auto rejection = session_->publish(message.opcode, message.payload,
                                             std::move(message.observer), message.token);
    if (!rejection) continue;
    ++statistics_.rejected_messages;
    if (observer) observer->on_failed(message.token, *rejection);
  }
  session_->flush();
}

std::optional<ipc::Rejection> Connection::publish_part(
    ipc::MessagePart part, std::span<const std::byte> payload,
    const std::shared_ptr<ipc::PublishObserver>& publisher, std::uint64_t token) {
  std::optional<ipc::Rejection> rejection;
  if (session_) {
    rejection = session_->publish_part(part, payload, publisher, token);
  } else {
    rejection = ipc::Rejection{"not_connected",
                               "upstream is not connected (" + std::string(state_name()) + ")"};
  }
  if (rejection) ++statistics_.rejected_messages;
  return rejection;
}

void Connection::abandon_message(const ipc::PublishObserver& publisher) {
  if (session_) session_->abandon_message(publisher);
}

void Connection::flush() {
  if (session_) session_->flush();
}

bool Connection::accepts_more() const noexcept {
  if (!session_ || !session_->takes_messages()) return true;
  return session_->accepts_more() && (!outbox_ || outbox_->empty());
}

bool Connection::accepts_parts() const noexcept {
  return !session_ || !session_->open() || session_->accepts_parts();
}

}  // namespace wskeep::upstream
