#include "daemon/upstream/session.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "websocket/close.hpp"

namespace wskeep::upstream {
namespace {

using daemon::Error;
using daemon::TimePoint;
using net::IoResult;
using websocket::CloseCode;
using websocket::Opcode;

/// Reads that one wake-up may take before other connections have their turn.
constexpr int reads_per_turn = 4;

/// RFC 6298, section 2.
void add_round_trip(Statistics& statistics, std::chrono::nanoseconds measured, bool first) {
  statistics.round_trip = measured;
  statistics.round_trips.observe(measured);
  auto& smoothed = statistics.round_trip_smoothed;
  auto& variation = statistics.round_trip_variation;
  if (first) {
    smoothed = measured;
    variation = measured / 2;
  } else {
    variation = (3 * variation + std::chrono::abs(smoothed - measured)) / 4;
    smoothed = (7 * smoothed + measured) / 8;
  }
}

}  // namespace

Session::Session(daemon::Environment& environment, const config::ConnectionSettings& settings,
                 ipc::Channel& channel, Statistics& statistics, Opened opened)
    : environment_(environment),
      settings_(settings),
      channel_(channel),
      statistics_(statistics),
      opened_(std::move(opened)),
      receiver_(channel, statistics, *this, settings.max_message, opened_.compression,
                settings.receive),
      sender_(environment, statistics, opened_.compression, settings.send_rate),
      alarm_(environment.make_alarm()),
      deadlines_(settings.timeouts, settings.keepalive, environment.now()),
      received_before_(channel.ring().next()) {}

Session::~Session() {
  opened_.transport->observe(nullptr);
}

boost::asio::awaitable<SessionEnd> Session::run() {
  opened_.transport->observe(this);
  if (script_ != nullptr) {
    script_->opened();
    do_as_said();
  }
  if (!opened_.early_bytes.empty()) {
    const auto early = std::exchange(opened_.early_bytes, {});
    handle(receiver_.take_early(early, wall_time_ns()));
  }
  if (!ended_) opened_.transport->want_read();
  flush();
  while (!ended_) {
    sleeps_until_ = next_deadline();
    co_await alarm_->wait_until(sleeps_until_);
    if (!ended_) check_deadlines();
  }
  opened_.transport->observe(nullptr);
  if (receiver_.in_message()) ++statistics_.discarded_messages;
  channel_.break_off();
  sender_.tell_unknown({daemon::error_name(end_.failure.error), end_.failure.text});
  co_return end_;
}

std::uint64_t Session::wall_time_ns() const {
  const auto since_epoch = environment_.wall_now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch).count());
}

// -- receiving

void Session::on_readable() {
  for (int turn = 0; turn < reads_per_turn && !ended_; ++turn) {
    if (peer_closed_) return discard();
    if (!handle(receiver_.receive(*opened_.transport, wall_time_ns()))) return;
  }
  if (!ended_) opened_.transport->want_read();
}

bool Session::handle(const Receiver::Outcome& outcome) {
  if (outcome.io.bytes > 0) {
    const TimePoint now = environment_.now();
    deadlines_.received(now);
    statistics_.traffic.note(now, statistics_.wire_bytes_in, statistics_.wire_bytes_out);
  }
  channel_.deliver();
  if (observer_ != nullptr) observer_->received(channel_.ring());
  if (script_ != nullptr) show_script();
  if (!deadlines_.blocked()) {
    answer_ping();
    flush();
  }
  if (outcome.stopped) {
    // After a Close frame or a violation, only the end of the stream is waited for.
    peer_closed_ = true;
    channel_.break_off();
    if (outcome.violation) {
      close(outcome.violation->code, outcome.violation->reason,
            violation_error(outcome.violation->code));
    }
    if (!ended_) opened_.transport->want_read();
    return false;
  }
  if (deadlines_.parsed(received_before_ != channel_.ring().next(), receiver_.in_message()))
    alarm_->wake();
  received_before_ = channel_.ring().next();
  if (outcome.stalled) {
    deadlines_.stall(environment_.now());
    return false;
  }
  switch (outcome.io.status) {
    case IoResult::Status::done:
      if (!outcome.drained) return true;
      [[fallthrough]];
    case IoResult::Status::would_block:
      opened_.transport->want_read();
      return false;
    case IoResult::Status::end:
    case IoResult::Status::failed:
      transport_ended(outcome.io);
      return false;
  }
  return false;
}

