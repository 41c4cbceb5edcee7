#include "daemon/upstream/open.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "config/request_templates.hpp"
#include "config/session.hpp"
#include "daemon/upstream/attempt_scope.hpp"
#include "daemon/upstream/cancelled.hpp"
#include "daemon/upstream/forgetting.hpp"
#include "daemon/upstream/leg.hpp"
#include "daemon/upstream/prepare.hpp"
#include "daemon/upstream/proxy_choice.hpp"
#include "daemon/upstream/public_url.hpp"
#include "daemon/upstream/target.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;
using daemon::TimePoint;
using std::chrono::milliseconds;

namespace {

/// In which order the URLs are tried, as their numbers.
std::vector<std::size_t> order_of(std::size_t urls, config::UrlOrder order,
                                  Environment& environment) {
  std::vector<std::size_t> numbers(urls);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  if (order == config::UrlOrder::shuffled)
    for (std::size_t left = urls; left > 1; --left)
      std::swap(numbers[left - 1], numbers[environment.random() % left]);
  return numbers;
}

std::string shown(const config::Url& url) {
  return public_url((url.secure ? "wss://" : "ws://") + url.authority() + url.target);
}

/// Of a URL that came from elsewhere: its path and query can be tickets.
std::string origin_text(const config::Url& url) {
  return std::string(url.secure ? "wss://" : "ws://") + url.authority() +
         (url.target == "/" ? "/" : "/***");
}

bool is_further(const Setback& a, const std::optional<Setback>& b) {
  return !b || a.stage >= b->stage;
}

/// One cycle on its way: one URL after another, and where each sends us. Lives in the frame of
/// `open_session`.
class Opening {
 public:
  Opening(Environment& environment, const config::Connection& connection, OpeningMemory& memory,
          Cycle& cycle, ConnectGate& gate, script::Variables* variables)
      : connection_(connection),
        variables_(variables),
        scope_(environment, variables),
        with_{environment, connection.settings, memory, gate, cycle, environment.now()},
        deadline_(with_.started + connection.settings.timeouts.connect) {}

  asio::awaitable<OpenResult> run();

 private:
  asio::awaitable<bool> make_ready();
  [[nodiscard]] std::vector<const config::Template*> urls();
  asio::awaitable<void> try_url(const config::Template& url);
  asio::awaitable<void> follow(Target target);
  asio::awaitable<LegEnd> go(const Target& target, std::uint32_t followed);
  void begin_leg(std::string url, bool redirected);
  void take(LegEnd end);
  void fail(Failure failure, bool of_all);
  [[nodiscard]] bool is_resume_url(const config::Template& url) const noexcept;
  void forget_refused(const config::Template& url);
  void note(Setback setback);
  [[nodiscard]] Setback lateness(const LegEnd& end) const;
  [[nodiscard]] OpenFailure too_late() const;
  OpenResult finish(bool stopped);

  const config::Connection& connection_;
  script::Variables* variables_;  ///< nullptr: there is no script
  AttemptScope scope_;
  LegRun::Surroundings with_;
  TimePoint deadline_;
  TimePoint url_deadline_;  ///< of the URL that is being tried, redirections included
  milliseconds url_time_{0};
  std::optional<Opened> opened_;
  std::optional<Setback> setback_;      ///< of the URL that came farthest
  std::optional<Setback> url_setback_;  ///< of the URL that is being tried
  bool late_ = false;                   ///< the whole cycle's time was over
  bool spent_ = false;
  bool over_ = false;  ///< no other URL is worth trying
};

asio::awaitable<OpenResult> Opening::run() {
  if (variables_ != nullptr) {
    variables_->begin_attempt();
    if (!connection_.settings.session->prepare.empty() && !co_await make_ready())
      co_return finish(co_await cancelled());
  }
  const auto all = urls();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const TimePoint now = with_.environment.now();
    if (opened_ || over_ || now >= deadline_ || co_await cancelled()) break;
    // Each leaves those behind it their share.
    url_deadline_ = now + (deadline_ - now) / static_cast<std::int64_t>(all.size() - i);
    url_time_ = std::chrono::duration_cast<milliseconds>(url_deadline_ - now);
    url_setback_.reset();
    co_await try_url(*all[i]);
    forget_refused(*all[i]);
    if (opened_) opened_->at_resume_url = is_resume_url(*all[i]);
    if (url_setback_ && is_further(*url_setback_, setback_)) setback_ = std::move(url_setback_);
  }
  co_return finish(co_await cancelled());
}

/// Its steps have times of their own; that of the cycle begins behind them.
asio::awaitable<bool> Opening::make_ready() {
  auto failure =
      co_await prepare(with_.environment, connection_, with_.memory, *variables_, with_.cycle);
  deadline_ = with_.environment.now() + with_.settings.timeouts.connect;
  if (!failure) co_return true;
  setback_ = Setback{std::move(*failure), std::nullopt};
  co_return false;
}

/// In the order in which they are tried.
std::vector<const config::Template*> Opening::urls() {
  std::vector<const config::Template*> all;
  const auto& script = connection_.settings.session;
  if (variables_ != nullptr && !script->resume_url.empty() &&
      variables_->knows_all(script->resume_needs))
    all.push_back(&script->resume_url);
  for (const std::size_t number :
       order_of(connection_.urls.size(), with_.settings.fallback.urls, with_.environment))
    all.push_back(&connection_.urls[number]);
  return all;
}

