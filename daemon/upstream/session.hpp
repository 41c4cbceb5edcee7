#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/receiver.hpp"
#include "daemon/upstream/sender.hpp"
#include "ipc/channel.hpp"
#include "websocket/violation.hpp"

namespace wskeep::upstream {

enum class ClosedBy : std::uint8_t { upstream, wskeep, network };

[[nodiscard]] std::string_view closed_by_name(ClosedBy closed_by) noexcept;

/// How a session ended.
struct SessionEnd {
  daemon::Failure failure;
  std::uint16_t close_code =
      0;  ///< of the Close frame that began the end, either side's; 0: there was none
  std::string reason;
  ClosedBy closed_by = ClosedBy::network;
};

/// One open WebSocket: receives into the channel's ring, sends what publishers give, answers and
/// sends pings, and watches the time-outs. The data path is the transport's callbacks and takes no
/// timer; one coroutine wakes for the next deadline.
class Session final : private net::TransportObserver, private ControlObserver {
 public:
  /// All referred to outlives it.
  Session(daemon::Environment& environment, const config::ConnectionSettings& settings,
          ipc::Channel& channel, Statistics& statistics, Opened opened);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Runs until the session has ended.
  [[nodiscard]] boost::asio::awaitable<SessionEnd> run();

  /// Sends a Close frame and waits for the other side's end, at most `timeouts.close` (and
  /// `at_most`).
  void close(websocket::CloseCode code, std::string_view reason, daemon::Error error,
             std::chrono::milliseconds at_most = std::chrono::hours(1));

  [[nodiscard]] std::optional<ipc::Rejection> publish(websocket::Opcode opcode,
                                                      std::span<const std::byte> payload,
                                                      std::weak_ptr<ipc::PublishObserver> observer,
                                                      std::uint64_t token);
  void flush();
  [[nodiscard]] bool accepts_more() const noexcept {
    return sender_.unsent() < settings_.send_buffer;
  }
  [[nodiscard]] std::size_t unsent() const noexcept { return sender_.unsent(); }

  /// The channel has room again.
  void resume_reading();

  [[nodiscard]] bool open() const noexcept { return !closing_ && !ended_; }
  [[nodiscard]] const net::TransportInformation& information() const noexcept {
    return opened_.transport->information();
  }
  [[nodiscard]] const Opened& opened() const noexcept { return opened_; }

 private:
  void on_readable() override;
  void on_writable() override;
  void on_control(websocket::Opcode opcode, std::span<const std::byte> payload) override;

  /// What came of one read; false: stop reading for now.
  bool handle(const Receiver::Outcome& outcome);
  void discard();
  void answer_ping();
  void take_pong(std::span<const std::byte> payload);
  void take_close(std::span<const std::byte> payload);
  void send_ping(daemon::TimePoint now);
  void send_close(websocket::CloseCode code, std::string_view reason);
  void shut_when_said();
  void transport_ended(net::IoResult result);
  void end(daemon::Error error, std::string text);
  [[nodiscard]] std::uint64_t wall_time_ns() const;

  [[nodiscard]] daemon::TimePoint next_deadline() const;
  void check_deadlines();
  void read_rest();

  daemon::Environment& environment_;
  const config::ConnectionSettings& settings_;
  ipc::Channel& channel_;
  Statistics& statistics_;
  Opened opened_;
  Receiver receiver_;
  Sender sender_;
  std::unique_ptr<daemon::Environment::Alarm> alarm_;

  daemon::TimePoint last_receive_;
  daemon::TimePoint last_ping_;                     ///< sent, or was to be
  std::optional<daemon::TimePoint> message_since_;  ///< a message has begun and not ended
  std::optional<daemon::TimePoint>
      blocked_since_;  ///< bytes are queued, and none were accepted since
  std::optional<daemon::TimePoint> close_deadline_;
  std::optional<net::IoResult> write_failure_;  ///< nothing is written any more
  std::uint64_t messages_seen_ = 0;             ///< Statistics::messages_in at the last read
  std::uint64_t ping_number_ = 0;               ///< payload of our last ping; 0: it was answered
  daemon::TimePoint ping_sent_;
  std::optional<std::vector<std::byte>> ping_to_answer_;
  bool stalled_ = false;
  bool closing_ = false;      ///< our Close frame is queued or sent
  bool peer_closed_ = false;  ///< theirs has come
  bool shut_ = false;
  bool ended_ = false;
  SessionEnd end_;
};

}  // namespace wskeep::upstream
