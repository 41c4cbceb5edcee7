#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/log.hpp"
#include "daemon/upstream/backoff.hpp"
#include "daemon/upstream/bandwidth.hpp"
#include "daemon/upstream/connect_budgets.hpp"
#include "daemon/upstream/observer.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/outbox.hpp"
#include "daemon/upstream/policy.hpp"
#include "daemon/upstream/remembered_store.hpp"
#include "daemon/upstream/session.hpp"
#include "daemon/upstream/statistics.hpp"
#include "daemon/upstream/timeline.hpp"
#include "ipc/channel.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::upstream {

/// `resolving`, `connecting` and `opening` are parts of a cycle.
enum class State : std::uint8_t {
  resolving,
  connecting,
  opening,
  ready,
  backing_off,
  paused,
  failed,
  closing
};

[[nodiscard]] std::string_view state_name(State state) noexcept;

inline constexpr std::array all_states{State::resolving, State::connecting,  State::opening,
                                       State::ready,     State::backing_off, State::paused,
                                       State::failed,    State::closing};

/// One entry under `connections:`: cycle, session, back-off, and again, until it is stopped. Owns
/// the channel that local apps read. Lives on one shard.
class Connection final : public ipc::Upstream, private ConnectGate {
 public:
  /// Nothing runs yet. Throws std::system_error when there is no memory for the ring. All that is
  /// referred to outlives it.
  Connection(daemon::Environment& environment, const config::Connection& settings,
             const config::IpcLimits& limits, ConnectBudgets& budgets, daemon::Log& log);
  ~Connection() override;

  /// Before `start`: what the script remembers over a restart is kept there, and taken from there.
  /// It outlives this.
  void keep_remembered(RememberedStore& store);

  /// Begins; `done` is called once when it has ended after `stop`. On the shard.
  void start(std::function<void()> done);

  /// From now on it looks on; before `start`. It outlives this.
  void observe(Observer& observer) noexcept { observer_ = &observer; }

  /// What happens to it, for those who watch all connections: the event's name and its fields, the
  /// connection's name first. Called on the shard.
  using Teller = std::function<void(std::string_view event, boost::json::object details)>;
  /// From now on `teller` is told; before `start`. It outlives this.
  void tell(const Teller& teller) noexcept { teller_ = &teller; }

  /// Closes the session with 1001 and then the local readers, within `at_most`. On the shard.
  void stop(std::chrono::milliseconds at_most);

  /// What those are told whom a connection leaves for good.
  struct Farewell {
    daemon::Error error = daemon::Error::stopped;
    websocket::CloseCode to_upstream = websocket::CloseCode::going_away;
    websocket::CloseCode to_readers = websocket::CloseCode::going_away;
    std::string reason = "wskeepd is stopping";
  };

  /// Closes the session and, at the same time, the local readers: the configuration has no such
  /// connection any more. `session_gone` is called once, when upstream may be connected to by
  /// somebody else. On the shard.
  void retire(Farewell farewell, std::function<void()> session_gone);

  /// Closes those who began to read when it had ended. On the shard.
  void close_late_readers();

  enum class Renewal : std::uint8_t { none, new_session };
  /// From now on these settings hold, which have the same name and ring as those before; for what
  /// has a part in a cycle, from the next cycle on. `new_session`: the session, or the cycle, is
  /// ended for it, and what was waited for is not waited for any more; what is paused stays so. On
  /// the shard.
  void configure(const config::Connection& settings, const config::IpcLimits& limits,
                 Renewal renewal);

  /// The limits of local apps, or the budgets of hosts, are others now. On the shard.
  void limits_changed(const config::IpcLimits& limits);

  /// That hold, or will when the cycle is over. On the shard.
  [[nodiscard]] const config::Connection& settings() const noexcept {
    return next_settings_ ? *next_settings_ : settings_;
  }

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
  [[nodiscard]] boost::json::object describe_attempts() const override;

  [[nodiscard]] std::optional<ipc::Rejection> publish(websocket::Opcode opcode,
                                                      std::span<const std::byte> payload,
                                                      std::weak_ptr<ipc::PublishObserver> observer,
                                                      std::uint64_t token) override;
  [[nodiscard]] std::optional<ipc::Rejection> publish_part(
      ipc::MessagePart part, std::span<const std::byte> payload,
      const std::shared_ptr<ipc::PublishObserver>& publisher, std::uint64_t token) override;
  void abandon_message(const ipc::PublishObserver& publisher) override;
  void flush() override;
  void control(Control what, std::uint32_t uid) override;
  [[nodiscard]] bool accepts_more() const noexcept override;
  [[nodiscard]] bool accepts_parts() const noexcept override;
  [[nodiscard]] std::size_t unsent() const noexcept { return session_ ? session_->unsent() : 0; }

  /// The wall clock went so much farther than the steady one: the machine slept, or somebody set
  /// it. No timer is moved; a session that may have died meanwhile is asked for a sign of life.
  void clock_jumped(std::chrono::milliseconds ahead);

  /// nullptr: nothing has ever waited.
  [[nodiscard]] const Outbox* outbox() const noexcept { return outbox_.get(); }

  /// What is known of the session's transport; nullptr: there is no session.
  [[nodiscard]] const net::TransportInformation* transport() const noexcept {
    return session_ ? &session_->information() : nullptr;
  }
  [[nodiscard]] ConnectBudgets::Use budget_use() const;

 private:
  /// What keeps the next cycle back until a person says otherwise.
  enum class Hold : std::uint8_t { none, paused, stopped };

  /// What there is to say of the last failure.
  struct LastError {
    daemon::Failure failure;
    std::uint16_t close_code = 0;
    daemon::WallTime time;
  };

  /// A host whose budget allowed no connect in the cycle that runs.
  struct Refused {
    std::string host;
    daemon::TimePoint until;
  };