void Session::discard() {
  std::array<std::byte, 16384> ignored;
  const IoResult result = opened_.transport->read(ignored);
  if (result.status == IoResult::Status::end || result.status == IoResult::Status::failed) {
    return transport_ended(result);
  }
  opened_.transport->want_read();
}

void Session::resume_reading() {
  if (!deadlines_.stalled() || ended_) return;
  if (deadlines_.resume(environment_.now())) alarm_->wake();
  if (write_failure_) return read_rest();
  on_readable();
}

/// What upstream said before it went is still there to be read, and may say why. It is read as
/// local readers make room for it, for as long as a closing handshake may take.
void Session::read_rest() {
  const TimePoint now = environment_.now();
  for (int turn = 0; !ended_ && !peer_closed_ && !deadlines_.close_expired(now); ++turn) {
    if (turn == reads_per_turn) return alarm_->wake();
    const auto outcome = receiver_.receive(*opened_.transport, wall_time_ns());
    handle(outcome);
    if (outcome.stalled) return;
    if (outcome.io.status != IoResult::Status::done) break;
  }
  if (!ended_) transport_ended(*write_failure_);
}

void Session::transport_ended(IoResult result) {
  if (closing_ || peer_closed_) return end(end_.failure.error, end_.failure.text);
  // Many servers end TLS without close_notify: between messages nothing is lost by that.
  if (result.error == Error::tls_truncated && !receiver_.in_message())
    result.error = Error::connection_closed;
  if (result.error == Error::none) result.error = Error::connection_closed;
  end_.close_code = static_cast<std::uint16_t>(CloseCode::abnormal);
  end(result.error, transport_end_text(result.error));
}

// -- control frames

void Session::on_control(Opcode opcode, std::span<const std::byte> payload) {
  if (opcode == Opcode::ping) {
    ++statistics_.pings_in;
    // Of several pings in one read the last is answered, as RFC 6455, 5.5.3 allows: a flood is
    // bounded so.
    ping_to_answer_.emplace(payload.begin(), payload.end());
  } else if (opcode == Opcode::pong) {
    take_pong(payload);
  } else {
    take_close(payload);
  }
}

/// While upstream takes nothing the last ping waits; one is answered each time that it took
/// something, so that the answers are no more than the send buffer has room for.
void Session::answer_ping() {
  // With a limit, a newer one takes the older one's place.
  if (!ping_to_answer_ || closing_ || (!sender_.limited() && !has_room())) return;
  sender_.append_control(Opcode::pong, *std::exchange(ping_to_answer_, std::nullopt));
}

void Session::take_pong(std::span<const std::byte> payload) {
  ++statistics_.pongs_in;
  std::uint64_t number = 0;
  if (payload.size() != sizeof number || ping_number_ == 0) return;
  std::memcpy(&number, payload.data(), sizeof number);
  if (number != ping_number_) return;
  add_round_trip(statistics_, environment_.now() - ping_sent_, !std::exchange(measured_, true));
  ping_number_ = 0;
}

/// `urgent`: it may wait for the limit, and then its round trip is not measured.
void Session::send_ping(bool urgent) {
  if (closing_ || deadlines_.blocked() || sender_.ping_waits()) return;
  const bool at_once = sender_.idle();
  if (!at_once && !urgent) return;
  ping_sent_ = environment_.now();
  ping_number_ = environment_.random() | 1U;
  sender_.append_control(Opcode::ping, std::as_bytes(std::span(&ping_number_, 1)));
  if (!at_once) ping_number_ = 0;
  flush();
}

/// Unsolicited (RFC 6455, 5.5.3).
void Session::send_pong() {
  if (closing_ || deadlines_.blocked() || !sender_.idle()) return;
  sender_.append_control(Opcode::pong, {});
  flush();
}

void Session::probe() {
  if (settings_.keepalive.ping.count() == 0 || !open() || write_failure_ || deadlines_.blocked())
    return;
  const TimePoint now = environment_.now();
  deadlines_.probe(now, statistics_.wire_bytes_in);
  deadlines_.pinged(now);
  send_ping(true);
  alarm_->wake();
}

