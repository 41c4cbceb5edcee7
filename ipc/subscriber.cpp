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
constexpr std::string_view bad_id =
    "a message begins with an ID of 1 to 64 characters and a line end";
constexpr std::string_view may_not_publish = "you may not publish to this connection";
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

/// Who wants all messages as they are is sent the ring itself; for others what they want is put
/// together once.
std::unique_ptr<Feed> make_feed(Channel& channel, const Subscription& subscription,
                                std::shared_ptr<BatchMaker> batches, ring::Sequence start) {
  if (!subscription.v1 && batches == channel.batches())
    return std::make_unique<PlainFeed>(channel.ring(), start);
  return std::make_unique<EncodedFeed>(channel.ring(), std::move(batches),
                                       subscription.v1 ? Encoding::wskeep_v1 : Encoding::frames,
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
                       const Subscription& subscription, std::shared_ptr<BatchMaker> batches)
    : Reader(upstream.channel(), std::move(descriptor), std::move(slot),
             make_feed(upstream.channel(), subscription, std::move(batches),
                       find_start(upstream.channel().ring(), subscription)->sequence),
             gap_rule(upstream.channel(), subscription)),
      upstream_(upstream),
      v1_(subscription.v1),
      frames_({.role = websocket::Role::server,
               .max_message =
                   upstream.channel().options().shape.max_message + (v1_ ? longest_id + 1 : 0),
               .form = upstream.channel().options().send == config::Passing::stream
                           ? websocket::MessageReader::Form::large_in_parts
                           : websocket::MessageReader::Form::whole}) {}

void Subscriber::start(Upstream& upstream, int socket, ClientSlot slot,
                       const Subscription& subscription, std::shared_ptr<BatchMaker> batches,
                       std::string_view response, std::span<const std::byte> early_bytes) {
  Channel& channel = upstream.channel();
  const Start start = *find_start(channel.ring(), subscription);
  const std::shared_ptr<Subscriber> self(
      new Subscriber(upstream, Descriptor(upstream.executor(), socket), std::move(slot),
                     subscription, std::move(batches)));
  const auto head = as_bytes(response);
  self->own().assign(head.begin(), head.end());
  if (self->v1_) {
    self->send_event(
        hello_event(upstream.name(), channel.ring(), start.sequence, upstream.state_name()));
  }
  channel.attach(self);
  const bool lost = start.other_epoch || start.lost_from != 0;
  if (lost) self->on_gap(start.lost_from, start.other_epoch ? start.sequence - 1 : start.lost_to);
  // Only `wskeep.v1` can say of what message it goes on with.
  if (!self->v1_ || !start.in_message) self->feed().begin_with_message(lost || start.in_message);
  self->deliver();
  std::vector<std::byte> early(early_bytes.begin(), early_bytes.end());
  self->take(early);
  self->want_to_read();
}

bool Subscriber::hold_memory() {
  return slot().hold(frames_.buffered() + unread_.size() + own().size());
}

void Subscriber::on_drained() {
  static_cast<void>(hold_memory());
  want_to_read();
}

void Subscriber::on_gap(ring::Sequence from, ring::Sequence to) {
  if (v1_) send_event(gap_event(from, to));
  if (gap() == config::Gap::skip) return;
  const std::string reason = from == 0 ? "lost an unknown number of messages"
                                       : "lost " + std::to_string(to - from + 1) + " messages";
  send_close(static_cast<std::uint16_t>(CloseCode::try_again_later), reason);
}

/// A plain reader cannot be told otherwise that the message it has the front of has no end.
void Subscriber::on_broken_off() {
  if (!v1_) {
    send_close(static_cast<std::uint16_t>(CloseCode::try_again_later),
               "a message was begun and will not be ended");
  }
}

void Subscriber::on_left() {
  abandon_message();
}

void Subscriber::want_to_read() {
  if (reading_ || gone() || !unread_.empty() || own_unsent() > most_own_unsent) return;
  // The message that filled the buffer may have been the last that was received: nothing is unread.
  if (!may_go_on()) return;
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
  // Since then another's message may have begun, which nothing may stand within.
  if (!may_go_on() || !unread_.empty()) return;
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
  // Before the flush, which may find that publishing can go on, and then reads this next.
  if (!result.stopped && result.consumed < input.size()) {
    const auto rest = input.subspan(result.consumed);
    unread_.assign(rest.begin(), rest.end());
  }
  upstream_.flush();
  if (gone()) return;
  if (result.violation)
    send_close(static_cast<std::uint16_t>(result.violation->code), result.violation->reason);
  if (!hold_memory()) {
    frames_.stop();
    unread_ = {};
    send_close(static_cast<std::uint16_t>(CloseCode::try_again_later),
               "what your user has under way is all that it may have of ipc.limits.in_flight");
    static_cast<void>(hold_memory());
  }
  deliver();
}

void Subscriber::publish_more() {
  if (gone() || !may_go_on()) return;
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
  note_published(payload.size());
  return may_go_on();
}

bool Subscriber::may_go_on() {
  if (in_parts_ && in_parts_->unwanted) return true;
  if (in_parts_ && in_parts_->begun) return upstream_.accepts_parts();
  return upstream_.accepts_more() && under_way_.size() < most_under_way && !too_fast();
}

void Subscriber::note_published(std::size_t bytes) {
  PublishGate& all = channel().publish_gate();
  PublishGate* const own = slot().gate(channel().options().publish_each);
  if (all.off() && own == nullptr) return;
  const auto now = PublishGate::Clock::now();
  all.count(bytes, now);
  if (own != nullptr) own->count(bytes, now);
}

/// Whoever is faster than the configuration allows is not read from for a while.
bool Subscriber::too_fast() {
  PublishGate& all = channel().publish_gate();
  PublishGate* const own = slot().gate(channel().options().publish_each);
  if (all.off() && own == nullptr) return false;
  const auto opens = own == nullptr ? all.opens() : std::max(own->opens(), all.opens());
  if (opens <= PublishGate::Clock::now()) return false;
  if (!pace_timer_) {
    pace_timer_ = std::make_unique<boost::asio::steady_timer>(upstream_.executor());
  }
  if (pace_timer_->expiry() == opens) return true;  // that is waited for already
  slot().note(Refusal::publish_rate);
  pace_timer_->expires_at(opens);
  pace_timer_->async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error) self->publish_more();
  });
  return true;
}

