#include "daemon/upstream/open.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>
#include <exception>
#include <new>
#include <sstream>
#include <utility>

#include "daemon/upstream/address_memory.hpp"
#include "daemon/upstream/address_race.hpp"
#include "daemon/upstream/refusal.hpp"
#include "daemon/upstream/target.hpp"
#include "daemon/upstream/upgrade.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;
using daemon::TimePoint;
using std::chrono::milliseconds;

namespace {

asio::awaitable<bool> cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

std::string text_of(const daemon::Endpoint& endpoint) {
  std::ostringstream text;
  text << endpoint;
  return text.str();
}

std::string random_key(Environment& environment) {
  std::array<std::byte, 16> random{};
  for (std::size_t i = 0; i < random.size(); i += 4) {
    const std::uint32_t word = environment.unpredictable();
    std::memcpy(&random[i], &word, sizeof word);
  }
  return websocket::make_key(random);
}

/// One cycle on its way. Lives in the frame of `open_session`; each attempt at an address is a
/// coroutine that refers to it and is joined before it ends.
class Opening {
 public:
  Opening(Environment& environment, const config::Connection& connection, AddressMemory& memory,
          Cycle& cycle)
      : environment_(environment),
        settings_(connection.settings),
        memory_(memory),
        cycle_(cycle),
        started_(environment.now()),
        deadline_(started_ + settings_.timeouts.connect),
        alarm_(environment.make_alarm()) {}

  asio::awaitable<OpenResult> run(const config::Connection& connection);

 private:
  /// One address. Stands at the gate between TCP and TLS until the race lets it on.
  struct Attempt final : daemon::DialGate {
    Attempt(Opening& opening_, std::size_t number_, daemon::Endpoint endpoint_)
        : opening(opening_),
          number(number_),
          endpoint(std::move(endpoint_)),
          go(opening.environment_.make_alarm()) {}

    asio::awaitable<void> pass() override;

    Opening& opening;
    std::size_t number;  ///< in the race, and in the cycle's steps
    daemon::Endpoint endpoint;
    asio::cancellation_signal stop;
    daemon::DialProgress progress;
    std::unique_ptr<Environment::Alarm> go;
    bool leading = false;
    bool over = false;  ///< its coroutine has ended
    bool given_up = false;
  };

  asio::awaitable<std::optional<std::vector<daemon::Endpoint>>> resolve();
  asio::awaitable<void> race(std::vector<daemon::Endpoint> endpoints);
  asio::awaitable<void> join();
  void act(AddressRace::Action action, const std::vector<daemon::Endpoint>& endpoints);
  void start(std::size_t number, const daemon::Endpoint& endpoint);
  void give_up(Attempt& attempt);

  asio::awaitable<void> attempt(std::shared_ptr<Attempt> one);
  asio::awaitable<OpenResult> reach(Attempt& one);
  void ended(Attempt& one, const std::exception_ptr& exception);
  void take(Attempt& one, OpenResult result);
  void note_failure(const Attempt& one, OpenFailure failure);

  [[nodiscard]] Leg& leg() { return cycle_.legs.back(); }
  [[nodiscard]] AddressStep& step(const Attempt& one) { return leg().addresses[one.number]; }
  [[nodiscard]] milliseconds elapsed() const {
    return std::chrono::duration_cast<milliseconds>(environment_.now() - started_);
  }
  [[nodiscard]] milliseconds since_start(TimePoint time) const {
    return std::chrono::duration_cast<milliseconds>(time - started_);
  }
  OpenResult finish(bool stopped);