void Session::take_close(std::span<const std::byte> payload) {
  const auto received = websocket::parse_close(payload);
  peer_closed_ = true;
  if (closing_) return shut_when_said();
  end_.closed_by = ClosedBy::upstream;
  end_.close_code = static_cast<std::uint16_t>(received.payload.code);
  if (received.violation) {
    end_.failure = {violation_error(received.violation->code), received.violation->reason};
    return send_close(received.violation->code, received.violation->reason);
  }
  end_.reason = received.payload.reason;
  end_.failure = {Error::closed_by_peer, "upstream closed with " + std::to_string(end_.close_code) +
                                             (end_.reason.empty() ? "" : ": " + end_.reason)};
  send_close(received.payload.code, "");
}

void Session::close(CloseCode code, std::string_view reason, Error error,
                    std::chrono::milliseconds at_most) {
  if (ended_) return;
  if (!closing_) {
    code = take_leave(code);
    end_ = {{error, std::string(reason)},
            static_cast<std::uint16_t>(code),
            std::string(reason),
            ClosedBy::wskeep};
    send_close(code, reason);
  }
  deadlines_.close_by(environment_.now() + at_most);
  alarm_->wake();
}

void Session::send_close(CloseCode code, std::string_view reason) {
  closing_ = true;
  std::vector<std::byte> payload;
  websocket::append_close_payload(payload, code, reason);
  sender_.append_control(Opcode::close, payload);
  deadlines_.close_by(environment_.now() + settings_.timeouts.close);
  flush();
  alarm_->wake();
}

/// Both Close frames are out: nothing more is to be said, and a server that waits for our end gets
/// it.
void Session::shut_when_said() {
  if (!closing_ || !peer_closed_ || shut_ || sender_.unsent() > 0) return;
  shut_ = true;
  opened_.transport->shutdown();
}

// -- sending

std::optional<ipc::Rejection> Session::publish(Opcode opcode, std::span<const std::byte> payload,
                                               std::weak_ptr<ipc::PublishObserver> observer,
                                               std::uint64_t token) {
  if (auto rejection = refuse_to_send()) return rejection;
  if (payload.size() > settings_.max_message) {
    return ipc::Rejection{"too_large", "the message is larger than max_message"};
  }
  if (!has_room()) {
    return ipc::Rejection{"send_buffer_full",
                          "upstream takes messages slower than they come (send_buffer)"};
  }
  sender_.append_message(opcode, payload, std::move(observer), token);
  return std::nullopt;
}

std::optional<ipc::Rejection> Session::refuse_to_send() const {
  if (!open()) return ipc::Rejection{"not_connected", "the connection is being closed"};
  if (script_ != nullptr && !script_->ready()) {
    return ipc::Rejection{"not_connected", "the session is still being opened (session.open)"};
  }
  return std::nullopt;
}

std::optional<ipc::Rejection> Session::publish_part(
    ipc::MessagePart part, std::span<const std::byte> payload,
    const std::shared_ptr<ipc::PublishObserver>& publisher, std::uint64_t token) {
  if (auto rejection = refuse_to_send()) return rejection;
  if (!part.first && !sender_.streams(*publisher)) {
    return ipc::Rejection{"not_connected", "the session ended that the message was begun in"};
  }
  if (part.first && sender_.streams()) {
    return ipc::Rejection{"send_buffer_full", "another message is being sent in parts"};
  }
  sender_.append_part(part, payload, publisher, token);
  part_at_ = environment_.now();
  if (part.first) alarm_->wake();
  if (part.last) part_ended_ = true;
  return std::nullopt;
}

void Session::abandon_message(const ipc::PublishObserver& publisher) {
  if (sender_.streams(publisher))
    give_up_message("a local app left in the middle of a message that was sent in parts");
}

/// Nothing may stand within a message but control frames (RFC 6455, 5.4), so that this one would
/// hold up all others for ever.
void Session::give_up_message(std::string text) {
  if (!open()) return;
  close(CloseCode::going_away, "", Error::publisher_gone);
  end_.failure.text = std::move(text);
}

/// When the app whose message is sent in parts has to have given more of it. While there is no room
/// for more it is not read from.
TimePoint Session::part_deadline() const noexcept {
  if (!sender_.streams() || !has_room()) return TimePoint::max();
  return part_at_ + settings_.timeouts.publish;
}

