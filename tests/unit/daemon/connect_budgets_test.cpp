#include "daemon/upstream/connect_budgets.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <thread>

#include "daemon/state_file.hpp"
#include "daemon/state_keeper.hpp"
#include "tests/unit/daemon/connection_world.hpp"

namespace wskeep::upstream {
namespace {

using config::Rate;
using daemon::StateError;
using daemon::StateFile;
using daemon::StateKeeper;
using daemon::TimePoint;
using daemon::WallTime;

constexpr TimePoint start{std::chrono::hours(1)};
constexpr WallTime wall{std::chrono::seconds(1'800'000'000)};
constexpr Rate three{3, 10s};
constexpr Rate off{};

config::Connects hosts(Rate per_host, std::vector<std::pair<std::string, Rate>> named = {}) {
  config::Connects connects;
  connects.per_host = per_host;
  connects.hosts = std::move(named);
  return connects;
}

TEST(ConnectBudgets, SlidesExactly) {
  ConnectBudgets budgets(hosts(off));
  EXPECT_FALSE(budgets.take("feed", three, "a", start));
  EXPECT_FALSE(budgets.take("feed", three, "a", start + 4s));
  EXPECT_FALSE(budgets.take("feed", three, "a", start + 9s));
  EXPECT_EQ(budgets.take("feed", three, "a", start + 9'999ms), start + 10s);
  EXPECT_EQ(budgets.allowed_at("feed", three, "a", start + 9'999ms), start + 10s);
  EXPECT_FALSE(budgets.take("feed", three, "a", start + 10s));
  EXPECT_EQ(budgets.take("feed", three, "a", start + 10s), start + 14s);
  EXPECT_EQ(budgets.use_of_connection("feed", three, start + 10s).used, 3U);
  EXPECT_EQ(budgets.use_of_connection("feed", three, start + 1h).used, 0U);
  EXPECT_EQ(budgets.changes(), 4U);
}

TEST(ConnectBudgets, OffIsNoLimitAndKeepsNothing) {
  ConnectBudgets budgets(hosts(off));
  for (int i = 0; i < 10'000; ++i) EXPECT_FALSE(budgets.take("feed", off, "a", start));
  EXPECT_EQ(budgets.use_of_connection("feed", off, start).used, 0U);
  EXPECT_EQ(budgets.save(start, wall).find("feed"), std::string::npos);
}

TEST(ConnectBudgets, TakesBothOrNeither) {
  ConnectBudgets budgets(hosts(Rate{2, 60s}));
  EXPECT_FALSE(budgets.take("one", three, "a", start));
  EXPECT_FALSE(budgets.take("two", three, "a", start + 1s));
  EXPECT_EQ(budgets.take("one", three, "a", start + 2s), start + 60s);
  EXPECT_EQ(budgets.use_of_connection("one", three, start + 2s).used, 1U);
  EXPECT_FALSE(budgets.take("one", three, "b", start + 2s));
  EXPECT_FALSE(budgets.take("one", three, "b", start + 2s));
  EXPECT_EQ(budgets.take("one", three, "c", start + 2s), start + 10s);
  EXPECT_EQ(budgets.use_of_host("c", start + 2s).used, 0U);
}

TEST(ConnectBudgets, AHostsOwnRateGoesBeforeThatOfAll) {
  ConnectBudgets budgets(hosts(Rate{1, 60s}, {{"API.example.com", Rate{2, 60s}}}));
  EXPECT_FALSE(budgets.take("one", off, "api.example.com", start));
  EXPECT_FALSE(budgets.take("two", off, "api.example.com", start));
  EXPECT_TRUE(budgets.take("two", off, "api.example.com", start));
  EXPECT_FALSE(budgets.take("two", off, "www.example.com", start));
  EXPECT_TRUE(budgets.take("two", off, "www.example.com", start));
  EXPECT_EQ(budgets.use_of_host("api.example.com", start).rule, "connects.hosts api.example.com");
  EXPECT_EQ(budgets.use_of_host("www.example.com", start).rule, "connects.per_host");
}

TEST(ConnectBudgets, OtherRatesHoldAtOnceAndWhatWasTakenCounts) {
  ConnectBudgets budgets(hosts(off));
  EXPECT_FALSE(budgets.limits_hosts());
  budgets.configure(hosts(three, {{"b", {1, 10s}}}));
  EXPECT_TRUE(budgets.limits_hosts());
  EXPECT_EQ(budgets.named_hosts(), std::vector<std::string>{"b"});
  EXPECT_FALSE(budgets.take("feed", off, "a", start));
  EXPECT_FALSE(budgets.take("feed", off, "a", start + 1s));
  EXPECT_FALSE(budgets.take("feed", off, "b", start + 1s));
  EXPECT_TRUE(budgets.take("feed", off, "b", start + 1s));
  budgets.configure(hosts({2, 10s}));
  EXPECT_EQ(budgets.take("feed", off, "a", start + 2s), start + 10s);
  EXPECT_FALSE(budgets.take("feed", off, "b", start + 2s));
  budgets.configure(hosts(off));
  EXPECT_FALSE(budgets.take("feed", off, "a", start + 2s));
}

TEST(ConnectBudgets, NoStretchHoldsMoreThanItsCount) {
  std::mt19937 random(3);
  ConnectBudgets budgets(hosts(Rate{7, 5s}));
  std::vector<TimePoint> taken;
  TimePoint now = start;
  for (int i = 0; i < 20'000; ++i) {
    now += std::chrono::milliseconds(random() % 400);
    const auto until = budgets.take(i % 2 == 0 ? "one" : "two", off, "a", now);
    if (!until) taken.push_back(now);
    if (until) {
      EXPECT_GT(*until, now);
      if (random() % 4 == 0) now = *until;
    }
  }
  ASSERT_GT(taken.size(), 1'000U);
  for (std::size_t i = 7; i < taken.size(); ++i) ASSERT_GE(taken[i] - taken[i - 7], 5s);
}

TEST(ConnectBudgets, AFullTableLetsNoFurtherNameInUntilOthersHaveRunOut) {
  ConnectBudgets budgets(hosts(Rate{1, 10s}));
  for (std::size_t i = 0; i < ConnectBudgets::most_names; ++i)
    ASSERT_FALSE(budgets.take("one", off, "h" + std::to_string(i), start));
  EXPECT_TRUE(budgets.take("one", off, "another", start + 1s));
  EXPECT_FALSE(budgets.take("one", off, "another", start + 10s));
}

TEST(ConnectBudgets, WhatCountsOutlivesTheProcess) {
  ConnectBudgets before(hosts(Rate{2, 60s}));
  for (const auto at : {0s, 4s, 9s}) EXPECT_FALSE(before.take("feed", three, "", start + at));
  EXPECT_FALSE(before.take("other", off, "a", start + 9s));
  const std::string saved = before.save(start + 9s, wall);
  // Another boot: the steady clock begins anew, and a second has passed.
  ConnectBudgets after(hosts(Rate{2, 60s}));
  const TimePoint now{5s};
  EXPECT_EQ(after.load(saved, now, wall + 1s), "");
  EXPECT_EQ(after.use_of_connection("feed", three, now).used, 2U);
  EXPECT_FALSE(after.take("feed", three, "", now));
  EXPECT_EQ(after.take("feed", three, "", now), now + 4s);
  EXPECT_EQ(after.use_of_host("a", now).used, 1U);
}

TEST(ConnectBudgets, TimesAheadOfNowCountAsOfNow) {
  ConnectBudgets before(hosts(off));
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(before.take("feed", three, "", start));
  ConnectBudgets after(hosts(off));
  EXPECT_EQ(after.load(before.save(start, wall), start, wall - 24h * 365), "");
  EXPECT_EQ(after.take("feed", three, "", start), start + 10s);
}

TEST(ConnectBudgets, ABrokenFileIsForgotten) {
  ConnectBudgets before(hosts(off));
  EXPECT_FALSE(before.take("feed", three, "", start));
  const std::string saved = before.save(start, wall);
  for (std::size_t length = 0; length + 2 < saved.size(); ++length) {
    ConnectBudgets budgets(hosts(off));
    EXPECT_NE(budgets.load(saved.substr(0, length), start, wall), "") << length;
    EXPECT_EQ(budgets.use_of_connection("feed", three, start).used, 0U);
  }
  for (const char* text :
       {"[]", "1", "{}", R"({"version":2})", R"({"version":1,"connections":[],"hosts":{}})",
        R"({"version":1,"connections":{"a":{"per_ms":"x","times":[]}},"hosts":{}})",
        R"({"version":1,"connections":{"a":{"per_ms":1,"times":[1.5]}},"hosts":{}})"}) {
    ConnectBudgets budgets(hosts(off));
    EXPECT_NE(budgets.load(text, start, wall), "") << text;
  }
  ConnectBudgets budgets(hosts(off));
  const char* const wild =
      R"({"version":1,"hosts":{},"connections":{"a":{"per_ms":-9223372036854775808,
      "times":[-9223372036854775808,9223372036854775807]},"b":{"per_ms":9223372036854775807,
      "times":[-9223372036854775808,0,9223372036854775807]}}})";
  EXPECT_EQ(budgets.load(wild, start, wall), "");
  EXPECT_FALSE(budgets.take("a", three, "", start));
}

TEST(ConnectBudgets, ManyThreadsTakeNoMoreThanThereIs) {
  ConnectBudgets budgets(hosts(Rate{500, 1h}));
  std::array<int, 4> taken{};
  std::vector<std::thread> threads;
  for (int& count : taken) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i)
        if (!budgets.take("feed", off, "a", start)) ++count;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(taken[0] + taken[1] + taken[2] + taken[3], 500);
}

// -- the file

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "wskeep-state-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path); }
  std::string path;
};

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(StateFile, IsReplacedAsAWholeAndItsOwnersAlone) {
  Folder folder;
  StateFile file(folder.path + "/made", "connects.json");
  EXPECT_EQ(file.read(), std::nullopt);
  file.write("one");
  file.write("two");
  EXPECT_EQ(file.read(), "two");
  const auto permissions = std::filesystem::status(file.path()).permissions();
  EXPECT_EQ(permissions, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path + "/made"), {}), 1);
}

TEST(StateFile, OneDaemonAloneUsesADirectory) {
  Folder folder;
  {
    const StateFile first(folder.path, "connects.json");
    EXPECT_THROW(StateFile(folder.path, "connects.json"), StateError);
  }
  EXPECT_NO_THROW(StateFile(folder.path, "connects.json"));
}

TEST(StateFile, SaysWhatCannotBeDone) {
  Folder folder;
  std::ofstream(folder.path + "/file") << "x";
  try {
    StateFile file(folder.path + "/file", "connects.json");
    FAIL() << "a file is no directory";
  } catch (const StateError& error) {
    EXPECT_NE(std::string(error.what()).find("state_directory"), std::string::npos);
  }
  EXPECT_THROW(StateFile(folder.path + "/not/there", "connects.json"), StateError);
  StateFile file(folder.path, "connects.json");
  std::filesystem::create_directory(file.path());
  EXPECT_THROW(file.write("x"), StateError);
}

TEST(StateFile, TheDirectoryIsThatOfTheSettingOrOfSystemd) {
  ::setenv("STATE_DIRECTORY", "/var/lib/first:/var/lib/second", 1);
  EXPECT_EQ(daemon::state_directory("/given"), "/given");
  EXPECT_EQ(daemon::state_directory(""), "/var/lib/first");
  ::unsetenv("STATE_DIRECTORY");
  EXPECT_EQ(daemon::state_directory(""), "");
}

TEST(StateKeeper, KeepsBudgetsFromOneDaemonToTheNext) {
  Folder folder;
  daemon::Log log({.level = config::LogLevel::error});
  for (std::uint32_t life = 0; life < 3; ++life) {
    const auto budgets = std::make_shared<ConnectBudgets>(hosts(off));
    StateKeeper keeper(folder.path, budgets, log);
    const TimePoint now = daemon::Clock::now();
    EXPECT_EQ(budgets->use_of_connection("feed", {10, 1h}, now).used, 2 * life);
    EXPECT_FALSE(budgets->take("feed", {10, 1h}, "", now));
    EXPECT_FALSE(budgets->take("feed", {10, 1h}, "", now));
    keeper.finish(10s);
    EXPECT_EQ(keeper.failures(), 0U);
  }
}

TEST(StateKeeper, WritesAtOnceWhatChangedFirst) {
  Folder folder;
  daemon::Log log({.level = config::LogLevel::error});
  const auto budgets = std::make_shared<ConnectBudgets>(hosts(off));
  StateKeeper keeper(folder.path, budgets, log);
  EXPECT_FALSE(budgets->take("feed", {10, 1h}, "", daemon::Clock::now()));
  for (int i = 0; i < 1'000 && content(folder.path + "/connects.json").empty(); ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_NE(content(folder.path + "/connects.json").find("feed"), std::string::npos);
}

TEST(StateKeeper, AFileThatCannotBeWrittenIsCountedAndTriedAgain) {
  Folder folder;
  daemon::Log log({.level = config::LogLevel::error});
  const auto budgets = std::make_shared<ConnectBudgets>(hosts(off));
  StateKeeper keeper(folder.path, budgets, log);
  std::filesystem::create_directory(folder.path + "/connects.json");
  EXPECT_FALSE(budgets->take("feed", {10, 1h}, "", daemon::Clock::now()));
  for (int i = 0; i < 1'000 && keeper.failures() == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_GE(keeper.failures(), 1U);
  std::filesystem::remove(folder.path + "/connects.json");
  keeper.finish(10s);
  EXPECT_NE(content(folder.path + "/connects.json").find("feed"), std::string::npos);
}

// -- in the life of a connection

TEST(ConnectionBudget, ASpentBudgetIsWaitedFor) {
  ConnectionWorld world;
  world.settings.settings.reconnect.budget = {5, 10min};
  world.route() = {.tcp_error = daemon::Error::connection_refused, .on_open = {}};
  world.start();
  world.run_for(5min);
  EXPECT_EQ(world.begins().size(), 5U);
  EXPECT_EQ(world.connection->state(), State::backing_off);
  const auto shown = world.connection->describe(ipc::Upstream::Detail::whole);
  EXPECT_EQ(shown.at("last_error").at("error"), "budget_spent");
  EXPECT_TRUE(shown.at("next_attempt").is_string());
  EXPECT_EQ(shown.at("budgets").at(0).at("used"), 5);
  const auto cycles = world.connection->describe_attempts().at("cycles").as_array();
  EXPECT_EQ(cycles.back().at("next").at("rule"), "reconnect.budget");
  // Asking for it helps nobody.
  world.connection->control(ipc::Upstream::Control::reconnect, 0);
  world.run_for(1min);
  EXPECT_EQ(world.begins().size(), 5U);
  world.serve("");
  EXPECT_TRUE(world.wait_for(State::ready, 5min));
}

TEST(ConnectionBudget, ThoseThatShareAHostsBudgetDoNotWakeTogether) {
  constexpr std::size_t many = 200;
  simulated::Environment environment;
  environment.names["example.com"].addresses = {"10.0.0.1"};
  environment.routes["10.0.0.1"].on_open = upgrades();
  config::Connects connects = hosts(Rate{10, 10s});
  ConnectBudgets budgets(connects);
  daemon::Log log({.level = config::LogLevel::error});
  config::Connection settings;
  settings.urls = {config::Template("wss://example.com/ws")};
  settings.settings.keepalive.ping = 0ms;
  settings.settings.timeouts.receive = 24h;
  std::vector<TimePoint> dials;
  environment.on_dial = [&](const auto&) { dials.push_back(environment.now()); };
  std::vector<std::unique_ptr<Connection>> connections;
  std::size_t done = 0;
  for (std::size_t i = 0; i < many; ++i) {
    settings.name = "c" + std::to_string(i);
    connections.push_back(
        std::make_unique<Connection>(environment, settings, config::IpcLimits{}, budgets, log));
    connections.back()->start([&] { ++done; });
  }
  const auto ready = [](const auto& one) { return one->ready(); };
  for (int i = 0; i < 60 && !std::all_of(connections.begin(), connections.end(), ready); ++i)
    environment.run_for(10s);
  EXPECT_TRUE(std::all_of(connections.begin(), connections.end(), ready));
  ASSERT_EQ(dials.size(), many);
  for (std::size_t i = 10; i < many; ++i) EXPECT_GE(dials[i] - dials[i - 10], 10s);
  // Of each ten that go together, none at the same moment as another: they were spread.
  std::size_t together = 0;
  for (std::size_t i = 11; i < many; ++i) together += dials[i] == dials[i - 1] ? 1U : 0U;
  EXPECT_LT(together, many / 20);
  for (const auto& connection : connections) connection->stop(0ms);
  environment.run_for(1h);
  EXPECT_EQ(done, many);
}

TEST(ConnectionStorm, AThousandDroppedAtOnceComeBackSpreadOut) {
  constexpr std::size_t many = 1'000;
  simulated::Environment environment;
  environment.names["example.com"].addresses = {"10.0.0.1"};
  std::vector<Peer> peers;
  environment.routes["10.0.0.1"].on_open = [&](Peer opened) {
    peers.push_back(opened);
    upgrades()(opened);
  };
  ConnectBudgets budgets{config::Connects{}};
  daemon::Log log({.level = config::LogLevel::error});
  config::Connection settings;
  settings.urls = {config::Template("wss://example.com/ws")};
  settings.settings.history = 4096;
  settings.settings.max_message = 1024;
  std::vector<std::unique_ptr<Connection>> connections;
  std::size_t done = 0;
  for (std::size_t i = 0; i < many; ++i) {
    settings.name = "c" + std::to_string(i);
    connections.push_back(
        std::make_unique<Connection>(environment, settings, config::IpcLimits{}, budgets, log));
    connections.back()->start([&] { ++done; });
  }
  environment.run_for(1s);
  ASSERT_EQ(peers.size(), many);
  environment.log.clear();
  auto dropped = std::exchange(peers, {});
  const auto at = environment.elapsed();
  for (Peer& peer : dropped) peer.reset();
  environment.run_for(1s);
  EXPECT_EQ(peers.size(), many);
  for (const auto& connection : connections) EXPECT_TRUE(connection->ready());
  // Half a second of full jitter: no fifty milliseconds have more than twice their share.
  std::array<std::size_t, 11> begins{};
  for (const std::string& line : environment.log) {
    if (line.find(" dial ") == std::string::npos) continue;
    const auto after = std::stoll(line) - at.count();
    ASSERT_LE(after, 520);
    ++begins.at(static_cast<std::size_t>(after) / 50);
  }
  for (std::size_t slot = 0; slot < 10; ++slot) {
    EXPECT_GT(begins.at(slot), 50U) << slot;
    EXPECT_LT(begins.at(slot), 200U) << slot;
  }
  for (const auto& connection : connections) connection->stop(0ms);
  environment.run_for(1h);
  EXPECT_EQ(done, many);
}

}  // namespace
}  // namespace wskeep::upstream
