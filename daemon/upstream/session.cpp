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
/// Reads of what a connection that failed has left: more than a kernel keeps.
constexpr int reads_at_end = 256;
/// A message that has begun is looked at this often within its time-out, for its begin wakes
/// nobody.
constexpr int message_checks = 4;

Error violation_error(CloseCode code) {
  switch (code) {
    case CloseCode::invalid_payload:
      return Error::invalid_payload;
    case CloseCode::message_too_big:
      return Error::message_too_big;
    default:
      return Error::protocol_error;
  }
}

std::string io_text(Error error) {
  switch (error) {
    case Error::connection_reset:
      return "upstream reset the connection";
    case Error::tls_truncated:
      return "the TLS stream was cut off inside a message";
    case Error::none:
    case Error::connection_closed:
      return "upstream ended the connection without a Close frame";
    default:
      return "the connection failed: " + std::string(daemon::error_name(error));
  }
}

}  // namespace

std::string_view closed_by_name(ClosedBy closed_by) noexcept {
  switch (closed_by) {
    case ClosedBy::upstream:
      return "upstream";
    case ClosedBy::wskeep:
      return "wskeep";
    case ClosedBy::network:
      break;
  }
  return "network";
}

Session::Session(daemon::Environment& environment, const config::ConnectionSettings& settings,
                 ipc::Channel& channel, Statistics& statistics, Opened opened)
    : environment_(environment),
      settings_(settings),
      channel_(channel),
      statistics_(statistics),
      opened_(std::move(opened)),
      receiver_(channel, statistics, *this, settings.max_message, opened_.compression),
      sender_(environment, statistics, opened_.compression),
      alarm_(environment.make_alarm()),
      last_receive_(environment.now()),
      last_ping_(last_receive_) {}

Session::~Session() {
  opened_.transport->observe(nullptr);
}