void Session::settings_changed() {
  if (ended_) return;
  deadlines_.begin_anew(environment_.now());
  alarm_->wake();
  if (has_room()) let_publishers_go_on();
}

void Session::flush() {
  if (ended_ || deadlines_.blocked() || write_failure_ || sender_.unsent() == 0) return;
  on_writable();
}

void Session::on_writable() {
  if (ended_ || write_failure_) return;
  const bool was_full = !has_room() || part_ended_;
  part_ended_ = false;
  const std::size_t before = sender_.unsent();
  IoResult result = sender_.write(*opened_.transport);
  const bool took_some = sender_.unsent() < before;
  if (took_some)
    statistics_.traffic.note(environment_.now(), statistics_.wire_bytes_in,
                             statistics_.wire_bytes_out);
  if (ping_to_answer_ && took_some) {
    answer_ping();
    if (result.status != IoResult::Status::failed) result = sender_.write(*opened_.transport);
  }
  if (result.status == IoResult::Status::failed) {
    write_failure_ = result;
    deadlines_.close_by(environment_.now() + settings_.timeouts.close);
    return alarm_->wake();
  }
  if (sender_.released() > 0) {
    deadlines_.blocked(environment_.now(), took_some);
    opened_.transport->want_write();
    // The alarm may be set for later than the send time-out.
    alarm_->wake();
  } else {
    deadlines_.unblocked();
    shut_when_said();
    if (sender_.next_release() < sleeps_until_) alarm_->wake();
  }
  sender_.tell_written();
  if (was_full && has_room()) {
    part_at_ = environment_.now();
    let_publishers_go_on();
  }
}

void Session::let_publishers_go_on() {
  if (on_room_) on_room_();
  channel_.publishers_may_go_on();
}

// -- time-outs

TimePoint Session::next_deadline() const {
  const TimePoint now = environment_.now();
  TimePoint next = deadlines_.next(now);
  if (script_ != nullptr && open()) next = std::min(next, script_->next());
  if (open()) next = std::min(next, part_deadline());
  if (deadlines_.blocked() || write_failure_) return next;
  return std::clamp(sender_.next_release(), now, std::max(now, next));
}

void Session::check_deadlines() {
  const TimePoint now = environment_.now();
  if (write_failure_) {
    if (!deadlines_.stalled() || deadlines_.close_expired(now)) read_rest();
    return;
  }
  if (deadlines_.close_expired(now)) return give_up_closing();
  if (!deadlines_.closing()) {
    auto failure = deadlines_.expired(now, statistics_.wire_bytes_in, !sender_.ping_waits());
    if (failure) return time_out(std::move(*failure));
    if (now >= part_deadline()) {
      return give_up_message(
          "a local app gave nothing more of a message that was sent in parts "
          "(timeouts.publish)");
    }
    if (deadlines_.take_ping(now)) send_ping(deadlines_.quiet(now));
    if (deadlines_.take_pong(now)) send_pong();
    if (script_ != nullptr && script_->next() <= now) {
      script_->check_time();
      do_as_said();
    }
  }
  if (sender_.next_release() <= now) flush();
}

void Session::time_out(daemon::Failure failure) {
  // Upstream lives, and is told.
  if (failure.error == Error::first_message_timeout || failure.error == Error::silence_timeout)
    return close(CloseCode::going_away, failure.text, failure.error);
  end_.closed_by = ClosedBy::wskeep;
  end_.close_code = static_cast<std::uint16_t>(CloseCode::abnormal);
  end(failure.error, std::move(failure.text));
}

void Session::give_up_closing() {
  ++statistics_.close_timeouts;
  end_.close_timed_out = true;
  auto [error, text] = end_.failure;
  if (error == Error::none) error = Error::close_timeout;
  if (!text.empty()) text += "; ";
  text += sender_.unsent() > 0 ? "our Close frame could not be sent in time (timeouts.close)"
                               : "upstream did not end the connection in time (timeouts.close)";
  end(error, std::move(text));
}

void Session::end(Error error, std::string text) {
  if (ended_) return;
  ended_ = true;
  end_.failure = {error, std::move(text)};
  end_.silent = environment_.now() - deadlines_.last_receive();
  opened_.transport->shutdown();
  alarm_->wake();
}

}  // namespace wskeep::upstream
