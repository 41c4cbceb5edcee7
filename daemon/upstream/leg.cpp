#include "daemon/upstream/leg.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>
#include <new>
#include <sstream>
#include <string>
#include <utility>
#include <variant>

#include "daemon/upstream/cancelled.hpp"
#include "daemon/upstream/look_up.hpp"
#include "daemon/upstream/redirect.hpp"
#include "daemon/upstream/refusal.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;
using daemon::TimePoint;
using std::chrono::milliseconds;

namespace {

std::string random_key(Environment& environment) {
  std::array<std::byte, 16> random{};
  for (std::size_t i = 0; i < random.size(); i += 4) {
    const std::uint32_t word = environment.unpredictable();
    std::memcpy(&random[i], &word, sizeof word);
  }
  return websocket::make_key(random);
}

/// A fault of this machine says nothing of the address.
bool is_local(Error error) {
  return error == Error::configuration || error == Error::out_of_resources ||
         error == Error::internal;
}

std::string milliseconds_text(milliseconds duration) {
  return std::to_string(duration.count()) + " ms";
}

}  // namespace

LegRun::Attempt::Attempt(LegRun& leg_, std::size_t number_, daemon::Endpoint endpoint_)
    : leg(leg_),
      number(number_),
      endpoint(std::move(endpoint_)),
      go(leg.with_.environment.make_alarm()) {}

asio::awaitable<void> LegRun::Attempt::pass() {
  AddressStep& mine = leg.step(*this);
  mine.connected = leg.elapsed();
  mine.reached = Stage::reserve;
  leg.race_->connected(number, leg.with_.environment.now());
  leg.alarm_->wake();
  while (!leading && !co_await cancelled()) co_await go->wait_until(TimePoint::max());
  if (leading) leg.step(*this).reached = leg.behind_tcp();
}

LegRun::LegRun(const Surroundings& surroundings, const Target& target, const daemon::Proxy* proxy,
               std::uint32_t followed, TimePoint deadline)
    : with_(surroundings),
      target_(target),
      proxy_(proxy),
      followed_(followed),
      deadline_(deadline),
      host_(proxy == nullptr ? target.url.host : proxy->host),
      port_(proxy == nullptr ? target.url.port : proxy->port),
      alarm_(surroundings.environment.make_alarm()) {}

asio::awaitable<LegEnd> LegRun::run() {
  if (with_.environment.now() >= deadline_) {  // a redirection came late
    end_.late = true;
    end_.reached = Stage::http;
    co_return std::move(end_);
  }
  const auto endpoints = co_await find_addresses();
  if (!endpoints.empty() && !co_await cancelled()) co_await race(endpoints);
  const bool stopped = co_await cancelled();
  // A new look-up may find others. Where an answer was no, the address was right.
  const bool gone = !end_.opened && !end_.redirected && !decided_ && !end_.spent && !stopped;
  if (gone) with_.memory.names.forget(host_, port_);
  co_return std::move(end_);
}

asio::awaitable<std::vector<daemon::Endpoint>> LegRun::find_addresses() {
  const config::ConnectionSettings& settings = with_.settings;
  const milliseconds begun = elapsed();
  const auto left = std::chrono::ceil<milliseconds>(deadline_ - with_.environment.now());
  LookedUp found = co_await look_up(with_.environment, settings, with_.memory.names, host_, port_,
                                    std::min(settings.timeouts.resolve, left));
  found.step.started = begun;
  const Failure& failure = found.step.failure;
  if (failure.error != Error::none && failure.error != Error::stopped)
    end_.setback = Setback{{failure, 0, std::nullopt}, std::nullopt};
  with_.cycle.legs.back().resolve = std::move(found.step);
  co_return with_.memory.addresses.order(found.endpoints, settings.fallback.addresses,
                                         with_.environment.now());
}

asio::awaitable<void> LegRun::race(std::vector<daemon::Endpoint> endpoints) {
  const config::ConnectionSettings& settings = with_.settings;
  race_.emplace(endpoints.size(),
                AddressRace::Settings{settings.fallback.delay, settings.timeouts.address});
  // Attempts refer to the steps by number; `pass` holds none across a wait.
  with_.cycle.legs.back().addresses.reserve(endpoints.size());
  while (!end_.opened && !decided_ && !co_await cancelled()) {
    const TimePoint now = with_.environment.now();
    if (now >= deadline_) {
      note_late();
      break;
    }
    while (const auto action = race_->next(now)) act(*action, endpoints);
    if (race_->exhausted()) break;
    co_await alarm_->wait_until(std::min(race_->wake_at(), deadline_));
  }
  co_await join();
}