  Environment& environment_;
  const config::ConnectionSettings& settings_;
  AddressMemory& memory_;
  Cycle& cycle_;
  TimePoint started_;
  TimePoint deadline_;
  std::unique_ptr<Environment::Alarm> alarm_;  ///< wakes the coordinator
  Target target_;
  std::optional<AddressRace> race_;
  std::vector<std::shared_ptr<Attempt>> attempts_;
  std::optional<Opened> opened_;
  std::optional<OpenFailure> failure_;  ///< of the address that came farthest
  Stage farthest_ = Stage::tcp;
  bool decided_ = false;  ///< no other address is worth trying
};

asio::awaitable<void> Opening::Attempt::pass() {
  AddressStep& mine = opening.step(*this);
  mine.connected = opening.elapsed();
  mine.reached = Stage::reserve;
  opening.race_->connected(number, opening.environment_.now());
  opening.alarm_->wake();
  while (!leading && !co_await cancelled()) co_await go->wait_until(TimePoint::max());
  if (leading) opening.step(*this).reached = opening.target_.url.secure ? Stage::tls : Stage::http;
}

asio::awaitable<OpenResult> Opening::run(const config::Connection& connection) {
  auto target = read_target(connection);
  if (auto* failure = std::get_if<Failure>(&target)) {
    failure_ = OpenFailure{std::move(*failure), 0, std::nullopt};
    co_return finish(false);
  }
  target_ = std::move(std::get<Target>(target));
  cycle_.legs.emplace_back();
  const auto endpoints = co_await resolve();
  if (endpoints && !co_await cancelled()) co_await race(*endpoints);
  co_return finish(co_await cancelled());
}

asio::awaitable<std::optional<std::vector<daemon::Endpoint>>> Opening::resolve() {
  const config::Timeouts& timeouts = settings_.timeouts;
  daemon::ResolveResult result =
      co_await environment_.resolve(target_.url.host, target_.url.port, settings_.fallback.family,
                                    std::min(timeouts.resolve, timeouts.connect));
  ResolveStep& noted = leg().resolve.emplace();
  noted.duration = elapsed();
  if (auto* failure = std::get_if<Failure>(&result)) {
    noted.failure = *failure;
    failure_ = OpenFailure{std::move(*failure), 0, std::nullopt};
    co_return std::nullopt;
  }
  const auto& answers = std::get<daemon::Resolved>(result).endpoints;
  noted.answer_count = answers.size();
  noted.answers.assign(answers.begin(),
                       answers.begin() + static_cast<std::ptrdiff_t>(
                                             std::min(answers.size(), ResolveStep::max_answers)));
  co_return memory_.order(answers, settings_.fallback.addresses, environment_.now());
}

asio::awaitable<void> Opening::race(std::vector<daemon::Endpoint> endpoints) {
  race_.emplace(endpoints.size(),
                AddressRace::Settings{settings_.fallback.delay, settings_.timeouts.address});
  // Attempts refer to the steps by number; `pass` holds none across a wait.
  leg().addresses.reserve(endpoints.size());
  bool late = false;
  while (!opened_ && !decided_ && !co_await cancelled()) {
    const TimePoint now = environment_.now();
    late = now >= deadline_;
    if (late) break;
    while (const auto action = race_->next(now)) act(*action, endpoints);
    if (race_->exhausted()) break;
    co_await alarm_->wait_until(std::min(race_->wake_at(), deadline_));
  }
  co_await join();
  if (late && !opened_ && !decided_) {
    const std::string before = failure_ ? "; before that, " + failure_->failure.text : "";
    failure_ =
        OpenFailure{{Error::connect_timeout,
                     "no session within " + std::to_string(settings_.timeouts.connect.count()) +
                         " ms" + before},
                    0,
                    std::nullopt};
  }
}

/// Stops what still runs and waits for its end, which is prompt. Also when we are cancelled
/// ourselves.
asio::awaitable<void> Opening::join() {
  for (const auto& one : attempts_)
    if (!one->over) one->stop.emit(asio::cancellation_type::terminal);
  const auto running = [](const std::shared_ptr<Attempt>& one) { return !one->over; };
  while (std::any_of(attempts_.begin(), attempts_.end(), running))
    co_await alarm_->wait_until(TimePoint::max());
}

void Opening::act(AddressRace::Action action, const std::vector<daemon::Endpoint>& endpoints) {
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

void Opening::start(std::size_t number, const daemon::Endpoint& endpoint) {
  auto one = std::make_shared<Attempt>(*this, number, endpoint);
  attempts_.push_back(one);
  AddressStep& noted = leg().addresses.emplace_back();
  noted.endpoint = endpoint;
  noted.started = elapsed();
  try {
    asio::co_spawn(environment_.executor(), attempt(one),
                   asio::bind_cancellation_slot(one->stop.slot(),
                                                [this, one](const std::exception_ptr& exception) {
                                                  ended(*one, exception);
                                                }));
  } catch (const std::exception&) {
    ended(*one, std::current_exception());
  }
}

void Opening::give_up(Attempt& one) {
  one.given_up = true;
  const std::string_view stage = stage_name(step(one).reached);
  note_failure(one,
               {{Error::address_timeout, "nothing came of it within " +
                                             std::to_string(settings_.timeouts.address.count()) +
                                             " ms; it hung at " + std::string(stage)},
                0,
                std::nullopt});
  one.stop.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> Opening::attempt(std::shared_ptr<Attempt> one) {
  co_await asio::this_coro::throw_if_cancelled(false);
  OpenResult result = co_await reach(*one);
  if (!one->given_up) take(*one, std::move(result));
}

asio::awaitable<OpenResult> Opening::reach(Attempt& one) {
  if (co_await cancelled()) co_return OpenFailure{{Error::stopped, "stopped"}, 0, std::nullopt};
  // Not written within the co_await: g++ 12 destroys aggregates there twice.
  Environment::DialTarget target;
  target.endpoint = one.endpoint;
  target.secure = target_.url.secure;
  target.host = target_.url.host;
  target.port = target_.url.port;
  target.tls = &settings_.tls;
  target.gate = &one;
  daemon::DialResult dialled = co_await environment_.dial(std::move(target), one.progress);
  if (auto* failure = std::get_if<Failure>(&dialled))
    co_return OpenFailure{std::move(*failure), 0, std::nullopt};
  if (target_.url.secure) step(one).secured = since_start(one.progress.secured);
  step(one).reached = Stage::http;
  websocket::UpgradeRequest request = target_.request;
  request.key = random_key(environment_);
  co_return co_await upgrade(
      environment_, std::move(std::get<std::unique_ptr<net::Transport>>(dialled)), request);
}

/// The end of an attempt's coroutine. What it threw (there is only memory to run out of) ends the
/// attempt alone.
void Opening::ended(Attempt& one, const std::exception_ptr& exception) {
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

void Opening::take(Attempt& one, OpenResult result) {
  if (auto* failure = std::get_if<OpenFailure>(&result)) {
    if (failure->http_status != 0) step(one).answered = elapsed();
    note_failure(one, std::move(*failure));
    race_->failed(one.number, environment_.now());
    return;
  }
  AddressStep& noted = step(one);
  noted.answered = noted.ended = elapsed();
  noted.http_status = 101;
  if (opened_) return;  // cannot be: one alone leads; closes the second
  noted.reached = Stage::open;
  opened_ = std::move(std::get<Opened>(result));
  memory_.succeeded(one.endpoint);
}

void Opening::note_failure(const Attempt& one, OpenFailure failure) {
  AddressStep& noted = step(one);
  noted.ended = elapsed();
  noted.http_status = failure.http_status;
  noted.failure = failure.failure;
  if (failure.failure.error == Error::stopped) return;
  if (worth_another_address(failure))
    memory_.failed(one.endpoint, environment_.now());
  else
    decided_ = true;
  if (failure_ && noted.reached < farthest_) return;
  farthest_ = noted.reached;
  failure.failure.text = text_of(one.endpoint) + ": " + failure.failure.text;
  failure_ = std::move(failure);
}

OpenResult Opening::finish(bool stopped) {
  cycle_.ended = elapsed();
  if (opened_ && !stopped) return std::move(*opened_);
  if (stopped || !failure_) failure_ = OpenFailure{{Error::stopped, "stopped"}, 0, std::nullopt};
  cycle_.failure = failure_->failure;
  return std::move(*failure_);
}

}  // namespace

asio::awaitable<OpenResult> open_session(Environment& environment,
                                         const config::Connection& connection,
                                         AddressMemory& memory, Timeline& timeline) {
  // Cancelled, we still wait for what we started.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  OpenResult result = OpenFailure{};
  {
    Opening opening(environment, connection, memory, timeline.begin(environment.wall_now()));
    result = co_await opening.run(connection);
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return result;
}

}  // namespace wskeep::upstream