boost::asio::awaitable<SessionEnd> Session::run() {
  opened_.transport->observe(this);
  if (!opened_.early_bytes.empty()) {
    const auto early = std::exchange(opened_.early_bytes, {});
    handle(receiver_.take_early(early, wall_time_ns()));
  }
  if (!ended_) opened_.transport->want_read();
  while (!ended_) {
    co_await alarm_->wait_until(next_deadline());
    if (!ended_) check_deadlines();
  }
  opened_.transport->observe(nullptr);
  if (receiver_.in_message()) ++statistics_.discarded_messages;
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
  if (outcome.io.bytes > 0) last_receive_ = environment_.now();
  channel_.deliver();
  if (!blocked_since_) {
    answer_ping();
    flush();
  }
  if (outcome.stopped) {
    // After a Close frame or a violation, only the end of the stream is waited for.
    peer_closed_ = true;
    message_since_.reset();
    if (outcome.violation) {
      close(outcome.violation->code, outcome.violation->reason,
            violation_error(outcome.violation->code));
    }
    if (!ended_) opened_.transport->want_read();
    return false;
  }
  stalled_ = outcome.stalled;
  if (stalled_) return false;
  // The end of a read may lie within a message each time: after a whole one it is another.
  const bool another = messages_seen_ != statistics_.messages_in;
  messages_seen_ = statistics_.messages_in;
  if (!receiver_.in_message()) {
    message_since_.reset();
  } else if (!message_since_ || another) {
    message_since_ = last_receive_;
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
  if (!stalled_ || ended_) return;
  stalled_ = false;
  // We did not read, so that nothing was received says nothing of upstream.
  last_receive_ = environment_.now();
  if (message_since_) message_since_ = last_receive_;
  on_readable();
}

void Session::transport_ended(IoResult result) {
  if (closing_ || peer_closed_) return end(end_.failure.error, end_.failure.text);
  // Many servers end TLS without close_notify: between messages nothing is lost by that.
  if (result.error == Error::tls_truncated && !receiver_.in_message())
    result.error = Error::connection_closed;
  if (result.error == Error::none) result.error = Error::connection_closed;
  end_.close_code = static_cast<std::uint16_t>(CloseCode::abnormal);
  end(result.error, io_text(result.error));
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
  if (!ping_to_answer_ || closing_ || !accepts_more()) return;
  sender_.append_control(Opcode::pong, *std::exchange(ping_to_answer_, std::nullopt));
}

void Session::take_pong(std::span<const std::byte> payload) {
  ++statistics_.pongs_in;
  std::uint64_t number = 0;
  if (payload.size() != sizeof number || ping_number_ == 0) return;
  std::memcpy(&number, payload.data(), sizeof number);
  if (number != ping_number_) return;
  statistics_.round_trip = environment_.now() - ping_sent_;
  ping_number_ = 0;
}

void Session::send_ping(TimePoint now) {
  last_ping_ = now;
  if (closing_ || blocked_since_) return;
  ping_sent_ = now;
  ping_number_ = environment_.random() | 1U;
  sender_.append_control(Opcode::ping, std::as_bytes(std::span(&ping_number_, 1)));
  flush();
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
  if (closing_ || ended_) return;
  end_ = {{error, std::string(reason)},
          static_cast<std::uint16_t>(code),
          std::string(reason),
          ClosedBy::wskeep};
  send_close(code, reason);
  close_deadline_ = std::min(*close_deadline_, environment_.now() + at_most);
}

void Session::send_close(CloseCode code, std::string_view reason) {
  closing_ = true;
  std::vector<std::byte> payload;
  websocket::append_close_payload(payload, code, reason);
  sender_.append_control(Opcode::close, payload);
  close_deadline_ = environment_.now() + settings_.timeouts.close;
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
  if (!open()) return ipc::Rejection{"not_connected", "the connection is being closed"};
  if (payload.size() > settings_.max_message) {
    return ipc::Rejection{"too_large", "the message is larger than max_message"};
  }
  if (!accepts_more()) {
    return ipc::Rejection{"send_buffer_full",
                          "upstream takes messages slower than they come (send_buffer)"};
  }
  sender_.append_message(opcode, payload, std::move(observer), token);
  return std::nullopt;
}

void Session::flush() {
  if (ended_ || blocked_since_ || write_failure_ || sender_.unsent() == 0) return;
  on_writable();
}

void Session::on_writable() {
  if (ended_ || write_failure_) return;
  const bool was_full = !accepts_more();
  const std::size_t before = sender_.unsent();
  IoResult result = sender_.write(*opened_.transport);
  const bool took_some = sender_.unsent() < before;
  if (ping_to_answer_ && took_some) {
    answer_ping();
    if (result.status != IoResult::Status::failed) result = sender_.write(*opened_.transport);
  }
  if (result.status == IoResult::Status::failed) {
    write_failure_ = result;
    return alarm_->wake();
  }
  if (sender_.unsent() > 0) {
    if (!blocked_since_ || took_some) blocked_since_ = environment_.now();
    opened_.transport->want_write();
    // The alarm may be set for later than the send time-out.
    alarm_->wake();
  } else {
    blocked_since_.reset();
    shut_when_said();
  }
  sender_.tell_written();
  if (was_full && accepts_more()) channel_.publishers_may_go_on();
}

// -- time-outs

TimePoint Session::next_deadline() const {
  if (close_deadline_) return *close_deadline_;
  const auto& timeouts = settings_.timeouts;
  const TimePoint now = environment_.now();
  TimePoint next = now + timeouts.message / message_checks;
  next = std::min(next, last_receive_ + timeouts.receive);
  if (message_since_) next = std::min(next, *message_since_ + timeouts.message);
  if (settings_.keepalive.ping.count() > 0)
    next = std::min(next, last_ping_ + settings_.keepalive.ping);
  if (blocked_since_) next = std::min(next, *blocked_since_ + timeouts.send);
  return std::max(next, now);
}

/// What upstream said before it went is still there to be read, and may say why.
void Session::read_rest() {
  int left = reads_at_end;
  while (!ended_ && !peer_closed_ && left-- > 0) {
    if (!handle(receiver_.receive(*opened_.transport, wall_time_ns()))) break;
  }
  transport_ended(*write_failure_);
}

void Session::check_deadlines() {
  if (write_failure_) return read_rest();
  const TimePoint now = environment_.now();
  const auto& timeouts = settings_.timeouts;
  if (close_deadline_) {
    if (now >= *close_deadline_) end(end_.failure.error, end_.failure.text);
    return;
  }
  if (stalled_) {
    last_receive_ = now;
    if (message_since_) message_since_ = now;
  }
  const auto expired = [&](const std::optional<TimePoint>& since, auto timeout) {
    return since && now - *since >= timeout;
  };
  const auto fail = [&](Error error, std::string text) {
    end_.closed_by = ClosedBy::wskeep;
    end_.close_code = static_cast<std::uint16_t>(CloseCode::abnormal);
    end(error, std::move(text));
  };
  if (expired(blocked_since_, timeouts.send)) {
    return fail(Error::send_timeout, "upstream accepted nothing for timeouts.send");
  }
  if (expired(message_since_, timeouts.message)) {
    return fail(Error::message_timeout,
                "a message was begun and not ended within timeouts.message");
  }
  if (expired(last_receive_, timeouts.receive)) {
    return fail(Error::receive_timeout,
                "nothing was received for timeouts.receive, not even a pong");
  }
  const auto ping = settings_.keepalive.ping;
  if (ping.count() > 0 && now - last_ping_ >= ping) send_ping(now);
}

void Session::end(Error error, std::string text) {
  if (ended_) return;
  ended_ = true;
  end_.failure = {error, std::move(text)};
  opened_.transport->shutdown();
  alarm_->wake();
}

}  // namespace wskeep::upstream
