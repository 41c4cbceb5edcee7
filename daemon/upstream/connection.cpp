#include "daemon/upstream/connection.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <utility>

namespace wskeep::upstream {
namespace {

namespace asio = boost::asio;
using daemon::Error;

ipc::Channel::Options channel_options(const config::ConnectionSettings& settings,
                                      const config::IpcLimits& limits) {
  return {.shape = {.history = settings.history, .max_message = settings.max_message},
          .patience = settings.patience,
          .gap = settings.gap,
          .send = settings.send,
          .publish = settings.publish,
          .publish_each = limits.publish,
          .batch_bytes = limits.subscriber_buffer,
          .close_timeout = settings.timeouts.close};
}

}  // namespace

std::string_view state_name(State state) noexcept {
  switch (state) {
    case State::resolving:
      return "resolving";
    case State::connecting:
      return "connecting";
    case State::opening:
      return "opening";
    case State::ready:
      return "ready";
    case State::backing_off:
      return "backing_off";
    case State::paused:
      return "paused";
    case State::failed:
      return "failed";
    case State::closing:
      return "closing";
  }
  return "closing";
}

Connection::Connection(daemon::Environment& environment, const config::Connection& settings,
                       const config::IpcLimits& limits, ConnectBudgets& budgets, daemon::Log& log)
    : environment_(environment),
      settings_(settings),
      budgets_(budgets),
      log_(log),
      channel_(environment.executor(), channel_options(settings.settings, limits),
               environment.random()),
      bandwidth_(environment.now()),
      backoff_(settings.settings.reconnect),
      alarm_(environment.make_alarm()),
      since_(environment.wall_now()),
      ended_at_(environment.now()),
      not_before_(ended_at_),
      renewal_alarm_(environment.make_alarm()) {
  prepare_script();
  channel_.on_resume([this] {
    if (session_) session_->resume_reading();
  });
  channel_.on_lapped(
      [this](const ipc::Reader& reader, std::uint64_t lost) { log_lapped(reader, lost); });
}

Connection::~Connection() = default;

void Connection::start(std::function<void()> done) {
  asio::co_spawn(environment_.executor(), run(),
                 asio::bind_cancellation_slot(
                     cancel_.slot(), [done = std::move(done)](const std::exception_ptr& error) {
                       // Nothing in `run` throws but want of memory, and then the process cannot go
                       // on.
                       if (error) std::rethrow_exception(error);
                       done();
                     }));
}

void Connection::stop(std::chrono::milliseconds at_most) {
  // Half of the time is the local readers'.
  begin_to_stop({}, at_most, at_most / 2);
}

void Connection::retire(Farewell farewell, std::function<void()> session_gone) {
  const std::chrono::milliseconds time = settings_.settings.timeouts.close;
  session_gone_ = std::move(session_gone);
  begin_to_stop(std::move(farewell), 2 * time, time);
  close_late_readers();
}

/// A second time it can only become sooner.
void Connection::begin_to_stop(Farewell farewell, std::chrono::milliseconds for_all,
                               std::chrono::milliseconds for_session) {
  const daemon::TimePoint deadline = environment_.now() + for_all;
  stop_deadline_ = stopping_ ? std::min(stop_deadline_, deadline) : deadline;
  if (!stopping_) farewell_ = std::move(farewell);
  stopping_ = true;
  enter(State::closing);
  if (session_) {
    session_->close(farewell_.to_upstream, farewell_.reason, farewell_.error, for_session);
  } else {
    cancel_.emit(asio::cancellation_type::terminal);
    alarm_->wake();
  }
}

void Connection::close_late_readers() {
  channel_.close_all(static_cast<std::uint16_t>(farewell_.to_readers), farewell_.reason);
}

void Connection::configure(const config::Connection& settings, const config::IpcLimits& limits,
                           Renewal renewal) {
  if (stopping_) return;
  next_settings_ = std::make_unique<config::Connection>(settings);
  if (renewal == Renewal::new_session && hold_ != Hold::paused) {
    hold_ = Hold::none;
    asked_ = error_name(Error::reconfigured);
    backoff_.reset();
    cut_short(Error::reconfigured, "the configuration was changed");
    alarm_->wake();
  }
  if (!cycle_runs_) apply_settings();
  limits_changed(limits);
}

void Connection::limits_changed(const config::IpcLimits& limits) {
  if (stopping_) return;
  channel_.configure(channel_options(settings_.settings, limits));
  const bool waits_for_budget =
      next_attempt_ && last_error_ && last_error_->failure.error == Error::budget_spent;
  if (!waits_for_budget) return;
  not_before_ = environment_.now();
  alarm_->wake();
}

/// The name is the same, and other threads read it.
void Connection::apply_settings() {
  if (!next_settings_) return;
  const auto lifetime = settings_.settings.lifetime;
  const auto script = settings_.settings.session;
  settings_.urls = std::move(next_settings_->urls);
  settings_.settings = std::move(next_settings_->settings);
  // The same script in other words: what it remembers stays.
  if (script && settings_.settings.session && *script == *settings_.settings.session)
    settings_.settings.session = script;
  next_settings_.reset();
  const config::Reconnect& reconnect = settings_.settings.reconnect;
  backoff_.configure({reconnect.initial, reconnect.max, reconnect.stable_after});
  if (outbox_) outbox_->settings_changed();
  if (!session_) return;
  session_->settings_changed();
  if (lifetime != settings_.settings.lifetime) plan_renewal();
}

asio::awaitable<void> Connection::run() {
  // What `stop` cancels ends by itself, and then the readers are still to be closed.
  co_await asio::this_coro::throw_if_cancelled(false);
  while (!stopping_) {
    co_await rest();
    if (!stopping_) co_await attempt();
  }
  enter(State::closing);
  if (session_gone_) std::exchange(session_gone_, nullptr)();
  if (outbox_) {
    ipc::Rejection reason{"not_connected", farewell_.reason};
    co_await outbox_->end(std::move(reason));
  }
  co_await close_readers();
}

asio::awaitable<void> Connection::attempt() {
  // What cut the last one short is over.
  co_await asio::this_coro::reset_cancellation_state();
  cycle_begun_ = environment_.now();
  refused_.reset();
  prepare_script();
  enter(State::connecting);
  cycle_runs_ = true;
  OpenResult result =
      co_await open_session(environment_, settings_, memory_, timeline_, *this, variables_.get());
  save_remembered();
  cycle_runs_ = false;
  apply_settings();
  log_addresses();
  if (interrupted()) {
    cycle_interrupted();
  } else if (auto* failure = std::get_if<OpenFailure>(&result)) {
    cycle_failed(*failure);
  } else {
    co_await run_session(std::move(std::get<Opened>(result)));
  }
}

asio::awaitable<void> Connection::run_session(Opened opened) {
  const auto begun = environment_.now();
  session_ = std::make_unique<Session>(environment_, settings_.settings, channel_, statistics_,
                                       std::move(opened));
  session_->on_room([this] { send_waiting(); });
  ++statistics_.sessions;
  session_begun_ = begun;
  ready_since_.reset();
  if (observer_ != nullptr) {
    session_->observe(*observer_);
    observer_->opened();
  }
  if (program_) {
    enter(State::opening);
    const config::SessionScript& script = program_->script();
    // Where it would be resumed there is no session to be had: this one is another.
    if (!script.resume_url.empty() && !session_->opened().at_resume_url)
      variables_->forget(script.resume_needs);
    script_ = std::make_unique<ScriptDriver>(environment_, *program_, *variables_, channel_.ring());
    if (observer_ != nullptr) script_->observe(*observer_);
    if (remembered_ != nullptr) script_->keep([this] { save_remembered(); });
    session_->follow(*script_, [this] { session_ready(); });
  } else {
    session_ready();
  }
  plan_renewal();
  const SessionEnd end = co_await session_->run();
  co_await end_renewal();
  session_ended(end,
                std::chrono::duration_cast<std::chrono::milliseconds>(environment_.now() - begun));
  session_.reset();
  script_.reset();
  if (!stopping_) enter(hold_ == Hold::paused ? State::paused : State::backing_off);
  if (ready_since_) announce_disconnected(end);
}

void Connection::session_ready() {
  ready_since_ = environment_.now();
  statistics_.times_to_ready.observe(*ready_since_ - cycle_begun_);
  if (!stopping_) enter(State::ready);
  if (script_) timeline_.last().script = script_records();
  announce_connected();
  if (observer_ != nullptr) observer_->ready();
  send_waiting();
}

// -- `lifetime`

void Connection::plan_renewal() {
  const std::chrono::milliseconds lifetime = settings_.settings.lifetime;
  renewal_.reset();
  if (lifetime.count() > 0 && session_->open()) {
    // Sessions that began together, after an outage, are not to be renewed together; nor those that
    // a new lifetime finds too old.
    const auto spread = draw(environment_.random(), lifetime / 10);
    const daemon::TimePoint now = environment_.now();
    renewal_ = session_begun_ + lifetime - spread;
    if (*renewal_ <= now) renewal_ = now + spread;
  }
  renewal_alarm_->wake();
  if (!renewal_ || renewing_) return;
  renewing_ = true;
  asio::co_spawn(environment_.executor(), renew(), [this](const std::exception_ptr& error) {
    if (error) std::rethrow_exception(error);
    renewing_ = false;
    alarm_->wake();
  });
}

asio::awaitable<void> Connection::renew() {
  while (session_->open() && renewal_ && environment_.now() < *renewal_)
    co_await renewal_alarm_->wait_until(*renewal_);
  if (!renewal_ || !session_->open()) co_return;
  session_->close(websocket::CloseCode::normal, "the session is as old as lifetime says",
                  Error::lifetime);
}

/// The session lives until this has ended.
asio::awaitable<void> Connection::end_renewal() {
  renewal_.reset();
  renewal_alarm_->wake();
  while (renewing_) co_await alarm_->wait_until(daemon::TimePoint::max());
}

/// Local readers are sent what is left and a Close frame; they have until the deadline to take it,
/// the last quarter of it for the Close frame alone.
asio::awaitable<void> Connection::close_readers() {
  constexpr std::chrono::milliseconds look_again{20};
  const daemon::TimePoint given_by =
      environment_.now() + (stop_deadline_ - environment_.now()) * 3 / 4;
  while (channel_.readers() > 0 && environment_.now() < stop_deadline_) {
    if (environment_.now() < given_by) {
      channel_.close_caught_up(static_cast<std::uint16_t>(farewell_.to_readers), farewell_.reason);
    } else {
      close_late_readers();
    }
    if (channel_.readers() == 0) break;
    co_await alarm_->wait_until(environment_.now() + look_again);
  }
}

void Connection::enter(State state) {
  if (state_ == state) return;
  const State before = this->state();
  state_ = state;
  since_ = environment_.wall_now();
  log_state(before);
  tell_state(before);
}

State Connection::state() const noexcept {
  if (state_ != State::connecting) return state_;
  if (timeline_.cycles().empty()) return State::resolving;
  const Cycle& cycle = timeline_.cycles().back();
  if (cycle.ended) return State::resolving;  // another is about to begin
  if (cycle.legs.empty() || cycle.legs.back().addresses.empty()) return State::resolving;
  for (const AddressStep& step : cycle.legs.back().addresses) {
    if (!step.ended && (step.reached == Stage::http || step.reached == Stage::open))
      return State::opening;
  }
  return State::connecting;
}

/// A person paused it, or wants it begun anew; that is no failure.
void Connection::cycle_interrupted() {
  if (stopping_) return;
  daemon::Failure failure{Error::reconnect_requested, "a person asked for a new session"};
  if (hold_ == Hold::paused) {
    failure = {Error::paused, "paused"};
  } else if (asked_ == error_name(Error::reconfigured)) {
    failure = {Error::reconfigured, "the configuration was changed"};
  }
  ++statistics_.ended[static_cast<std::size_t>(failure.error)];
  timeline_.last().failure = std::move(failure);
  ended_at_ = not_before_ = environment_.now();
}

void Connection::cycle_failed(const OpenFailure& failure) {
  const Error error = failure.failure.error;
  ++statistics_.attempts_failed;
  ++statistics_.ended[static_cast<std::size_t>(error)];
  last_error_ = {failure.failure, 0, environment_.wall_now()};
  if (observer_ != nullptr) observer_->attempt_failed(failure.failure);
  ended_at_ = environment_.now();
  wait_after(failure);
  log_failed(failure);
}

void Connection::session_ended(const SessionEnd& end, std::chrono::milliseconds lived) {
  ++statistics_.ended[static_cast<std::size_t>(end.failure.error)];
  last_error_ = {end.failure, end.close_code, environment_.wall_now()};
  away_since_ = ended_at_ = environment_.now();
  timeline_.last().session = {lived, end.failure, end.close_code};
  if (script_) timeline_.last().script = script_records();
  if (observer_ != nullptr) observer_->ended(end, lived);
  if (script_) forget_as_said(end);
  save_remembered();
  // A server that lets us in and then never answers gets no credit for the time that took.
  wait_after(end, ready_since_ ? std::chrono::duration_cast<std::chrono::milliseconds>(
                                     ended_at_ - *ready_since_)
                               : std::chrono::milliseconds(0));
  log_disconnected(end, lived);
}

void Connection::clock_jumped(std::chrono::milliseconds ahead) {
  if (session_ && session_->open() && ahead > settings_.settings.timeouts.receive)
    session_->probe();
}

}  // namespace wskeep::upstream