void Subscriber::publish_plain(Opcode opcode, std::span<const std::byte> payload) {
  if (!slot().rights().has(Right::publish))
    return reject_message(0, {"not_allowed", std::string(may_not_publish)});
  const auto self = std::static_pointer_cast<Subscriber>(shared_from_this());
  const auto rejection = upstream_.publish(opcode, payload, self, 0);
  if (rejection) reject_message(0, *rejection);
}

/// A plain app cannot be told otherwise.
void Subscriber::reject_message(std::uint64_t token, const Rejection& rejection) {
  if (v1_) return answer(token, "rejected", &rejection);
  const CloseCode code =
      rejection.error == "not_allowed" ? CloseCode::policy_violation : CloseCode::try_again_later;
  send_close(static_cast<std::uint16_t>(code), rejection.message);
}

std::uint64_t Subscriber::new_token(std::string_view id) {
  const std::uint64_t token = next_token_++;
  if (v1_) under_way_.emplace_back(token, id);
  return token;
}

void Subscriber::publish_v1(Opcode opcode, std::span<const std::byte> payload) {
  const std::string_view text = as_text(payload.first(std::min(payload.size(), longest_id + 1)));
  const std::string_view id = text.substr(0, text.find('\n'));
  if (id.size() == text.size() || !is_valid_id(id)) {
    return send_close(static_cast<std::uint16_t>(CloseCode::policy_violation), bad_id);
  }
  const std::uint64_t token = new_token(id);
  if (!slot().rights().has(Right::publish))
    return reject_message(token, {"not_allowed", std::string(may_not_publish)});
  const auto self = std::static_pointer_cast<Subscriber>(shared_from_this());
  const auto rejection = upstream_.publish(opcode, payload.subspan(id.size() + 1), self, token);
  if (rejection) reject_message(token, *rejection);
}