/// Stops what still runs and waits for its end, which is prompt. Also when we are cancelled
/// ourselves.
asio::awaitable<void> LegRun::join() {
  for (const auto& one : attempts_)
    if (!one->over) one->stop.emit(asio::cancellation_type::terminal);
  const auto running = [](const std::shared_ptr<Attempt>& one) { return !one->over; };
  while (std::any_of(attempts_.begin(), attempts_.end(), running))
    co_await alarm_->wait_until(TimePoint::max());
}

void LegRun::act(AddressRace::Action action, const std::vector<daemon::Endpoint>& endpoints) {
  switch (action.kind) {
    case AddressRace::Kind::start:
      start(action.address, endpoints[action.address]);
      break;
    case AddressRace::Kind::advance:
      attempts_[action.address]->leading = true;
      attempts_[action.address]->go->wake();
      break;
    case AddressRace::Kind::give_up:
      give_up(*attempts_[action.address]);
      break;
  }
}

void LegRun::start(std::size_t number, const daemon::Endpoint& endpoint) {
  if (!with_.gate.may_connect(target_.url.host)) {
    end_.spent = true;
    race_->start_no_more(number);
    return;
  }
  auto one = std::make_shared<Attempt>(*this, number, endpoint);
  attempts_.push_back(one);
  AddressStep& noted = with_.cycle.legs.back().addresses.emplace_back();
  noted.endpoint = endpoint;
  noted.started = elapsed();
  try {
    asio::co_spawn(with_.environment.executor(), attempt(one),
                   asio::bind_cancellation_slot(one->stop.slot(),
                                                [this, one](const std::exception_ptr& exception) {
                                                  ended(*one, exception);
                                                }));
  } catch (const std::exception&) {
    ended(*one, std::current_exception());
  }
}

