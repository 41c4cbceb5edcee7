#include "ipc/subscriber.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "ipc/channel.hpp"
#include "ipc/encoded_feed.hpp"
#include "ipc/event.hpp"
#include "ipc/plain_feed.hpp"
#include "websocket/close.hpp"
#include "websocket/frame_writer.hpp"

namespace wskeep::ipc {
namespace {

using websocket::CloseCode;
using websocket::Opcode;

constexpr std::size_t longest_id = 64;
/// Of answers that an app has not read: above, nothing more is read from it.
constexpr std::size_t most_own_unsent = std::size_t{64} << 10U;
/// Messages of one app on their way upstream whose outcome is to be told.
constexpr std::size_t most_under_way = 4096;

/// What is received is read at once or copied, so that one buffer serves all of a thread's
/// subscribers.
std::span<std::byte> receive_buffer() {
  thread_local std::array<std::byte, std::size_t{64} << 10U> buffer;
  return buffer;
}

std::unique_ptr<Feed> make_feed(Channel& channel, const Subscription& subscription,
                                ring::Sequence start) {
  if (!subscription.v1) return std::make_unique<PlainFeed>(channel.ring(), start);
  return std::make_unique<EncodedFeed>(channel.ring(), channel.batches(), Encoding::wskeep_v1,
                                       start, channel.events().next());
}

/// `wskeep.v1` is told of its gaps and goes on; a plain reader knows nothing of them, so the
/// configuration decides.
config::Gap gap_rule(const Channel& channel, const Subscription& subscription) {
  return subscription.gap.value_or(subscription.v1 ? config::Gap::skip : channel.options().gap);
}

bool is_valid_id(std::string_view id) {
  return !id.empty() && id.size() <= longest_id &&
         std::all_of(id.begin(), id.end(),
                     [](char letter) { return letter > ' ' && letter < 0x7F; });
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

Subscriber::Subscriber(Upstream& upstream, Descriptor descriptor, ClientSlot slot,
                       const Subscription& subscription)
    : Reader(upstream.channel(), std::move(descriptor), std::move(slot),
             make_feed(upstream.channel(), subscription,
                       find_start(upstream.channel().ring(), subscription)->sequence),
             gap_rule(upstream.channel(), subscription)),
      upstream_(upstream),
      v1_(subscription.v1),
      frames_({.role = websocket::Role::server,
               .max_message =
                   upstream.channel().options().shape.max_message + (v1_ ? longest_id + 1 : 0)}) {}

void Subscriber::start(Upstream& upstream, int socket, ClientSlot slot,
                       const Subscription& subscription, std::string_view response,
                       std::span<const std::byte> early_bytes) {
  Channel& channel = upstream.channel();
  const Start start = *find_start(channel.ring(), subscription);
  const std::shared_ptr<Subscriber> self(new Subscriber(
      upstream, Descriptor(upstream.executor(), socket), std::move(slot), subscription));
  const auto head = as_bytes(response);
  self->own().assign(head.begin(), head.end());
  if (self->v1_) {
    self->send_event(
        hello_event(upstream.name(), channel.ring(), start.sequence, upstream.state_name()));
  }
  channel.attach(self);
  if (start.other_epoch || start.lost_from != 0) {
    self->on_gap(start.lost_from, start.other_epoch ? start.sequence - 1 : start.lost_to);
  }
  self->deliver();
  std::vector<std::byte> early(early_bytes.begin(), early_bytes.end());
  self->take(early);
  self->want_to_read();
}

void Subscriber::on_drained() {
  want_to_read();
}

void Subscriber::on_gap(ring::Sequence from, ring::Sequence to) {
  if (v1_) send_event(gap_event(from, to));
  if (gap() == config::Gap::skip) return;
  const std::string reason = from == 0 ? "lost an unknown number of messages"
                                       : "lost " + std::to_string(to - from + 1) + " messages";
  send_close(static_cast<std::uint16_t>(CloseCode::try_again_later), reason);
}

void Subscriber::want_to_read() {
  if (reading_ || gone() || !unread_.empty() || own_unsent() > most_own_unsent) return;
  // The message that filled the buffer may have been the last that was received: nothing is unread.
  if (!upstream_.accepts_more() || under_way_.size() >= most_under_way) return;
  reading_ = true;
  descriptor().async_wait(Descriptor::wait_read,
                          [weak = weak_from_this()](const boost::system::error_code& error) {
                            const auto self = std::static_pointer_cast<Subscriber>(weak.lock());
                            if (!self || self->gone()) return;
                            self->reading_ = false;
                            if (error) return self->leave();
                            self->on_readable();
                            self->want_to_read();
                          });
}

void Subscriber::on_readable() {
  const auto buffer = receive_buffer();
  const ssize_t count =
      ::recv(descriptor().native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count > 0) {
    take(buffer.first(static_cast<std::size_t>(count)));
  } else if (count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
    leave();
  }
}

void Subscriber::take(std::span<std::byte> input) {
  const auto result = frames_.read(input, *this);
  upstream_.flush();
  if (gone()) return;
  if (result.violation) {
    send_close(static_cast<std::uint16_t>(result.violation->code), result.violation->reason);
  } else if (!result.stopped && result.consumed < input.size()) {
    const auto rest = input.subspan(result.consumed);
    unread_.assign(rest.begin(), rest.end());
  }
  deliver();
}

void Subscriber::publish_more() {
  if (gone() || !upstream_.accepts_more()) return;
  if (!unread_.empty()) {
    std::vector<std::byte> input;
    input.swap(unread_);
    take(input);
  }
  want_to_read();
}

bool Subscriber::on_message(Opcode opcode, std::span<std::byte> payload) {
  if (finishing()) return true;
  if (v1_) {
    publish_v1(opcode, payload);
  } else {
    publish_plain(opcode, payload);
  }
  return upstream_.accepts_more() && under_way_.size() < most_under_way;
}

void Subscriber::publish_plain(Opcode opcode, std::span<const std::byte> payload) {
  const auto rejection = upstream_.publish(opcode, payload, {}, 0);
  if (rejection)
    send_close(static_cast<std::uint16_t>(CloseCode::try_again_later), rejection->message);
}

void Subscriber::publish_v1(Opcode opcode, std::span<const std::byte> payload) {
  const std::string_view text = as_text(payload.first(std::min(payload.size(), longest_id + 1)));
  const std::string_view id = text.substr(0, text.find('\n'));
  if (id.size() == text.size() || !is_valid_id(id)) {
    return send_close(static_cast<std::uint16_t>(CloseCode::policy_violation),
                      "a message begins with an ID of 1 to 64 characters and a line end");
  }
  const std::uint64_t token = next_token_++;
  under_way_.emplace_back(token, id);
  const auto self = std::static_pointer_cast<Subscriber>(shared_from_this());
  const auto rejection = upstream_.publish(opcode, payload.subspan(id.size() + 1), self, token);
  if (rejection) answer(token, &*rejection);
}

void Subscriber::on_written(std::uint64_t token) {
  answer(token, nullptr);
  deliver();
  publish_more();
}

void Subscriber::on_unknown(std::uint64_t token, const Rejection& reason) {
  answer(token, &reason);
  deliver();
}

void Subscriber::answer(std::uint64_t token, const Rejection* rejection) {
  // Outcomes mostly come in the order of the messages, so the first is looked at first.
  const auto found = std::find_if(under_way_.begin(), under_way_.end(),
                                  [&](const auto& entry) { return entry.first == token; });
  if (found == under_way_.end() || gone()) return;
  send_event(rejection == nullptr ? sent_event(found->second)
                                  : failed_event(found->second, *rejection));
  under_way_.erase(found);
}

void Subscriber::on_control(Opcode opcode, std::span<const std::byte> payload) {
  if (opcode == Opcode::ping && !close_sent_) {
    websocket::append_frame(own(), Opcode::pong, payload, std::nullopt);
  } else if (opcode == Opcode::close) {
    if (close_sent_) return leave();  // it answers ours: all is said
    const auto received = websocket::parse_close(payload);
    const CloseCode code = received.violation ? received.violation->code : received.payload.code;
    send_close(static_cast<std::uint16_t>(code), "");
  }
}

void Subscriber::send_event(std::string_view json) {
  if (!close_sent_) websocket::append_frame(own(), Opcode::text, as_bytes(json), std::nullopt);
}

void Subscriber::send_close(std::uint16_t code, std::string_view reason) {
  if (close_sent_ || gone()) return;
  std::vector<std::byte> payload;
  websocket::append_close_payload(payload, CloseCode{code}, reason);
  websocket::append_frame(own(), Opcode::close, payload, std::nullopt);
  close_sent_ = true;
  finish();
}

void Subscriber::close(std::uint16_t code, const std::string& reason) {
  send_close(code, reason);
}

}  // namespace wskeep::ipc
