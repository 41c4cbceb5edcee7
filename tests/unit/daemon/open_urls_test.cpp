#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/daemon/open_world.hpp"

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;

/// A connection with several URLs: a, b and c, each with one address.
struct Urls : World {
  explicit Urls(std::size_t count = 3) {
    connection.urls.clear();
    for (std::size_t i = 0; i < count; ++i) {
      const std::string host(1, static_cast<char>('a' + i));
      connection.urls.emplace_back("wss://" + host + "/feed?key=s3cret");
      environment.names[host].addresses = {address(i)};
    }
  }
  static std::string address(std::size_t i) { return "10.0.0." + std::to_string(i + 1); }
  simulated::Route& route(std::size_t i) { return environment.routes[address(i)]; }
};

TEST(OpenUrls, AreTriedInTheirOrderUntilOneGivesASession) {
  Urls world;
  world.route(1).on_open = upgrades();
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve a", "0 dial 10.0.0.1", "0 connection_refused 10.0.0.1", "0 resolve b",
                 "0 dial 10.0.0.2", "0 connected 10.0.0.2", "0 tls 10.0.0.2", "0 open 10.0.0.2",
                 "0 opened"}));
  ASSERT_EQ(world.cycle().legs.size(), 2U);
  EXPECT_EQ(world.cycle().legs[0].url, "wss://a/feed?key=***");
  EXPECT_EQ(world.cycle().legs[1].url, "wss://b/feed?key=***");
  EXPECT_FALSE(world.cycle().legs[1].redirected);
  EXPECT_EQ(world.cycle().failure.error, Error::none);
}

TEST(OpenUrls, EachLeavesTimeForThoseBehindIt) {
  Urls world;
  world.connection.settings.timeouts.connect = 9s;
  world.environment.names["a"].hangs = true;  // resolve: 5 s, but its share is 3 s
  world.route(1).tcp_hangs = true;
  world.route(2).tls_hangs = true;
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve a", "3000 resolve b", "3000 dial 10.0.0.2", "6000 cancel dial 10.0.0.2",
                 "6000 resolve c", "6000 dial 10.0.0.3", "6000 connected 10.0.0.3",
                 "6000 tls 10.0.0.3", "9000 cancel tls 10.0.0.3", "9000 connect_timeout"}));
  EXPECT_EQ(world.cycle().legs.at(0).resolve->failure.error, Error::resolve_timeout);
  EXPECT_EQ(world.cycle().ended, 9s);
}

TEST(OpenUrls, WhatOneDoesNotNeedIsTheOthers) {
  Urls world;
  world.connection.settings.timeouts.connect = 9s;
  world.route(1).tcp_hangs = true;
  world.route(2).tcp_hangs = true;
  world.open();
  EXPECT_EQ(world.environment.log.at(5), "4500 cancel dial 10.0.0.2");
  EXPECT_EQ(world.environment.log.back(), "9000 connect_timeout");
}

TEST(OpenUrls, OneThatHungIsNotTheEndOfTheCycle) {
  Urls world(2);
  world.connection.settings.timeouts.connect = 6s;
  world.route(0).tls_hangs = true;
  world.open();  // b refuses
  EXPECT_EQ(world.failure().failure.error, Error::connect_timeout);
  EXPECT_EQ(world.failure().failure.text,
            "wss://a/feed?key=***: no session within 3000 ms, its share of timeouts.connect");
  EXPECT_EQ(world.cycle().ended, 3s);
}

TEST(OpenUrls, TheFailureThatCameFarthestIsTold) {
  Urls world;
  world.route(0).tls_error = Error::certificate_expired;
  world.route(1).on_open = says("HTTP/1.1 403 Forbidden\r\n\r\n");  // no other address, but c
  world.environment.names["c"].error = Error::resolve_failed;
  world.open();
  EXPECT_EQ(world.cycle().legs.size(), 3U);
  EXPECT_EQ(world.failure().failure.error, Error::http_unauthorized);
  EXPECT_EQ(world.failure().http_status, 403U);
  EXPECT_EQ(world.failure().failure.text,
            "wss://b/feed?key=***: 10.0.0.2:443: the server answered 403 Forbidden");
}

TEST(OpenUrls, WhatIsWrongWithAllEndsTheCycle) {
  Urls world;
  world.connection.settings.headers.emplace_back("X-Token",
                                                 config::Template("${file:/nonexistent/token}"));
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::configuration);
  EXPECT_EQ(world.environment.log, (Log{"0 configuration"}));
  EXPECT_EQ(world.cycle().legs.size(), 1U);
}

TEST(OpenUrls, WhatIsWrongWithOneDoesNot) {
  Urls world(2);
  world.connection.urls[0] = config::Template("wss://a/${file:/nonexistent/path}");
  world.route(1).on_open = upgrades();
  world.open();
  EXPECT_EQ(world.opened().response.status, 101U);
  EXPECT_EQ(world.cycle().legs.at(0).url, "wss://a/${file:/nonexistent/path}");
  EXPECT_FALSE(world.cycle().legs.at(0).resolve.has_value());
}

TEST(OpenUrls, ShuffledEachIsFirstAtTimesAndAllAreTried) {
  Urls world;
  world.connection.settings.fallback.urls = config::UrlOrder::shuffled;
  std::vector<std::string> orders;
  for (int i = 0; i < 200; ++i) {
    world.open();
    std::string order;
    for (const Leg& leg : world.cycle().legs) order += leg.url.at(6);
    orders.push_back(order);
  }
  for (const char* order : {"abc", "acb", "bac", "bca", "cab", "cba"})
    EXPECT_GT(std::count(orders.begin(), orders.end(), order), 10) << order;
}

TEST(OpenUrls, ABudgetThatIsSpentEndsTheCycle) {
  Urls world;
  world.gate.left = 0;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::budget_spent);
  EXPECT_EQ(world.environment.log, (Log{"0 resolve a", "0 budget_spent"}));
  EXPECT_EQ(world.gate.asked, (std::vector<std::string>{"a"}));
  EXPECT_TRUE(world.cycle().legs.at(0).addresses.empty());
  world.gate.left = 2;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::connection_refused);  // it was tried
  EXPECT_EQ(world.cycle().legs.size(), 3U);
  EXPECT_EQ(world.gate.left, 0U);
}

TEST(OpenUrls, ABudgetIsTakenFromForEachAddressThatIsStarted) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"});
  world.environment.routes["10.0.0.1"].tcp_hangs = true;
  world.environment.routes["10.0.0.2"].tcp = 1s;
  world.environment.routes["10.0.0.2"].on_open = upgrades();
  world.gate.left = 2;
  world.open();  // the third must not be started, those that run go on
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve example.com", "0 dial 10.0.0.1", "250 dial 10.0.0.2",
                 "1250 connected 10.0.0.2", "1250 tls 10.0.0.2", "1250 open 10.0.0.2",
                 "1250 cancel dial 10.0.0.1", "1250 opened"}));
  EXPECT_EQ(world.gate.asked.size(), 3U);
}

}  // namespace
}  // namespace wskeep::upstream
