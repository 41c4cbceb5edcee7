// When a connection's next cycle begins: the parts of Connection that wait, and what people ask.

#include <boost/asio/this_coro.hpp>
#include <utility>

#include "config/quantity.hpp"
#include "config/url.hpp"
#include "daemon/script/evaluate.hpp"
#include "daemon/upstream/attempt_scope.hpp"
#include "daemon/upstream/connection.hpp"
#include "daemon/upstream/secrets.hpp"

namespace wskeep::upstream {
namespace {

namespace asio = boost::asio;
using config::Verdict;
using daemon::Error;
using daemon::TimePoint;
using std::chrono::milliseconds;
using Level = daemon::Log::Level;

milliseconds rounded_up(daemon::Clock::duration duration) {
  return std::max(std::chrono::ceil<milliseconds>(duration), milliseconds(0));
}

std::string rate_text(const config::Rate& rate) {
  return std::to_string(rate.count) + "/" + config::format_duration(rate.per);
}

std::string_view control_name(ipc::Upstream::Control what) {
  switch (what) {
    case ipc::Upstream::Control::reconnect:
      return "reconnect";
    case ipc::Upstream::Control::pause:
      return "pause";
    case ipc::Upstream::Control::resume:
      break;
  }
  return "resume";
}

}  // namespace

/// Ends when a cycle is to begin, or the connection to stop.
asio::awaitable<void> Connection::rest() {
  while (!stopping_) {
    const TimePoint now = environment_.now();
    if (asked_) {
      not_before_ = now;
      slow_ = false;
      note_next(Verdict::retry, std::string(*asked_));
      asked_.reset();
    }
    if (hold_ != Hold::none) {
      if (hold_ == Hold::paused) note_next(Verdict::stop, "paused");
      next_attempt_.reset();
      enter(hold_ == Hold::paused ? State::paused : State::failed);
      co_await alarm_->wait_until(TimePoint::max());
    } else if (now < not_before_ || budget_holds(now)) {
      next_attempt_ = not_before_;
      enter(slow_ ? State::failed : State::backing_off);
      if (logs(Level::debug)) log(Level::debug, "backing_off", {{"wait", wait_text()}});
      co_await alarm_->wait_until(not_before_);
    } else {
      next_attempt_.reset();
      co_return;
    }
  }
}

// -- what the policy makes of an end

void Connection::wait_after(const OpenFailure& failure) {
  if (failure.failure.error == Error::budget_spent) {
    const TimePoint now = environment_.now();
    if (budget_holds(now)) return;
    // The host of a redirection, which no URL names.
    if (refused_)
      return wait_for_budget(refused_->until, budgets_.use_of_host(refused_->host, now), true);
  }
  wait_by(decide(settings_.settings.reconnect, failure), failure.retry_after);
}

void Connection::wait_after(const SessionEnd& end, milliseconds lived) {
  backoff_.session_ended(lived);
  const Error error = end.failure.error;
  // A server that says goodbye to each session at once is not obeyed at once.
  const bool goodbye =
      error == Error::goodbye && lived >= settings_.settings.reconnect.stable_after;
  if (error == Error::paused || error == Error::reconnect_requested ||
      error == Error::reconfigured || error == Error::lifetime || goodbye) {
    // We ended it, and no failure of anybody's.
    slow_ = false;
    not_before_ = ended_at_;
    return note_next(Verdict::retry, std::string(error_name(error)));
  }
  wait_by(decide(settings_.settings.reconnect, end), std::nullopt);
}

void Connection::wait_by(Decision decision, std::optional<std::chrono::seconds> retry_after) {
  slow_ = decision.verdict != Verdict::retry;
  milliseconds wait{0};
  switch (decision.verdict) {
    case Verdict::retry:
      wait = backoff_.next(environment_.random(), retry_after);
      break;
    case Verdict::slow:
      wait = backoff_.slowest(environment_.random(), retry_after);
      break;
    case Verdict::stop:
      if (!interrupted()) hold_ = Hold::stopped;
      break;
  }
  not_before_ = ended_at_ + wait;
  note_next(decision.verdict, std::move(decision.rule));
}

/// Into the timeline, beside the cycle that it follows.
void Connection::note_next(Verdict verdict, std::string rule) {
  if (timeline_.cycles().empty()) return;
  const milliseconds wait =
      verdict == Verdict::stop ? milliseconds(0) : rounded_up(not_before_ - ended_at_);
  timeline_.last().next = {verdict, std::move(rule), wait};
}

std::string Connection::wait_text() const {
  if (hold_ != Hold::none) return "never";
  const milliseconds wait = asked_ ? milliseconds(0) : rounded_up(not_before_ - environment_.now());
  return std::to_string(wait.count()) + "ms";
}

// -- budgets

/// Of the URLs, as the budgets name them; none while one of them cannot be read: the cycle will say
/// what is wrong with it.
std::vector<std::string> Connection::hosts() const {
  std::vector<std::string> hosts;
  if (!budgets_.limits_hosts()) return hosts;
  AttemptScope scope(environment_, variables_.get());
  for (const config::Template& url : settings_.urls) {
    script::Evaluated value = script::evaluate(url, scope);
    auto* const text = std::get_if<std::string>(&value);
    if (text == nullptr) return {};
    try {
      hosts.push_back(ConnectBudgets::host_key(config::parse_url(*text).host));
    } catch (const config::UrlError&) {
      hosts.clear();
    }
    wipe(*text);
    if (hosts.empty()) break;
  }
  return hosts;
}

/// Whether there is a wait for a budget; `not_before_` then says how long.
bool Connection::budget_holds(TimePoint now) {
  const config::Rate& own = settings_.settings.reconnect.budget;
  const TimePoint own_allows = budgets_.allowed_at(name(), own, "", now);
  if (own_allows > now) {
    wait_for_budget(own_allows, budgets_.use_of_connection(name(), own, now), false);
    return true;
  }
  std::string soonest;
  TimePoint allowed = TimePoint::max();
  for (const std::string& host : hosts()) {
    const TimePoint at = budgets_.allowed_at(name(), own, host, now);
    if (at <= now) return false;
    if (at < allowed) {
      allowed = at;
      soonest = host;
    }
  }
  if (soonest.empty()) return false;
  wait_for_budget(allowed, budgets_.use_of_host(soonest, now), true);
  return true;
}

/// `shared`: others may wait for the same moment, and only one of them can have it. Those that wait
/// in vain spread wider each time.
void Connection::wait_for_budget(TimePoint allowed, const ConnectBudgets::Use& use, bool shared) {
  constexpr unsigned widest = 4;
  const milliseconds part = use.limit.per / 16;
  const milliseconds spread =
      shared ? std::max(part, milliseconds(50)) * (1U << std::min(budget_waits_, widest))
             : std::min(part, milliseconds(1000));
  not_before_ = allowed + draw(environment_.random(), spread);
  slow_ = false;
  note_next(Verdict::retry, use.rule);
  last_error_ = {{Error::budget_spent,
                  use.rule + " allows " + rate_text(use.limit) +
                      " connects, and they are spent: raise it if the server allows more"},
                 0,
                 environment_.wall_now()};
  if (budget_waits_++ > 0) return;
  log(Level::warning, "budget_spent",
      {{"message", last_error_->failure.text}, {"next_attempt_in", wait_text()}});
}

bool Connection::may_connect(std::string_view host) {
  const auto until =
      budgets_.take(name(), settings_.settings.reconnect.budget, host, environment_.now());
  if (until) {
    refused_ = {std::string(host), *until};
  } else {
    budget_waits_ = 0;
  }
  return !until;
}

ConnectBudgets::Use Connection::budget_use() const {
  return budgets_.use_of_connection(name(), settings_.settings.reconnect.budget,
                                    environment_.now());
}

// -- what people ask

void Connection::control(Control what, std::uint32_t uid) {
  log(Level::info, "asked",
      {{"what", std::string(control_name(what))},
       {"uid", std::to_string(uid)},
       {"state", std::string(state_name())}});
  if (stopping_) return;
  if (what == Control::resume && hold_ == Hold::none) return;
  if (what == Control::pause) {
    if (hold_ == Hold::paused) return;
    hold_ = Hold::paused;
    asked_.reset();
    cut_short(Error::paused, "paused");
  } else {
    hold_ = Hold::none;
    asked_ = what == Control::resume ? "resumed" : "reconnect_requested";
    backoff_.reset();
    cut_short(Error::reconnect_requested, "a person asked for a new session");
  }
  alarm_->wake();
}

/// Ends the session or the cycle. A wait ends by itself when the alarm is woken.
void Connection::cut_short(Error error, std::string_view reason) {
  if (session_) {
    if (session_->open()) enter(State::closing);
    return session_->close(websocket::CloseCode::normal, reason, error);
  }
  cancel_.emit(asio::cancellation_type::terminal);
  enter(error == Error::paused ? State::paused : State::connecting);
}

}  // namespace wskeep::upstream