void LegRun::give_up(Attempt& one) {
  note_progress(one);
  one.given_up = true;
  const std::string_view stage = stage_name(step(one).reached);
  note_failure(one,
               {{Error::address_timeout, "nothing came of it within " +
                                             milliseconds_text(with_.settings.timeouts.address) +
                                             "; it hung at " + std::string(stage)},
                0,
                std::nullopt});
  one.stop.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> LegRun::attempt(std::shared_ptr<Attempt> one) {
  co_await asio::this_coro::throw_if_cancelled(false);
  Answer answer = co_await reach(*one);
  if (!one->given_up) take(*one, std::move(answer));
}

Environment::DialTarget LegRun::dial_target(Attempt& one) const {
  const config::Timeouts& timeouts = with_.settings.timeouts;
  Environment::DialTarget target;
  target.endpoint = one.endpoint;
  target.secure = target_.url.secure;
  // A zone is part of the endpoint, and no name that anybody else would know.
  target.host = target_.url.host.substr(0, target_.url.host.find('%'));
  target.port = target_.url.port;
  target.tls = &target_.tls;
  target.gate = &one;
  target.proxy = proxy_;
  target.proxy_tls = proxy_ == nullptr ? nullptr : &with_.settings.proxy_tls;
  target.user_timeout = timeouts.send;
  target.probe_after = std::max(timeouts.receive / 2, milliseconds{1000});
  return target;
}

asio::awaitable<Answer> LegRun::reach(Attempt& one) {
  if (co_await cancelled()) co_return OpenFailure{{Error::stopped, "stopped"}, 0, std::nullopt};
  // Not written within the co_await: g++ 12 destroys aggregates there twice.
  Environment::DialTarget target = dial_target(one);
  daemon::DialResult dialled = co_await with_.environment.dial(std::move(target), one.progress);
  if (!one.given_up) note_progress(one);
  if (auto* failure = std::get_if<Failure>(&dialled)) {
    hide_proxy_credentials(failure->text);
    co_return OpenFailure{std::move(*failure), 0, std::nullopt};
  }
  step(one).reached = Stage::http;
  if (talk_ != nullptr)
    co_return co_await (*talk_)(std::move(std::get<std::unique_ptr<net::Transport>>(dialled)));
  websocket::UpgradeRequest request = target_.request;
  request.key = random_key(with_.environment);
  Answer answer = co_await upgrade(with_.environment,
                                   std::move(std::get<std::unique_ptr<net::Transport>>(dialled)),
                                   request, target_.secrets);
  for (auto& [name, value] : request.headers) wipe(value);
  co_return answer;
}

/// The end of an attempt's coroutine. What it threw (there is only memory to run out of) ends the
/// attempt alone.
void LegRun::ended(Attempt& one, const std::exception_ptr& exception) {
  one.over = true;
  if (exception && !one.given_up) {
    Failure failure{Error::internal, "the attempt threw"};
    try {
      std::rethrow_exception(exception);
    } catch (const std::bad_alloc&) {
      failure = {Error::out_of_resources, "no memory"};
    } catch (const std::exception& error) {
      failure.text = error.what();
    }
    take(one, OpenFailure{std::move(failure), 0, std::nullopt});
  }
  alarm_->wake();
}

void LegRun::take(Attempt& one, Answer answer) {
  if (auto* failure = std::get_if<OpenFailure>(&answer)) {
    if (failure->http_status != 0) step(one).answered = elapsed();
    note_failure(one, std::move(*failure));
    race_->failed(one.number, with_.environment.now());
    return;
  }
  step(one).answered = elapsed();
  with_.memory.addresses.succeeded(one.endpoint);
  if (const auto* redirection = std::get_if<Redirection>(&answer)) {
    take_redirection(one, redirection->response);
    return;
  }
  AddressStep& noted = step(one);
  noted.ended = elapsed();
  noted.http_status = 101;
  if (end_.opened) return;  // cannot be: one alone leads; closes the second
  noted.reached = Stage::open;
  end_.opened = std::move(std::get<Opened>(answer));
}

void LegRun::take_redirection(Attempt& one, const websocket::HttpHead& response) {
  auto way = follow_redirection(target_.url, response, followed_, with_.settings.redirects);
  if (auto* failure = std::get_if<Failure>(&way)) {
    failure->text = target_.secrets.hidden(failure->text);
    note_failure(one, {std::move(*failure), response.status, std::nullopt});
    return;
  }
  decided_ = true;
  end_.redirected = std::move(std::get<config::Url>(way));
  AddressStep& noted = step(one);
  noted.ended = elapsed();
  noted.http_status = response.status;
  noted.failure = {Error::http_redirect, "the server answered " + std::to_string(response.status) +
                                             " and redirects, which is followed"};
}

void LegRun::note_failure(Attempt& one, OpenFailure failure) {
  AddressStep& noted = step(one);
  noted.ended = elapsed();
  noted.http_status = failure.http_status;
  noted.failure = failure.failure;
  const Error error = failure.failure.error;
  if (error == Error::stopped) return;
  decided_ = decided_ || !worth_another_address(failure);
  end_.of_all = end_.of_all || error == Error::configuration;
  if (!decided_ && !is_local(error))
    with_.memory.addresses.failed(one.endpoint, with_.environment.now());
  if (end_.setback && end_.setback->stage && noted.reached < *end_.setback->stage) return;
  failure.failure.text = place(one) + ": " + failure.failure.text;
  end_.setback = Setback{std::move(failure), noted.reached};
}

/// What the dial knows of the stages behind TCP.
void LegRun::note_progress(const Attempt& one) {
  using Dial = daemon::DialProgress::Stage;
  AddressStep& noted = step(one);
  if (noted.reached == Stage::tcp || noted.reached == Stage::reserve) return;
  const Dial dial = one.progress.stage;
  if (proxy_ != nullptr && (dial == Dial::tls || dial == Dial::done) && !noted.proxied) {
    noted.proxied = since_start(one.progress.proxied);
    noted.reached = target_.url.secure ? Stage::tls : Stage::http;
  }
  if (target_.url.secure && dial == Dial::done) noted.secured = since_start(one.progress.secured);
}

void LegRun::note_late() {
  end_.late = true;
  for (const auto& one : attempts_) {
    if (one->over) continue;
    note_progress(*one);
    end_.reached = std::max(end_.reached, step(*one).reached);
  }
}

milliseconds LegRun::since_start(TimePoint time) const {
  return std::chrono::duration_cast<milliseconds>(time - with_.started);
}

milliseconds LegRun::elapsed() const {
  return since_start(with_.environment.now());
}

Stage LegRun::behind_tcp() const noexcept {
  if (proxy_ != nullptr) return Stage::proxy;
  return target_.url.secure ? Stage::tls : Stage::http;
}

/// A proxy may say back what it was told.
void LegRun::hide_proxy_credentials(std::string& text) const {
  if (proxy_ == nullptr) return;
  Secrets secrets;
  secrets.add(proxy_->user);
  secrets.add(proxy_->password);
  text = secrets.hidden(text);
}

/// "10.0.0.1:443", for the beginning of a sentence. What failed at a proxy says so by itself.
std::string LegRun::place(const Attempt& one) {
  std::ostringstream text;
  text << one.endpoint;
  return text.str();
}

}  // namespace wskeep::upstream
