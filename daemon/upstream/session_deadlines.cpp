#include "daemon/upstream/session_deadlines.hpp"

#include <algorithm>

namespace wskeep::upstream {
namespace {

using daemon::Error;
using daemon::Failure;
using daemon::TimePoint;

/// A message that has begun is looked at this often within its time-out, for its begin wakes
/// nobody.
constexpr int message_checks = 4;

bool on(config::Milliseconds duration) {
  return duration.count() > 0;
}

}  // namespace

SessionDeadlines::SessionDeadlines(const config::Timeouts& timeouts,
                                   const config::Keepalive& keepalive, TimePoint begin) noexcept
    : timeouts_(timeouts),
      keepalive_(keepalive),
      last_receive_(begin),
      last_message_(begin),
      last_ping_(begin),
      last_pong_(begin) {}

bool SessionDeadlines::parsed(bool ended_message, bool in_message) noexcept {
  const bool first = ended_message && !had_message_;
  if (ended_message) {
    last_message_ = last_receive_;
    had_message_ = true;
  }
  // The end of a read may lie within a message each time: after a whole one it is another.
  if (!in_message) {
    message_since_.reset();
  } else if (!message_since_ || ended_message) {
    message_since_ = last_receive_;
  }
  return first && on(timeouts_.first_message) && on(timeouts_.silence);
}

void SessionDeadlines::begin_anew(TimePoint now) noexcept {
  last_receive_ = last_message_ = now;
  if (message_since_) message_since_ = now;
  if (blocked_since_) blocked_since_ = now;
}

void SessionDeadlines::stall(TimePoint now) noexcept {
  if (!stalled_since_) stalled_since_ = now;
}

bool SessionDeadlines::resume(TimePoint now) noexcept {
  skip_stall(now);
  stalled_since_.reset();
  return on(message_wait().timeout);
}

/// We did not read, so that nothing was received says nothing of upstream.
void SessionDeadlines::skip_stall(TimePoint now) noexcept {
  if (!stalled_since_) return;
  last_message_ += now - *stalled_since_;
  last_receive_ = now;
  if (message_since_) message_since_ = now;
  if (probe_since_) probe_since_ = now;
  stalled_since_ = now;
}

void SessionDeadlines::blocked(TimePoint now, bool took_some) noexcept {
  if (!blocked_since_ || took_some) blocked_since_ = now;
}

void SessionDeadlines::close_by(TimePoint deadline) noexcept {
  close_deadline_ = close_deadline_ ? std::min(*close_deadline_, deadline) : deadline;
}

void SessionDeadlines::probe(TimePoint now, std::uint64_t received_bytes) noexcept {
  if (probe_since_ && probe_bytes_ == received_bytes) return;
  probe_since_ = now;
  probe_bytes_ = received_bytes;
}

config::Milliseconds SessionDeadlines::probe_timeout() const noexcept {
  return std::min<config::Milliseconds>(timeouts_.receive, probe_time);
}

SessionDeadlines::MessageWait SessionDeadlines::message_wait() const noexcept {
  if (!had_message_ && on(timeouts_.first_message)) {
    return {timeouts_.first_message, Error::first_message_timeout,
            "no message came within timeouts.first_message"};
  }
  return {timeouts_.silence, Error::silence_timeout, "no message came for timeouts.silence"};
}

TimePoint SessionDeadlines::next(TimePoint now) const noexcept {
  if (close_deadline_) return *close_deadline_;
  TimePoint next = now + timeouts_.message / message_checks;
  const auto add = [&next](TimePoint since, config::Milliseconds duration) {
    next = std::min(next, since + duration);
  };
  add(last_receive_, timeouts_.receive);
  if (message_since_) add(*message_since_, timeouts_.message);
  if (const auto wait = message_wait(); on(wait.timeout) && !stalled())
    add(last_message_, wait.timeout);
  if (on(keepalive_.ping)) add(last_ping_, keepalive_.ping);
  if (on(keepalive_.pong)) add(last_pong_, keepalive_.pong);
  if (blocked_since_) add(*blocked_since_, timeouts_.send);
  if (probe_since_) add(*probe_since_, probe_timeout());
  return std::max(next, now);
}

bool SessionDeadlines::take_ping(TimePoint now) noexcept {
  if (!on(keepalive_.ping) || now - last_ping_ < keepalive_.ping) return false;
  last_ping_ = now;
  return true;
}

bool SessionDeadlines::take_pong(TimePoint now) noexcept {
  if (!on(keepalive_.pong) || now - last_pong_ < keepalive_.pong) return false;
  last_pong_ = now;
  return true;
}

bool SessionDeadlines::quiet(TimePoint now) const noexcept {
  return now - last_receive_ >= timeouts_.receive / 2;
}

bool SessionDeadlines::close_expired(TimePoint now) const noexcept {
  return close_deadline_ && now >= *close_deadline_;
}

std::optional<Failure> SessionDeadlines::expired(TimePoint now, std::uint64_t received_bytes,
                                                 bool probe_sent) noexcept {
  skip_stall(now);
  const auto over = [now](TimePoint since, config::Milliseconds timeout) {
    return now - since >= timeout;
  };
  if (blocked_since_ && over(*blocked_since_, timeouts_.send))
    return Failure{Error::send_timeout, "upstream accepted nothing for timeouts.send"};
  if (message_since_ && over(*message_since_, timeouts_.message)) {
    return Failure{Error::message_timeout,
                   "a message was begun and not ended within timeouts.message"};
  }
  if (over(last_receive_, timeouts_.receive)) {
    return Failure{Error::receive_timeout,
                   "nothing was received for timeouts.receive, not even a pong"};
  }
  if (probe_since_) {
    if (received_bytes != probe_bytes_) {
      probe_since_.reset();
    } else if (!probe_sent) {
      probe_since_ = now;
    } else if (over(*probe_since_, probe_timeout())) {
      return Failure{Error::receive_timeout,
                     "nothing answered when we asked whether upstream lives"};
    }
  }
  if (const auto wait = message_wait(); on(wait.timeout) && over(last_message_, wait.timeout))
    return Failure{wait.error, wait.text};
  return std::nullopt;
}

}  // namespace wskeep::upstream