bool Subscriber::on_part(websocket::MessageReader::Part part, std::span<std::byte> payload) {
  if (finishing()) return true;
  if (part.first) in_parts_ = std::make_unique<InParts>();
  in_parts_->size += payload.size();
  if (!in_parts_->unwanted) publish_part(part, payload);
  if (part.last && in_parts_) {
    const std::size_t size = in_parts_->size;
    in_parts_.reset();
    note_published(size);
  }
  return may_go_on();
}

void Subscriber::publish_part(websocket::MessageReader::Part part,
                              std::span<const std::byte> payload) {
  const auto rest = take_id(payload, part.last);
  if (!rest || finishing()) return;
  InParts& message = *in_parts_;
  if (rest->empty() && !part.last) return;
  std::optional<Rejection> rejection;
  if (!slot().rights().has(Right::publish) && !message.begun) {
    rejection = Rejection{"not_allowed", std::string(may_not_publish)};
  } else {
    const MessagePart given{part.opcode, !message.begun, part.last};
    const auto self = std::static_pointer_cast<Subscriber>(shared_from_this());
    rejection = upstream_.publish_part(given, *rest, self, message.token);
  }
  message.begun = !rejection;
  message.unwanted = rejection.has_value();
  if (rejection) reject_message(message.token, *rejection);
}

/// What follows the line with the ID, once that is there; nothing before. A plain message has none.
std::optional<std::span<const std::byte>> Subscriber::take_id(std::span<const std::byte> payload,
                                                              bool last) {
  InParts& message = *in_parts_;
  if (message.identified) return payload;
  if (!v1_) {
    message.identified = true;
    message.token = new_token({});
    return payload;
  }
  const std::string_view text = as_text(payload).substr(0, longest_id + 1);
  const std::size_t end = text.find('\n');
  message.head += text.substr(0, end);
  if (end == std::string_view::npos && message.head.size() <= longest_id && !last)
    return std::nullopt;
  if (end == std::string_view::npos || !is_valid_id(message.head)) {
    send_close(static_cast<std::uint16_t>(CloseCode::policy_violation), bad_id);
    return std::nullopt;
  }
  message.identified = true;
  message.token = new_token(message.head);
  return payload.subspan(end + 1);
}

/// What it has begun will not be ended.
void Subscriber::abandon_message() {
  if (const auto message = std::exchange(in_parts_, nullptr); message && message->begun)
    upstream_.abandon_message(*this);
}

void Subscriber::on_written(std::uint64_t token) {
  answer(token, "written", nullptr);
  deliver();
  publish_more();
}

void Subscriber::on_unknown(std::uint64_t token, const Rejection& reason) {
  if (in_parts_ && in_parts_->token == token) in_parts_->unwanted = true;
  if (v1_) {
    answer(token, "unknown", &reason);
  } else {
    send_close(static_cast<std::uint16_t>(CloseCode::try_again_later), reason.message);
  }
  deliver();
  publish_more();
}

void Subscriber::on_queued(std::uint64_t token) {
  if (const std::string* id = id_of(token)) send_event(queued_event(*id));
}

void Subscriber::on_failed(std::uint64_t token, const Rejection& reason) {
  reject_message(token, reason);
  deliver();
}

const std::string* Subscriber::id_of(std::uint64_t token) const {
  const auto found =
      std::ranges::find(under_way_, token, &std::pair<std::uint64_t, std::string>::first);
  return found == under_way_.end() ? nullptr : &found->second;
}

void Subscriber::answer(std::uint64_t token, std::string_view outcome, const Rejection* rejection) {
  // Outcomes mostly come in the order of the messages, so the first is looked at first.
  const auto found = std::find_if(under_way_.begin(), under_way_.end(),
                                  [&](const auto& entry) { return entry.first == token; });
  if (found == under_way_.end() || gone()) return;
  send_event(rejection == nullptr ? sent_event(found->second)
                                  : failed_event(found->second, outcome, *rejection));
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
  abandon_message();
  finish();
}

void Subscriber::close(std::uint16_t code, const std::string& reason) {
  send_close(code, reason);
}

}  // namespace wskeep::ipc