  // connection.cpp: cycles and sessions
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> attempt();
  boost::asio::awaitable<void> run_session(Opened opened);
  void session_ready();
  [[nodiscard]] std::vector<ScriptRecord> script_records() const;
  void prepare_script();
  void restore_remembered();
  void save_remembered();
  void forget_as_said(const SessionEnd& end);
  boost::asio::awaitable<void> renew();
  void plan_renewal();
  boost::asio::awaitable<void> end_renewal();
  boost::asio::awaitable<void> close_readers();
  void begin_to_stop(Farewell farewell, std::chrono::milliseconds for_all,
                     std::chrono::milliseconds for_session);
  void apply_settings();
  void enter(State state);
  void cycle_interrupted();
  void cycle_failed(const OpenFailure& failure);
  void session_ended(const SessionEnd& end, std::chrono::milliseconds lived);
  void tell_state(State before) const;
  void announce(boost::json::object event);
  void announce_connected();
  void announce_disconnected(const SessionEnd& end);
  void send_waiting();

  // connection_log.cpp: what the log is told
  using LogFields = std::initializer_list<daemon::Log::Field>;
  bool log(daemon::Log::Level level, std::string_view event, LogFields fields) const;
  [[nodiscard]] bool logs(daemon::Log::Level level) const noexcept;
  void log_state(State before) const;
  void log_addresses() const;
  void log_failed(const OpenFailure& failure) const;
  void log_connected() const;
  void log_certificate() const;
  void log_disconnected(const SessionEnd& end, std::chrono::milliseconds lived) const;
  void log_lapped(const ipc::Reader& reader, std::uint64_t lost) const;

  // pace.cpp: when the next cycle begins
  boost::asio::awaitable<void> rest();
  void wait_after(const OpenFailure& failure);
  void wait_after(const SessionEnd& end, std::chrono::milliseconds lived);
  void wait_by(Decision decision, std::optional<std::chrono::seconds> retry_after);
  [[nodiscard]] std::vector<std::string> hosts() const;
  [[nodiscard]] bool budget_holds(daemon::TimePoint now);
  void wait_for_budget(daemon::TimePoint allowed, const ConnectBudgets::Use& use, bool shared);
  [[nodiscard]] bool may_connect(std::string_view host) override;
  void note_next(config::Verdict verdict, std::string rule);
  [[nodiscard]] std::string wait_text() const;
  [[nodiscard]] bool interrupted() const noexcept {
    return stopping_ || asked_ || hold_ != Hold::none;
  }
  void cut_short(daemon::Error error, std::string_view reason);

  // describe.cpp
  void describe_settings(boost::json::object& object) const;
  void describe_session(boost::json::object& object) const;
  void describe_traffic(boost::json::object& object) const;
  [[nodiscard]] std::uint64_t wall_now_ns() const;
  [[nodiscard]] boost::json::array describe_certificate_faults() const;
  [[nodiscard]] boost::json::value next_attempt_time() const;
  [[nodiscard]] std::string wall_time_text(daemon::TimePoint time) const;
  [[nodiscard]] std::vector<std::string> warnings() const;

  daemon::Environment& environment_;
  config::Connection settings_;
  ConnectBudgets& budgets_;
  daemon::Log& log_;
  ipc::Channel channel_;
  Statistics statistics_;
  mutable Bandwidth bandwidth_;
  OpeningMemory memory_;
  Timeline timeline_;
  Backoff backoff_;
  std::unique_ptr<daemon::Environment::Alarm> alarm_;
  boost::asio::cancellation_signal cancel_;
  std::unique_ptr<script::Program> program_;      ///< nullptr: there is no script
  std::unique_ptr<script::Variables> variables_;  ///< likewise
  std::unique_ptr<ScriptDriver> script_;          ///< of the session
  unsigned resumes_lost_ = 0;                     ///< in a row, before they were ready
  RememberedStore* remembered_ = nullptr;         ///< nullptr: nothing outlives the process
  std::unique_ptr<Session> session_;
  std::unique_ptr<Outbox> outbox_;                ///< nullptr: nothing has ever waited
  const Teller* teller_ = nullptr;                ///< nobody, save in the daemon
  Observer* observer_ = nullptr;                  ///< nobody, save in a dry run
  std::optional<daemon::TimePoint> ready_since_;  ///< of the session

  State state_ = State::connecting;
  daemon::WallTime since_;
  daemon::TimePoint cycle_begun_;
  daemon::TimePoint ended_at_;                   ///< the last cycle that failed, or session
  std::optional<daemon::TimePoint> away_since_;  ///< the last session's end
  std::optional<LastError> last_error_;

  daemon::TimePoint not_before_;                   ///< the next cycle's begin
  std::optional<daemon::TimePoint> next_attempt_;  ///< the same, while it is waited for
  bool slow_ = false;                              ///< a retry will hardly mend what went wrong
  Hold hold_ = Hold::none;
  std::optional<std::string_view> asked_;  ///< for a new session, at once, by this rule
  std::optional<Refused> refused_;
  unsigned budget_waits_ = 0;  ///< since the last connect that was allowed

  bool cycle_runs_ = false;                            ///< it refers to the settings
  std::unique_ptr<config::Connection> next_settings_;  ///< wait until it does not

  std::unique_ptr<daemon::Environment::Alarm> renewal_alarm_;
  daemon::TimePoint session_begun_;
  std::optional<daemon::TimePoint> renewal_;  ///< when the session is as old as `lifetime` says
  bool renewing_ = false;                     ///< `renew` runs

  bool stopping_ = false;
  daemon::TimePoint stop_deadline_;
  Farewell farewell_;
  std::function<void()> session_gone_;
};

}  // namespace wskeep::upstream
