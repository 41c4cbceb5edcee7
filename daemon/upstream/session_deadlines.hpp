#pragma once

#include <cstdint>
#include <optional>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/error.hpp"

namespace wskeep::upstream {

/// Since when a session has waited for what, and so when it is to be looked at next. A plain value:
/// who owns it says what happened and when, and sleeps. What comes with every read sets a member
/// and no timer.
///
/// While the session itself does not read, because a local reader is waited for, no time that
/// upstream has to say something in goes by.
class SessionDeadlines {
 public:
  /// The settings outlive it.
  SessionDeadlines(const config::Timeouts& timeouts, const config::Keepalive& keepalive,
                   daemon::TimePoint begin) noexcept;

  // -- what happened

  /// Anything at all came.
  void received(daemon::TimePoint now) noexcept { last_receive_ = now; }

  [[nodiscard]] daemon::TimePoint last_receive() const noexcept { return last_receive_; }

  /// After a read: whether it ended a message, and whether one has begun and not ended. Their time
  /// is that of the last `received`. True after the first message: the next deadline may have come
  /// nearer.
  [[nodiscard]] bool parsed(bool ended_message, bool in_message) noexcept;

  /// A local reader is waited for, and nothing is read; until `resume`. True from `resume`: the
  /// next deadline may have come nearer.
  void stall(daemon::TimePoint now) noexcept;
  bool resume(daemon::TimePoint now) noexcept;
  [[nodiscard]] bool stalled() const noexcept { return stalled_since_.has_value(); }

  /// Upstream did not take all that it was offered; or has taken it.
  void blocked(daemon::TimePoint now, bool took_some) noexcept;
  void unblocked() noexcept { blocked_since_.reset(); }
  [[nodiscard]] bool blocked() const noexcept { return blocked_since_.has_value(); }

  /// From now on only this counts. The earliest of several holds.
  void close_by(daemon::TimePoint deadline) noexcept;
  [[nodiscard]] bool closing() const noexcept { return close_deadline_.has_value(); }

  /// Something has to come soon: within `probe_time`, or `timeouts.receive` where that is shorter.
  /// `received_bytes` is a count of all that ever came.
  void probe(daemon::TimePoint now, std::uint64_t received_bytes) noexcept;
  static constexpr std::chrono::seconds probe_time{5};

  /// The settings have changed: what is waited for has all of its new time. A closing handshake
  /// keeps its deadline.
  void begin_anew(daemon::TimePoint now) noexcept;

  // -- what is due

  [[nodiscard]] daemon::TimePoint next(daemon::TimePoint now) const noexcept;

  /// Once for each interval; the next one is counted from `now`.
  [[nodiscard]] bool take_ping(daemon::TimePoint now) noexcept;
  [[nodiscard]] bool take_pong(daemon::TimePoint now) noexcept;
  void pinged(daemon::TimePoint now) noexcept { last_ping_ = now; }

  /// Half of the time in which something has to come has gone by without.
  [[nodiscard]] bool quiet(daemon::TimePoint now) const noexcept;

  [[nodiscard]] bool close_expired(daemon::TimePoint now) const noexcept;

  /// What ran out. `probe_sent`: what is to be answered has left us; else the probe's time begins
  /// anew.
  [[nodiscard]] std::optional<daemon::Failure> expired(daemon::TimePoint now,
                                                       std::uint64_t received_bytes,
                                                       bool probe_sent) noexcept;

 private:
  /// The wait for a message, whatever else comes.
  struct MessageWait {
    config::Milliseconds timeout;
    daemon::Error error;
    const char* text;
  };
  [[nodiscard]] MessageWait message_wait() const noexcept;
  void skip_stall(daemon::TimePoint now) noexcept;
  [[nodiscard]] config::Milliseconds probe_timeout() const noexcept;

  const config::Timeouts& timeouts_;
  const config::Keepalive& keepalive_;
  daemon::TimePoint last_receive_;
  daemon::TimePoint last_message_;  ///< ended; before the first, the session's begin
  daemon::TimePoint last_ping_;     ///< sent, or was to be
  daemon::TimePoint last_pong_;     ///< likewise, unsolicited
  bool had_message_ = false;
  std::optional<daemon::TimePoint> message_since_;  ///< one has begun and not ended
  std::optional<daemon::TimePoint> blocked_since_;  ///< bytes are offered, none accepted since
  std::optional<daemon::TimePoint> stalled_since_;
  std::optional<daemon::TimePoint> close_deadline_;
  std::optional<daemon::TimePoint> probe_since_;
  std::uint64_t probe_bytes_ = 0;
};

}  // namespace wskeep::upstream