bool Opening::is_resume_url(const config::Template& url) const noexcept {
  const auto& script = connection_.settings.session;
  return script && &url == &script->resume_url;
}

/// An answer that refuses a place to go on from would refuse it each time.
void Opening::forget_refused(const config::Template& url) {
  if (variables_ == nullptr || !url_setback_) return;
  const unsigned status = url_setback_->failure.http_status;
  if (refuses_remembered(*connection_.settings.session, connection_, url, status))
    variables_->forget_remembered();
}

asio::awaitable<void> Opening::try_url(const config::Template& url) {
  begin_leg(public_url(url.source()), false);
  auto target = read_target(connection_, url, scope_);
  if (auto* failure = std::get_if<TargetFailure>(&target)) {
    // What a resume wants in vain is no fault of the URLs that are configured.
    fail(std::move(failure->failure), failure->of_all && !is_resume_url(url));
    co_return;
  }
  if (!config::names_scheme(url))
    with_.cycle.legs.back().url = origin_text(std::get<Target>(target).url);
  co_await follow(std::move(std::get<Target>(target)));
}

asio::awaitable<void> Opening::follow(Target first) {
  std::optional<Target> target(std::move(first));
  for (std::uint32_t followed = 0;; ++followed) {
    LegEnd end = co_await go(*target, followed);
    if (!end.redirected) {
      take(std::move(end));
      co_return;
    }
    // What failed before there was an answer does not matter any more.
    url_setback_.reset();
    Target next = redirected_target(*target, std::move(*end.redirected));
    target.emplace(std::move(next));
    begin_leg(shown(target->url), true);
    if (co_await cancelled()) co_return;
  }
}

/// One leg, which has been begun.
asio::awaitable<LegEnd> Opening::go(const Target& target, std::uint32_t followed) {
  ProxyChoice choice = choose_proxy(with_.settings, target.url, process_variables());
  if (auto* failure = std::get_if<Failure>(&choice)) {
    LegEnd end;
    end.setback = Setback{{std::move(*failure), 0, std::nullopt}, std::nullopt};
    end.of_all = true;
    co_return end;
  }
  const auto& chosen = std::get<std::optional<ChosenProxy>>(choice);
  if (chosen) with_.cycle.legs.back().proxy = chosen->shown;
  LegRun run(with_, target, chosen ? &chosen->proxy : nullptr, followed, url_deadline_);
  co_return co_await run.run();
}

void Opening::begin_leg(std::string url, bool redirected) {
  Leg& leg = with_.cycle.legs.emplace_back();
  leg.url = std::move(url);
  leg.redirected = redirected;
}

void Opening::take(LegEnd end) {
  if (end.opened) opened_ = std::move(end.opened);
  if (end.setback) note(std::move(*end.setback));
  if (end.late) note(lateness(end));
  late_ = late_ || (end.late && with_.environment.now() >= deadline_);
  spent_ = spent_ || end.spent;
  over_ = over_ || end.spent || end.of_all;
}

void Opening::fail(Failure failure, bool of_all) {
  note({{std::move(failure), 0, std::nullopt}, std::nullopt});
  over_ = over_ || of_all;
}

/// Of several URLs, the sentence says which.
void Opening::note(Setback setback) {
  if (!is_further(setback, url_setback_)) return;
  const auto& legs = with_.cycle.legs;
  if (connection_.urls.size() > 1 || legs.size() > 1)
    setback.failure.failure.text = legs.back().url + ": " + setback.failure.failure.text;
  url_setback_ = std::move(setback);
}

Setback Opening::lateness(const LegEnd& end) const {
  return {{{Error::connect_timeout, "no session within " + std::to_string(url_time_.count()) +
                                        " ms, its share of timeouts.connect"},
           0,
           std::nullopt},
          end.reached};
}

OpenFailure Opening::too_late() const {
  const bool before = setback_ && setback_->failure.failure.error != Error::connect_timeout;
  return {{Error::connect_timeout,
           "no session within " + std::to_string(with_.settings.timeouts.connect.count()) + " ms" +
               (before ? "; before that, " + setback_->failure.failure.text : "")},
          0,
          std::nullopt};
}

OpenResult Opening::finish(bool stopped) {
  const TimePoint now = with_.environment.now();
  with_.cycle.ended = std::chrono::duration_cast<milliseconds>(now - with_.started);
  if (opened_ && !stopped) return std::move(*opened_);
  OpenFailure failure{{Error::stopped, "stopped"}, 0, std::nullopt};
  if (!stopped && late_)
    failure = too_late();
  else if (!stopped && setback_)
    failure = std::move(setback_->failure);
  else if (!stopped && spent_)
    failure.failure = {Error::budget_spent,
                       "no connect is left in the budget (`reconnect.budget`, `connects`)"};
  with_.cycle.failure = failure.failure;
  return failure;
}

}  // namespace

asio::awaitable<OpenResult> open_session(Environment& environment,
                                         const config::Connection& connection,
                                         OpeningMemory& memory, Timeline& timeline,
                                         ConnectGate& gate, script::Variables* variables) {
  // Cancelled, we still wait for what we started.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  OpenResult result = OpenFailure{};
  {
    Opening opening(environment, connection, memory, timeline.begin(environment.wall_now()), gate,
                    variables);
    result = co_await opening.run();
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return result;
}

}  // namespace wskeep::upstream
