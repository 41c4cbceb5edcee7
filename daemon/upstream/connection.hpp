#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/log.hpp"
#include "daemon/upstream/address_memory.hpp"
#include "daemon/upstream/backoff.hpp"
#include "daemon/upstream/bandwidth.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/session.hpp"
#include "daemon/upstream/statistics.hpp"
#include "daemon/upstream/timeline.hpp"
#include "ipc/channel.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::upstream {

/// design: resolving, connecting, opening are parts of a cycle.
enum class State : std::uint8_t {
  resolving,
  connecting,
  opening,
  ready,
  backing_off,
  failed,
  closing
};

[[nodiscard]] std::string_view state_name(State state) noexcept;

inline constexpr std::array all_states{State::resolving, State::connecting,  State::opening,
                                       State::ready,     State::backing_off, State::failed,
                                       State::closing};

/// One entry under `connections:`: cycle, session, back-off, and again, until it is stopped. Owns
/// the channel that local apps read. Lives on one shard.
class Connection final : public ipc::Upstream {
 public:
  /// Nothing runs yet. Throws std::system_error when there is no memory for the ring.
  Connection(daemon::Environment& environment, const config::Connection& settings,
             const config::IpcLimits& limits, daemon::Log& log);
  ~Connection() override;

  /// Begins; `done` is called once when it has ended after `stop`. On the shard.
  void start(std::function<void()> done);

  /// Closes the session with 1001 and then the local readers, within `at_most`. On the shard.
  void stop(std::chrono::milliseconds at_most);

  [[nodiscard]] const std::string& name() const noexcept override { return settings_.name; }
  [[nodiscard]] boost::asio::any_io_executor executor() override { return environment_.executor(); }
  [[nodiscard]] ipc::Channel& channel() noexcept override { return channel_; }
  [[nodiscard]] const ipc::Channel& channel() const noexcept { return channel_; }
  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] std::string_view state_name() const noexcept override {
    return upstream::state_name(state());
  }
  [[nodiscard]] bool ready() const noexcept override { return state() == State::ready; }
  [[nodiscard]] const Statistics& statistics() const noexcept { return statistics_; }

  [[nodiscard]] boost::json::object describe(Detail detail) const override;
  [[nodiscard]] boost::json::array describe_attempts() const override;

  [[nodiscard]] std::optional<ipc::Rejection> publish(websocket::Opcode opcode,
                                                      std::span<const std::byte> payload,
                                                      std::weak_ptr<ipc::PublishObserver> observer,
                                                      std::uint64_t token) override;
  void flush() override;
  void control(Control what) override;
  [[nodiscard]] bool accepts_more() const noexcept override;
  [[nodiscard]] std::size_t unsent() const noexcept { return session_ ? session_->unsent() : 0; }

 private:
  /// What there is to say of the last failure.
  struct LastError {
    daemon::Failure failure;
    std::uint16_t close_code = 0;
    daemon::WallTime time;
  };

  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> run_session(Opened opened);
  boost::asio::awaitable<void> back_off();
  boost::asio::awaitable<void> close_readers();
  void enter(State state);
  void cycle_failed(const OpenFailure& failure);
  void session_ended(const SessionEnd& end, std::chrono::milliseconds lived);
  void announce_connected();
  void announce_disconnected(const SessionEnd& end);
  void describe_session(boost::json::object& object) const;

  daemon::Environment& environment_;
  config::Connection settings_;
  daemon::Log& log_;
  ipc::Channel channel_;
  Statistics statistics_;
  mutable Bandwidth bandwidth_;
  AddressMemory addresses_;
  Timeline timeline_;
  Backoff backoff_;
  std::unique_ptr<daemon::Environment::Alarm> alarm_;
  boost::asio::cancellation_signal cancel_;
  std::unique_ptr<Session> session_;

  State state_ = State::connecting;
  daemon::WallTime since_;
  daemon::TimePoint cycle_begun_;
  std::optional<daemon::TimePoint> away_since_;  ///< the last session's end
  std::chrono::milliseconds wait_{0};            ///< before the next cycle
  std::optional<daemon::WallTime> next_attempt_;
  std::optional<LastError> last_error_;
  bool slow_ = false;  ///< a retry will hardly mend what went wrong
  bool stopping_ = false;
  daemon::TimePoint stop_deadline_;
};

}  // namespace wskeep::upstream
