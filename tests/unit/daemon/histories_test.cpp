#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <iostream>
#include <random>
#include <string>

#include "tests/unit/daemon/connection_world.hpp"

/// Random lives of connections in random worlds. One that fails says its seed, and WSKEEP_SEED=N
/// plays it again, exactly.
namespace wskeep::upstream {
namespace {

using Control = ipc::Upstream::Control;
using config::Verdict;
using daemon::Error;
using std::chrono::milliseconds;

double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

class History {
 public:
  explicit History(std::uint64_t seed) : chance_(seed) {
    world_.environment.keep_log = false;
    configure();
    for (const char* address : addresses) change_route(address);
    change_names();
    world_.environment.on_dial = [this](const daemon::Environment::DialTarget& target) {
      dialled(target);
    };
  }

  /// "" or what went wrong.
  std::string play() {
    world_.make();
    world_.connection->start([this] { ++world_.done; });
    if (one_in(8)) world_.watch_clock();
    std::string problem;
    // Half an hour; some, half a day.
    const std::uint64_t longest = one_in(20) ? 17 : 13;
    const int steps = static_cast<int>(below(24)) + 8;
    for (int step = 0; step < steps && problem.empty(); ++step) {
      change_something();
      problem = pass(milliseconds(below(std::uint64_t{1} << (8 + below(longest)))));
    }
    if (problem.empty()) problem = recover();
    if (problem.empty()) problem = check_budgets();
    return problem;
  }

  /// When something was dialled.
  [[nodiscard]] const std::vector<daemon::TimePoint>& dials() const { return dials_; }

