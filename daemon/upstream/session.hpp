#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/upstream/observer.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/receiver.hpp"
#include "daemon/upstream/script_driver.hpp"
#include "daemon/upstream/sender.hpp"
#include "daemon/upstream/session_deadlines.hpp"
#include "daemon/upstream/session_end.hpp"
#include "ipc/channel.hpp"
#include "websocket/violation.hpp"

namespace wskeep::upstream {

/// One open WebSocket: receives into the channel's ring, sends what publishers give, answers and
/// sends pings, and watches the time-outs. The data path is the transport's callbacks and takes no
/// timer; one coroutine wakes for the next deadline.
///
/// With `send_rate`, of all frames to upstream no more than so many are written in any stretch of
/// that length (see SendQueue). What waits for it counts as `send_buffer` and not against
/// `timeouts.send`. A ping of ours, or an unsolicited pong, is left out when it would wait, unless
/// nothing has come for half of `timeouts.receive`.
///
/// `timeouts.silence` counts from the session's begin where there is no `timeouts.first_message`.
/// A peer that lives and sends no messages is sent a Close frame; others that are too slow are
/// left.
class Session final : private net::TransportObserver, private ControlObserver {
 public:
  /// All referred to outlives it.
  Session(daemon::Environment& environment, const config::ConnectionSettings& settings,
          ipc::Channel& channel, Statistics& statistics, Opened opened);

  /// Follows a script, which outlives this; called before `run`. `on_ready` is called once, when
  /// its opening is done; publishers are refused until then.
  void follow(ScriptDriver& script, std::function<void()> on_ready);

  /// It outlives this; called before `run`.
  void observe(Observer& observer) noexcept { observer_ = &observer; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Called when more can be sent, before publishers are told.
  void on_room(std::function<void()> on_room) { on_room_ = std::move(on_room); }

  /// Messages are not refused.
  [[nodiscard]] bool takes_messages() const noexcept {
    return open() && (script_ == nullptr || script_->ready());
  }

  /// Runs until the session has ended.
  [[nodiscard]] boost::asio::awaitable<SessionEnd> run();

  /// Sends a Close frame and waits for the other side's end, at most `timeouts.close` (and
  /// `at_most`). With `send_rate`, messages that wait for it are given up. While the session is
  /// being closed already, only `at_most` counts.
  void close(websocket::CloseCode code, std::string_view reason, daemon::Error error,
             std::chrono::milliseconds at_most = std::chrono::hours(1));

  [[nodiscard]] std::optional<ipc::Rejection> publish(websocket::Opcode opcode,
                                                      std::span<const std::byte> payload,
                                                      std::weak_ptr<ipc::PublishObserver> observer,
                                                      std::uint64_t token);
  /// As ipc::Upstream has them.
  [[nodiscard]] std::optional<ipc::Rejection> publish_part(
      ipc::MessagePart part, std::span<const std::byte> payload,
      const std::shared_ptr<ipc::PublishObserver>& publisher, std::uint64_t token);
  void abandon_message(const ipc::PublishObserver& publisher);

  void flush();
  [[nodiscard]] bool accepts_more() const noexcept { return has_room() && !sender_.streams(); }
  [[nodiscard]] bool accepts_parts() const noexcept { return has_room(); }
  [[nodiscard]] std::size_t unsent() const noexcept { return sender_.unsent(); }

  /// The settings that it refers to are others now. Whatever they give a time to has it anew.
  void settings_changed();

  /// The channel has room again.
  void resume_reading();

  /// Asks upstream whether it lives, for there is reason to doubt it: sends a ping, and ends the
  /// session with Error::receive_timeout when nothing at all comes within 5 s (or
  /// `timeouts.receive`, if that is less). Does nothing when pings are off, while the session is
  /// being closed, and while upstream takes nothing; the other time-outs stand.
  void probe();

  [[nodiscard]] bool open() const noexcept { return !closing_ && !ended_; }
  [[nodiscard]] const net::TransportInformation& information() const noexcept {
    return opened_.transport->information();
  }
  [[nodiscard]] const Opened& opened() const noexcept { return opened_; }

 private:
  void on_readable() override;
  void on_writable() override;
  void on_control(websocket::Opcode opcode, std::span<const std::byte> payload) override;
  void before_room() override;

  void let_publishers_go_on();
  [[nodiscard]] bool has_room() const noexcept { return sender_.unsent() < settings_.send_buffer; }
  [[nodiscard]] std::optional<ipc::Rejection> refuse_to_send() const;
  void give_up_message(std::string text);
  [[nodiscard]] daemon::TimePoint part_deadline() const noexcept;

  /// What came of one read; false: stop reading for now.
  bool handle(const Receiver::Outcome& outcome);
  void discard();
  void answer_ping();
  void take_pong(std::span<const std::byte> payload);
  void take_close(std::span<const std::byte> payload);
  void send_ping(bool urgent);
  void send_pong();
  void send_close(websocket::CloseCode code, std::string_view reason);
  void shut_when_said();
  void transport_ended(net::IoResult result);
  void end(daemon::Error error, std::string text);
  [[nodiscard]] std::uint64_t wall_time_ns() const;

  // session_following.cpp: the script
  void show_script();
  void do_as_said();
  void say(const script::Run::Send& message);
  void end_as_said(const script::Run::End& end);
  [[nodiscard]] websocket::CloseCode take_leave(websocket::CloseCode code);

  [[nodiscard]] daemon::TimePoint next_deadline() const;
  void check_deadlines();
  void time_out(daemon::Failure failure);
  void give_up_closing();
  void read_rest();

  daemon::Environment& environment_;
  const config::ConnectionSettings& settings_;
  ipc::Channel& channel_;
  Statistics& statistics_;
  Opened opened_;
  Receiver receiver_;
  Sender sender_;
  std::unique_ptr<daemon::Environment::Alarm> alarm_;

  SessionDeadlines deadlines_;
  daemon::TimePoint sleeps_until_;              ///< when `run` looks next, unless it is woken
  std::optional<net::IoResult> write_failure_;  ///< nothing is written any more
  ring::Sequence received_before_;              ///< the ring's end at the last read
  std::uint64_t ping_number_ = 0;  ///< payload of our last ping; 0: no answer is measured
  daemon::TimePoint ping_sent_;
  bool measured_ = false;  ///< a round trip of this session
  std::optional<std::vector<std::byte>> ping_to_answer_;
  daemon::TimePoint part_at_;  ///< the last part of a message that an app sends in parts
  bool part_ended_ = false;    ///< such a message has ended, and others wait for that
  bool closing_ = false;       ///< our Close frame is queued or sent
  bool peer_closed_ = false;   ///< theirs has come
  bool shut_ = false;
  bool ended_ = false;
  SessionEnd end_;
  ScriptDriver* script_ = nullptr;
  Observer* observer_ = nullptr;  ///< nobody, save in a dry run
  std::function<void()> on_ready_;
  std::function<void()> on_room_;
};

}  // namespace wskeep::upstream
