#include "daemon/upstream/connection.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json.hpp>
#include <utility>

#include "daemon/upstream/forgetting.hpp"
#include "ipc/event.hpp"

namespace wskeep::upstream {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
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

/// Of all that a remembered value hangs on.
std::uint64_t fingerprint_of(const config::Connection& settings) {
  std::uint64_t fingerprint = settings.settings.session->fingerprint.value;
  for (const config::Template& url : settings.urls)
    fingerprint = config::fingerprint_of(url.source(), fingerprint);
  return fingerprint;
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

/// While there is no session. What is remembered of an earlier script is not another one's.
void Connection::prepare_script() {
  const auto& script = settings_.settings.session;
  if (program_ ? &program_->script() == script.get() : !script) return;
  variables_.reset();
  program_.reset();
  if (!script) return;
  program_ = std::make_unique<script::Program>(script);
  variables_ = std::make_unique<script::Variables>(program_->script());
  restore_remembered();
}

void Connection::keep_remembered(RememberedStore& store) {
  remembered_ = &store;
  restore_remembered();
}

void Connection::restore_remembered() {
  if (remembered_ == nullptr || !variables_) return;
  variables_->restore(remembered_->find(settings_.name, fingerprint_of(settings_)));
}

/// One that the configuration has no more, or has anew, leaves nothing.
void Connection::save_remembered() {
  if (remembered_ == nullptr || !variables_ || session_gone_) return;
  remembered_->put(settings_.name, fingerprint_of(settings_), variables_->kept());
}

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

void Connection::tell_state(State before) const {
  if (teller_ == nullptr || !*teller_) return;
  json::object details{{"connection", name()},
                       {"state", upstream::state_name(state())},
                       {"previous", upstream::state_name(before)}};
  if ((state_ == State::backing_off || state_ == State::failed) && last_error_) {
    details["error"] = error_name(last_error_->failure.error);
    details["message"] = last_error_->failure.text;
  }
  (*teller_)("state", std::move(details));
}

/// To those who read the connection, and to those who watch all of them.
void Connection::announce(json::object event) {
  channel_.announce(json::serialize(event));
  if (teller_ == nullptr || !*teller_) return;
  const std::string kind(event.at("event").as_string());
  json::object details{{"connection", name()}};
  for (const auto& [key, value] : event) {
    if (key != "event" && key != "time") details[key] = value;
  }
  (*teller_)(kind, std::move(details));
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

/// What the script of the session went through.
std::vector<ScriptRecord> Connection::script_records() const {
  std::vector<ScriptRecord> steps;
  for (const script::StepRecord& record : script_->steps()) {
    const auto milliseconds = [](auto duration) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
    };
    ScriptRecord& step = steps.emplace_back();
    step.step = record.step;
    step.kind = record.kind;
    step.started = milliseconds(record.started);
    if (record.took) step.took = milliseconds(*record.took);
  }
  // Of the last one alone it is worth its memory.
  if (!steps.empty() && !steps.back().took) steps.back().waits_for = script_->waits_for();
  return steps;
}

/// What is remembered is not to be used in vain for ever.
void Connection::forget_as_said(const SessionEnd& end) {
  constexpr unsigned most_resumes = 3;
  const config::SessionScript& script = program_->script();
  if (end.closed_by == ClosedBy::upstream && refuses_remembered(script, end.close_code))
    variables_->forget_remembered();
  if (!script_->resuming()) return;
  resumes_lost_ = ready_since_ ? 0 : resumes_lost_ + 1;
  if (resumes_lost_ < most_resumes) return;
  variables_->forget(script.resume_needs);
  resumes_lost_ = 0;
}

void Connection::clock_jumped(std::chrono::milliseconds ahead) {
  if (session_ && session_->open() && ahead > settings_.settings.timeouts.receive)
    session_->probe();
}

void Connection::announce_connected() {
  const auto& opened = session_->opened();
  json::object event{{"event", "connected"},
                     {"time", ipc::time_text(environment_.wall_now())},
                     {"remote_address", session_->information().remote_address},
                     {"subprotocol", opened.subprotocol},
                     {"away_ms", nullptr}};
  if (away_since_) {
    event["away_ms"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(environment_.now() - *away_since_)
            .count();
  }
  announce(std::move(event));
  log_connected();
  log_certificate();
}

void Connection::announce_disconnected(const SessionEnd& end) {
  json::object event{{"event", "disconnected"},
                     {"time", ipc::time_text(environment_.wall_now())},
                     {"error", error_name(end.failure.error)},
                     {"message", end.failure.text},
                     {"close_code", nullptr},
                     {"reason", end.reason},
                     {"closed_by", closed_by_name(end.closed_by)},
                     {"away_ms", duration_cast<std::chrono::milliseconds>(end.silent).count()}};
  if (end.close_code != 0) event["close_code"] = end.close_code;
  announce(std::move(event));
  // Publishers that waited for the send buffer are told what has become of it.
  channel_.publishers_may_go_on();
}

std::optional<ipc::Rejection> Connection::publish(websocket::Opcode opcode,
                                                  std::span<const std::byte> payload,
                                                  std::weak_ptr<ipc::PublishObserver> observer,
                                                  std::uint64_t token) {
  std::optional<ipc::Rejection> rejection;
  const bool takes = session_ && session_->takes_messages();
  const bool waits = settings_.settings.outbox.ttl.count() > 0 || (outbox_ && !outbox_->empty());
  if (waits && !stopping_ && (!takes || (outbox_ && !outbox_->empty()))) {
    if (!outbox_) {
      outbox_ = std::make_unique<Outbox>(environment_, settings_.settings.outbox, statistics_);
    }
    if (payload.size() > settings_.settings.max_message) {
      rejection = ipc::Rejection{"too_large", "the message is larger than max_message"};
    } else {
      rejection = outbox_->add(opcode, payload, std::move(observer), token);
    }
  } else if (session_) {
    // Who gives no number wants to know only of what was never sent.
    if (token == 0) observer.reset();
    rejection = session_->publish(opcode, payload, std::move(observer), token);
  } else {
    rejection = ipc::Rejection{"not_connected",
                               "upstream is not connected (" + std::string(state_name()) + ")"};
  }
  if (rejection) ++statistics_.rejected_messages;
  return rejection;
}

/// What waited goes first.
void Connection::send_waiting() {
  if (!outbox_ || outbox_->empty()) return;
  while (!outbox_->empty() && session_->takes_messages() && session_->accepts_more()) {
    Outbox::Message message = outbox_->take();
    const auto observer = message.observer.lock();
    if (message.token == 0) message.observer.reset();
    const auto rejection = session_->publish(message.opcode, message.payload,
                                             std::move(message.observer), message.token);
    if (!rejection) continue;
    ++statistics_.rejected_messages;
    if (observer) observer->on_failed(message.token, *rejection);
  }
  session_->flush();
}

std::optional<ipc::Rejection> Connection::publish_part(
    ipc::MessagePart part, std::span<const std::byte> payload,
    const std::shared_ptr<ipc::PublishObserver>& publisher, std::uint64_t token) {
  std::optional<ipc::Rejection> rejection;
  if (session_) {
    rejection = session_->publish_part(part, payload, publisher, token);
  } else {
    rejection = ipc::Rejection{"not_connected",
                               "upstream is not connected (" + std::string(state_name()) + ")"};
  }
  if (rejection) ++statistics_.rejected_messages;
  return rejection;
}

void Connection::abandon_message(const ipc::PublishObserver& publisher) {
  if (session_) session_->abandon_message(publisher);
}

void Connection::flush() {
  if (session_) session_->flush();
}

bool Connection::accepts_more() const noexcept {
  if (!session_ || !session_->takes_messages()) return true;
  return session_->accepts_more() && (!outbox_ || outbox_->empty());
}

bool Connection::accepts_parts() const noexcept {
  return !session_ || !session_->open() || session_->accepts_parts();
}

}  // namespace wskeep::upstream