 private:
  static constexpr std::array addresses{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9"};
  static constexpr std::array hosts{"example.com", "other.example.com", "proxy.example.com"};

  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : chance_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <typename Array>
  auto pick(const Array& from) {
    return from.at(below(from.size()));
  }

  void configure() {
    auto& settings = world_.settings.settings;
    if (one_in(3)) world_.settings.urls.emplace_back("wss://other.example.com/ws");
    if (one_in(4)) world_.settings.urls.emplace_back("ws://10.0.0.3/");
    if (one_in(4)) settings.proxy = config::Text("socks5://proxy.example.com:1080");
    if (one_in(3)) settings.lifetime = std::chrono::minutes(1 + below(120));
    if (one_in(2)) settings.keepalive.ping = milliseconds(0);
    if (one_in(4)) settings.timeouts.silence = std::chrono::seconds(5 + below(600));
    if (one_in(4)) settings.timeouts.first_message = std::chrono::seconds(5 + below(60));
    settings.timeouts.receive = std::chrono::seconds(10 + below(600));
    settings.timeouts.message = std::chrono::seconds(60 + below(600));
    settings.timeouts.connect = std::chrono::seconds(5 + below(60));
    settings.timeouts.address = std::chrono::seconds(1 + below(20));
    settings.redirects = static_cast<std::uint32_t>(below(3));
    settings.send_rate = one_in(4) ? config::Rate{5, std::chrono::seconds(1)} : config::Rate{};
    auto& reconnect = settings.reconnect;
    reconnect.initial = milliseconds(1 + below(2'000));
    reconnect.max = reconnect.initial + milliseconds(below(60'000));
    reconnect.stable_after = std::chrono::seconds(below(60));
    reconnect.budget = budget();
    const std::array verdicts{Verdict::retry, Verdict::slow, Verdict::stop};
    if (one_in(3)) reconnect.on_close = {{4000, 4999, pick(verdicts)}, {1000, 1999, Verdict::slow}};
    if (one_in(3)) reconnect.on_status = {{400, 599, pick(verdicts)}, {503, 503, Verdict::retry}};
    if (one_in(4)) reconnect.on_lasting = pick(verdicts);
    world_.connects.per_host = budget();
    if (one_in(3)) world_.connects.hosts = {{"example.com", budget()}};
  }

  config::Rate budget() {
    if (one_in(2)) return {};
    return {static_cast<std::uint32_t>(1 + below(20)), std::chrono::seconds(1 + below(300))};
  }

  milliseconds delay() {
    return one_in(2) ? milliseconds(0) : milliseconds(below(std::uint64_t{1} << below(15)));
  }

  void change_route(const std::string& address) {
    simulated::Route route;
    route.tcp = delay();
    route.tls = delay();
    route.proxy = delay();
    const std::array tcp{Error::connection_refused, Error::host_unreachable,
                         Error::connection_reset};
    const std::array tls{Error::tls_protocol, Error::certificate_expired, Error::connection_reset,
                         Error::certificate_untrusted};
    const std::array proxy{Error::proxy_refused, Error::proxy_unauthorized, Error::proxy_protocol};
    if (one_in(5)) route.tcp_error = pick(tcp);
    if (one_in(8)) route.tls_error = pick(tls);
    if (one_in(8)) route.proxy_error = pick(proxy);
    route.tcp_hangs = one_in(10);
    route.tls_hangs = one_in(10);
    route.proxy_hangs = one_in(10);
    route.on_open = server();
    world_.environment.routes[address] = route;
  }

  void change_names() {
    for (const char* host : hosts) {
      simulated::Name name;
      for (std::uint64_t count = 1 + below(4); count > 0; --count)
        name.addresses.emplace_back(pick(addresses));
      name.after = delay();
      name.hangs = one_in(12);
      if (one_in(12)) name.error = Error::resolve_failed;
      name.ttl = std::chrono::seconds(below(300));
      world_.environment.names[host] = name;
    }
  }

  /// What a server does from the request on: one way for each time that it is dialled.
  std::function<void(Peer)> server() {
    return [this](Peer opened) {
      peer_ = opened;
      if (one_in(12)) return;  // hangs in HTTP
      const std::string answer = this->answer();
      const std::string words = first_words();
      answers([answer, words](const std::string& request) {
        return answer.empty() ? switching(request) + words : answer;
      })(opened);
    };
  }

  /// "" is a proper upgrade.
  std::string answer() {
    if (!one_in(3)) return "";
    const std::array texts{
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 429 Slow down\r\nRetry-After: 90\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 There\r\nLocation: wss://other.example.com/x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 302 Here\r\nLocation: /y\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 Well\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 101 Wrong\r\n\r\n",
        "SSH-2.0-not-http\r\n\r\n"};
    return pick(texts);
  }

  std::string first_words() {
    if (one_in(2)) return "";
    const std::array<std::string, 6> words{text_frame("hello"),
                                           frame(Opcode::text, "begun", false),
                                           close_frame(1012, "restart"),
                                           close_frame(1008, "policy"),
                                           "\xF1\x00",
                                           text_frame("a") + close_frame(1000)};
    return pick(words);
  }

  void change_something() {
    switch (below(9)) {
      case 0:
        return change_names();
      case 1:
      case 2:
        return change_route(pick(addresses));
      case 3:
        return say(close_frame(static_cast<unsigned>(1000 + below(4000))));
      case 4:
        return say(text_frame("news"));
      case 5:
        if (peer_ && one_in(2)) peer_->reset();
        if (peer_) peer_->end();
        return;
      case 6: {
        const std::array controls{Control::reconnect, Control::pause, Control::resume};
        return world_.connection->control(pick(controls), 0);
      }
      case 7:
        world_.environment.wall_ahead +=
            std::chrono::seconds(below(400'000)) - std::chrono::seconds(100'000);
        return;
      default:
        return;
    }
  }

  void say(const std::string& bytes) {
    if (peer_ && !peer_->closed()) peer_->send(bytes);
  }

  void dialled(const daemon::Environment::DialTarget& target) {
    const auto now = world_.environment.now();
    dials_.push_back(now);
    by_host_[ConnectBudgets::host_key(target.host)].push_back(now);
  }

  /// Time goes on; everything that it brings about is a bounded amount of work.
  std::string pass(milliseconds duration) {
    const std::uint64_t before = world_.environment.operations();
    world_.run_for(duration);
    const std::uint64_t operations = world_.environment.operations() - before;
    // Sessions may end as soon as they open: then Backoff::floor alone bounds the pace.
    const auto allowed = static_cast<std::uint64_t>(2'000 + duration.count() * 5);
    if (operations > allowed)
      return std::to_string(operations) + " operations within " + std::to_string(duration.count()) +
             " ms";
    return check_waiting();
  }

  /// A connection that nobody has told to wait knows when it goes on.
  std::string check_waiting() {
    const State state = world_.connection->state();
    const auto shown = world_.connection->describe_attempts();
    if (state == State::backing_off && shown.at("next_attempt").is_null())
      return "backing off without a next attempt";
    if (state == State::failed && shown.at("next_attempt").is_null() && !stopped_by_rule())
      return "failed, and nothing comes after";
    return "";
  }

  [[nodiscard]] bool stopped_by_rule() const {
    const auto shown = world_.connection->describe_attempts();
    const auto& next = shown.at("cycles").as_array().back().at("next");
    return next.is_object() && next.at("verdict") == "stop";
  }

  /// In a healthy world it comes back by itself, unless it was told to wait for a person.
  std::string recover() {
    for (const char* address : addresses) {
      simulated::Route route;
      route.on_open = [this](Peer opened) {
        peer_ = opened;
        upgrades()(opened);
        opened_since_recovery_ = true;
      };
      world_.environment.routes[address] = route;
    }
    for (const char* host : hosts) {
      world_.environment.names[host] = {.addresses = {"10.0.0.1", "10.0.0.2"}};
    }
    if (peer_) peer_->end();
    world_.run_for(milliseconds(0));
    const State state = world_.connection->state();
    if (state == State::paused || stopped_by_rule())
      world_.connection->control(Control::reconnect, 0);
    // The longest that anything may wait: a Retry-After of 90 s, the slowest pace, budgets of five
    // minutes whose waits spread, a name that is remembered.
    for (int minute = 0; minute < 60 && !opened_since_recovery_; ++minute) {
      if (const auto problem = pass(std::chrono::minutes(1)); !problem.empty()) return problem;
      if (stopped_by_rule() && world_.connection->state() == State::failed)
        world_.connection->control(Control::resume, 0);
    }
    if (opened_since_recovery_) return "";
    return "did not come back: " + boost::json::serialize(world_.connection->describe_attempts());
  }

  std::string check_budgets() {
    if (const auto own = exceeded(dials_, world_.settings.settings.reconnect.budget); !own.empty())
      return "reconnect.budget: " + own;
    for (const auto& [host, times] : by_host_) {
      config::Rate rate = world_.connects.per_host;
      for (const auto& [named, its] : world_.connects.hosts)
        if (named == host) rate = its;
      if (const auto more = exceeded(times, rate); !more.empty()) return host + ": " + more;
    }
    return "";
  }

  static std::string exceeded(const std::vector<daemon::TimePoint>& times,
                              const config::Rate& rate) {
    if (rate.off()) return "";
    for (std::size_t index = rate.count; index < times.size(); ++index) {
      if (times[index] - times[index - rate.count] < rate.per)
        return std::to_string(rate.count + 1) + " connects within less than " +
               std::to_string(rate.per.count()) + " ms";
    }
    return "";
  }

  std::mt19937_64 chance_;
  std::optional<Peer> peer_;
  std::vector<daemon::TimePoint> dials_;
  std::map<std::string, std::vector<daemon::TimePoint>> by_host_;
  bool opened_since_recovery_ = false;
  ConnectionWorld world_;
};

TEST(Histories, AreSurvivedByAllConnections) {
  const char* const one = std::getenv("WSKEEP_SEED");
  const std::uint64_t first = one == nullptr ? 1 : std::strtoull(one, nullptr, 10);
  const std::uint64_t last = one == nullptr ? 10'000 : first;
  const double begun = processor_seconds();
  std::uint64_t seed = first;
  for (; seed <= last; ++seed) {
    std::string problem;
    try {
      History history(seed);
      problem = history.play();
    } catch (const std::runtime_error& error) {
      problem = error.what();  // a busy loop
    }
    ASSERT_EQ(problem, "") << "WSKEEP_SEED=" << seed;
    // Under a sanitizer they take longer: as many as a minute of the processor gives.
    if (processor_seconds() - begun > 60) break;
  }
  std::cout << "played " << std::min(seed, last) - first + 1 << " of " << last - first + 1
            << " histories in " << processor_seconds() - begun << " s of the processor\n";
}

TEST(Histories, TheSameSeedIsTheSameHistory) {
  std::size_t dials = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    History first(seed);
    History again(seed);
    ASSERT_EQ(first.play(), "");
    ASSERT_EQ(again.play(), "");
    ASSERT_EQ(first.dials(), again.dials()) << seed;
    dials += first.dials().size();
  }
  EXPECT_GT(dials, 1'000U);
}

TEST(Histories, ThreeDaysOfOneConnection) {
  const double begun = processor_seconds();
  ConnectionWorld world;
  world.environment.keep_log = false;
  std::mt19937 random(9);
  // A server that answers whatever it is sent, and so each ping.
  world.route().on_open = [&](Peer opened) {
    world.peer = opened;
    opened.on_received([opened]() mutable {
      const bool request = opened.received().ends_with("\r\n\r\n");
      const std::string taken = opened.take();
      opened.send(request ? switching(taken) : frame(Opcode::pong, ""));
    });
  };
  world.start();
  while (world.environment.elapsed() < 72h) {
    world.run_for(std::chrono::minutes(1 + random() % 60));
    if (world.connection->state() == State::ready) world.end_session();
  }
  const double took = processor_seconds() - begun;
  std::cout << "72 simulated hours took " << took << " s of the processor\n";
  EXPECT_GT(world.connection->statistics().sessions, 50U);
  EXPECT_GT(world.connection->statistics().pongs_in, 10'000U);
  EXPECT_LT(took, 10);
}

}  // namespace
}  // namespace wskeep::upstream
