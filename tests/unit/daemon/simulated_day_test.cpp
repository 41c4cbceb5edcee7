#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "tests/unit/daemon/connection_world.hpp"

/// A whole day of connections that are given no rest: whatever they keep is bounded, and at its end
/// there is no more of it than in the morning.
namespace wskeep::upstream {
namespace {

using Control = ipc::Upstream::Control;

/// Bytes that are allocated now. 0 where a sanitizer has an allocator of its own.
std::size_t allocated() {
  const struct mallinfo2 found = ::mallinfo2();
  return found.uordblks + found.hblkhd;
}

/// One connection with a server, local apps and a person who changes its settings.
class Life {
 public:
  Life(const std::string& settings, unsigned seed) : chance_(seed), lines_(settings) {
    world_.environment.keep_log = false;
    world_.settings = load(0);
    world_.environment.names["example.com"] = {
        .addresses = {"10.0.0.1", "10.0.0.2"}, .after = 20ms, .ttl = 60s};
    for (const char* address : {"10.0.0.1", "10.0.0.2"}) {
      simulated::Route& route = world_.environment.routes[address];
      route.tcp = 5ms;
      route.tls = 10ms;
      route.on_open = [this](const Peer& opened) { serve(opened); };
    }
    world_.environment.on_command = [this](const daemon::Command&) {
      daemon::CommandEnd end;
      end.code = one_in(5) ? 1 : 0;
      end.output = "token" + std::to_string(chance_());
      return daemon::CommandResult(end);
    };
    world_.start();
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  void pass_an_hour() {
    const auto end = world_.environment.elapsed() + 1h;
    while (world_.environment.elapsed() < end) {
      change_something();
      world_.run_for(std::chrono::seconds(1 + below(90)));
      // The one that has been there longest has stopped reading.
      for (std::size_t index = 1; index < apps_.size(); ++index) read(*apps_[index]);
      check_bounds();
    }
    rest();
  }

  [[nodiscard]] const Statistics& statistics() const { return world_.connection->statistics(); }
  [[nodiscard]] std::uint64_t lapped() const {
    return world_.connection->channel().statistics().gaps;
  }
  [[nodiscard]] std::uint64_t messages() const { return world_.ring().next() - 1; }

 private:
  static constexpr std::size_t most_apps = 6;

  std::uint64_t below(std::uint64_t limit) { return chance_() % limit; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

  [[nodiscard]] config::Connection load(unsigned variant) const {
    return config::load_text(
               "connections:\n  test:\n    url: wss://example.com/ws\n    history: "
               // Patience is real time: with none the day is the same each time.
               "64KiB\n    max_message: 8KiB\n    patience: 0ms\n    gap: " +
                   std::string(variant % 2 == 0 ? "skip" : "close") +
                   "\n    headers: {X-Variant: '" + std::to_string(variant % 3) + "'}\n" + lines_,
               "f")
        .connections.at(0);
  }

  void serve(const Peer& opened) {
    peer_ = opened;
    if (one_in(6)) {
      peer_->on_received([this] { answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"); });
    } else {
      peer_->on_received([this] { hear(); });
    }
    upgraded_ = false;
    ears_.emplace(websocket::Role::server);
  }

  void answer(const std::string& text) {
    if (peer_->received().ends_with("\r\n\r\n")) {
      static_cast<void>(peer_->take());
      peer_->send(text);
    }
  }

  /// The upgrade; then whatever a server says to its client's words.
  void hear() {
    if (!upgraded_) {
      if (!peer_->received().ends_with("\r\n\r\n")) return;
      upgraded_ = true;
      peer_->send(switching(peer_->take()) + text_frame(R"({"hello":1})"));
      return;
    }
    ears_->hear(peer_->take());
    for (const std::string& word : std::exchange(ears_->heard, {})) {
      if (word.starts_with("ping:")) {
        peer_->send(frame(Opcode::pong, word.substr(5)));
      } else if (word.starts_with("close")) {
        peer_->send(close_frame(1000));
        peer_->end();
      } else if (word == "text:subscribe" || word == "text:resume s") {
        peer_->send(text_frame(R"({"event":"subscribed","session":"s"})"));
      } else if (word == "text:beat") {
        peer_->send(text_frame(R"({"event":"beat"})"));
      }
    }
  }

  void say(const std::string& bytes) {
    if (peer_ && upgraded_ && !peer_->closed()) peer_->send(bytes);
  }

  void change_something() {
    switch (below(10)) {
      case 0:
        return say(close_frame(one_in(2) ? 1012 : 4000));
      case 1:
        if (peer_ && !peer_->closed()) peer_->reset();
        return;
      case 2:
        return say(frame(Opcode::text, "begun", false));
      case 3: {
        const std::array controls{Control::reconnect, Control::resume, Control::pause};
        world_.connection->control(controls.at(below(3)), 0);
        return;
      }
      case 4:
      case 5:
        return reload();
      case 6:
        if (apps_.size() < most_apps)
          apps_.push_back(std::make_unique<Subscribed>(world_, one_in(2)));
        return;
      case 7:
        if (!apps_.empty()) apps_.erase(apps_.begin());
        return;
      case 8:
        for (const auto& app : apps_) app->app.send("1\npublished");
        return;
      default:
        return talk();
    }
  }

  /// More than the ring holds.
  void talk() {
    std::string words;
    for (std::uint64_t count = 50 + below(100); count > 0; --count)
      words += text_frame(R"({"s":)" + std::to_string(count) + R"(,"text":")" +
                          std::string(below(2'000), 'x') + "\"}");
    say(words);
  }

  void reload() {
    world_.settings = load(static_cast<unsigned>(below(6)));
    world_.connection->configure(
        world_.settings, world_.limits,
        one_in(2) ? Connection::Renewal::none : Connection::Renewal::new_session);
  }

  static void read(Subscribed& subscribed) {
    while (subscribed.app.read()) {
    }
    subscribed.app.ears.heard.clear();
  }

  void check_bounds() {
    const ring::Ring& ring = world_.ring();
    EXPECT_LE(ring.used(), ring.capacity());
    EXPECT_LE(world_.connection->channel().readers(), most_apps + 2) << "and those about to go";
    const auto attempts = world_.connection->describe_attempts();
    EXPECT_LE(attempts.at("cycles").as_array().size(), 8U);
    const auto shown = world_.connection->describe(ipc::Upstream::Detail::whole);
    for (const auto& budget : shown.at("budgets").as_array()) {
      EXPECT_LE(budget.at("used").to_number<std::uint64_t>(),
                budget.at("limit").to_number<std::uint64_t>());
    }
  }

  /// Nobody reads, a session is there, and the ring is full: the same each time.
  void rest() {
    apps_.clear();
    world_.settings = load(0);
    world_.connection->configure(world_.settings, world_.limits, Connection::Renewal::new_session);
    for (int minutes = 0; minutes < 120; ++minutes) {
      world_.connection->control(Control::resume, 0);
      world_.run_for(1min);
      if (world_.connection->state() == State::ready) break;
    }
    ASSERT_EQ(world_.connection->state(), State::ready);
    for (int times = 0; times < 8; ++times) {
      talk();
      world_.run_for(1s);
    }
    EXPECT_EQ(world_.connection->channel().readers(), 0U);
    EXPECT_EQ(world_.connection->unsent(), 0U);
  }

  std::mt19937 chance_;
  std::string lines_;
  std::optional<Peer> peer_;
  std::optional<Ears> ears_;
  bool upgraded_ = false;
  ConnectionWorld world_;
  std::vector<std::unique_ptr<Subscribed>> apps_;  ///< of the world
};

constexpr const char* plain = "    compression: false\n    lifetime: 20m\n";

constexpr const char* scripted =
    "    session:\n"
    "      prepare:\n"
    "        - {command: [/bin/echo], set: {token: '${answer}'}}\n"
    "      open:\n"
    "        - wait: {json: {/hello: 1}}\n"
    "        - send: subscribe\n"
    "        - wait: {json: {/event: subscribed}}\n"
    "      resume:\n"
    "        - send: 'resume ${session}'\n"
    "        - wait: {json: {/event: subscribed}}\n"
    "      remember: {session: {value: /session, on: {json: {/event: subscribed}}}, s: /s}\n"
    "      heartbeat: {every: 30s, send: beat, expect: {json: {/event: beat}}}\n"
    "      replies: [{on: {json: {/s: 7}}, send: seven}]\n";

constexpr const char* frugal =
    "    reconnect: {budget: 40/30m, initial: 100ms, max: 2m}\n"
    "    outbox: {ttl: 5m, messages: 20}\n";

/// By least squares: bytes an hour.
double slope(const std::vector<std::size_t>& hours) {
  const auto count = static_cast<double>(hours.size());
  const double mean_time = (count - 1) / 2;
  double mean = 0;
  for (const std::size_t bytes : hours) mean += static_cast<double>(bytes) / count;
  double together = 0;
  double spread = 0;
  for (std::size_t hour = 0; hour < hours.size(); ++hour) {
    const double time = static_cast<double>(hour) - mean_time;
    together += time * (static_cast<double>(hours[hour]) - mean);
    spread += time * time;
  }
  return together / spread;
}

/// WSKEEP_DAYS: so many instead of one.
unsigned days() {
  const char* const given = std::getenv("WSKEEP_DAYS");
  return given == nullptr ? 1U
                          : std::max(1U, static_cast<unsigned>(std::strtoul(given, nullptr, 10)));
}

TEST(SimulatedDay, MemoryIsFlatAndAllThatIsKeptIsBounded) {
  const auto begun = std::clock();
  const auto took = [begun] { return static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC; };
  Life first(plain, 1);
  Life second(scripted, 2);
  Life third(frugal, 3);
  std::vector<std::size_t> hours;
  const unsigned all = 24 * days();
  unsigned played = 0;
  // Under a sanitizer an hour takes longer: as many as a few seconds of the processor give.
  while (played < all && (played < 5 || took() < 8 * days())) {
    ++played;
    for (Life* life : {&first, &second, &third}) life->pass_an_hour();
    if (played > 4) hours.push_back(allocated());  // by then each buffer has had its largest
  }
  const auto [least, most] = std::ranges::minmax(hours);
  std::cout << played << " simulated hours took " << took() << " s of the processor; "
            << first.statistics().sessions << ", " << second.statistics().sessions << " and "
            << third.statistics().sessions << " sessions; allocated: " << least << " to " << most
            << " bytes, growing by " << slope(hours) << " an hour\n";
  for (const Life* life : {&first, &second, &third}) {
    EXPECT_GT(life->statistics().sessions, 10 * played);
    EXPECT_GT(life->messages(), 1'000 * played);
    if (played == all) {
      EXPECT_GT(life->lapped(), 0U);
    }
  }
  // What the past leaves (timelines, events, who waits) is now longer and now shorter; a hundred
  // bytes left behind at each session would be more.
  EXPECT_LT(most, least + (std::size_t{1} << 20U));
  if (hours.size() > 12) {
    EXPECT_LT(slope(hours), 16'384);
  }
}

}  // namespace
}  // namespace wskeep::upstream
