#include "daemon/upstream/open.hpp"

#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <string>
#include <vector>

#include "daemon/upstream/backoff.hpp"
#include "tests/unit/daemon/open_world.hpp"

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;

TEST(Open, TheUsualWay) {
  World world;
  world.environment.names["example.com"] = {{"10.0.0.1"}, 20ms};
  auto& route = world.environment.routes["10.0.0.1"];
  route.tcp = 30ms;
  route.tls = 50ms;
  route.on_open = upgrades();
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve example.com", "20 dial 10.0.0.1", "50 connected 10.0.0.1",
                 "50 tls 10.0.0.1", "100 open 10.0.0.1", "100 opened"}));
  EXPECT_EQ(world.opened().response.status, 101U);
  const AddressStep& step = world.cycle().legs.at(0).addresses.at(0);
  EXPECT_EQ(step.started, 20ms);
  EXPECT_EQ(step.connected, 50ms);
  EXPECT_EQ(step.secured, 100ms);
  EXPECT_EQ(step.answered, 100ms);
  EXPECT_EQ(step.reached, Stage::open);
  EXPECT_EQ(world.cycle().legs.at(0).resolve->duration, 20ms);
  EXPECT_EQ(world.cycle().ended, 100ms);
  EXPECT_EQ(world.cycle().failure.error, Error::none);
}

TEST(Open, DeadAddressesAreJoinedByTheNext) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.environment.routes["10.0.0.1"].tcp_hangs = true;
  world.environment.routes["10.0.0.2"].tcp = 10ms;
  world.environment.routes["10.0.0.2"].tcp_error = Error::connection_refused;
  world.environment.routes["10.0.0.3"].tcp = 5ms;
  world.environment.routes["10.0.0.3"].on_open = upgrades();
  world.open();
  EXPECT_EQ(
      world.environment.log,
      (Log{"0 resolve example.com", "0 dial 10.0.0.1", "250 dial 10.0.0.2",
           "260 connection_refused 10.0.0.2", "260 dial 10.0.0.3", "265 connected 10.0.0.3",
           "265 tls 10.0.0.3", "265 open 10.0.0.3", "265 cancel dial 10.0.0.1", "265 opened"}));
  EXPECT_EQ(world.cycle().legs.at(0).addresses.at(0).failure.error, Error::stopped);
  EXPECT_EQ(world.cycle().legs.at(0).addresses.at(1).failure.error, Error::connection_refused);
}

TEST(Open, OneThatHangsInTlsIsFollowedAfterItsDeadlineByTheReserve) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.environment.routes["10.0.0.1"].tcp = 300ms;
  world.environment.routes["10.0.0.1"].tls_hangs = true;
  world.environment.routes["10.0.0.2"].tcp = 200ms;
  world.environment.routes["10.0.0.2"].on_open = upgrades();
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve example.com", "0 dial 10.0.0.1", "250 dial 10.0.0.2",
                 "300 connected 10.0.0.1", "300 tls 10.0.0.1", "450 connected 10.0.0.2",
                 "10000 cancel tls 10.0.0.1", "10000 tls 10.0.0.2", "10000 open 10.0.0.2",
                 "10000 opened"}));
  EXPECT_EQ(world.cycle().legs.at(0).addresses.at(0).failure.error, Error::address_timeout);
  EXPECT_EQ(world.cycle().legs.at(0).addresses.at(0).reached, Stage::tls);
}

TEST(Open, OneThatHangsInHttpIsFollowedAfterItsDeadline) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2"});
  world.environment.routes["10.0.0.1"].on_open = [](Peer) {};
  world.environment.routes["10.0.0.2"].on_open = upgrades();
  world.open();
  EXPECT_EQ(
      world.environment.log,
      (Log{"0 resolve example.com", "0 dial 10.0.0.1", "0 connected 10.0.0.1", "0 tls 10.0.0.1",
           "0 open 10.0.0.1", "10000 dial 10.0.0.2", "10000 connected 10.0.0.2",
           "10000 tls 10.0.0.2", "10000 open 10.0.0.2", "10000 opened"}));
}

TEST(Open, AllDeadEndsInBoundedTime) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"});
  for (int i = 1; i <= 6; ++i)
    world.environment.routes["10.0.0." + std::to_string(i)].tcp_hangs = true;
  world.open();
  EXPECT_EQ(world.environment.log.back(), "11000 address_timeout");
  EXPECT_EQ(world.cycle().legs.at(0).addresses.size(), 5U);  // fallback.addresses
  EXPECT_EQ(world.memory.addresses.size(), 5U);
}

TEST(Open, TheWholeCycleHasADeadline) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2"});
  world.connection.settings.timeouts.connect = 3s;
  world.environment.routes["10.0.0.1"].tcp_hangs = true;
  world.environment.routes["10.0.0.2"].tls_hangs = true;
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve example.com", "0 dial 10.0.0.1", "250 dial 10.0.0.2",
                 "250 connected 10.0.0.2", "250 tls 10.0.0.2", "3000 cancel dial 10.0.0.1",
                 "3000 cancel tls 10.0.0.2", "3000 connect_timeout"}));
}

TEST(Open, TheFailureThatCameFarthestIsTold) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.environment.routes["10.0.0.1"].on_open = says("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  world.environment.routes["10.0.0.2"].tls_error = Error::certificate_expired;
  world.open();  // .3 refuses
  EXPECT_EQ(world.failure().failure.error, Error::http_status);
  EXPECT_EQ(world.failure().http_status, 502U);
  EXPECT_NE(world.failure().failure.text.find("10.0.0.1:443"), std::string::npos);
  EXPECT_EQ(world.cycle().legs.at(0).addresses.size(), 3U);
}

TEST(Open, TheLastGoodAddressIsTriedFirst) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2"});
  world.environment.routes["10.0.0.2"].on_open = upgrades();
  world.open();
  world.environment.routes["10.0.0.1"].on_open = upgrades();
  world.environment.log.clear();
  world.open();
  EXPECT_EQ(world.environment.log.at(1), "0 dial 10.0.0.2");
}

TEST(Open, NamesThatFail) {
  for (const bool hangs : {false, true}) {
    World world;
    world.environment.names["example.com"].error = Error::resolve_failed;
    world.environment.names["example.com"].hangs = hangs;
    world.open();
    EXPECT_EQ(world.environment.log.back(), hangs ? "5000 resolve_timeout" : "0 resolve_failed");
    EXPECT_EQ(world.cycle().legs.at(0).resolve->failure.error, world.failure().failure.error);
    EXPECT_EQ(world.cycle().ended, hangs ? 5s : 0s);
  }
}

/// The same story, with every kind of step, told until it ends or is cut off.
struct Story : World {
  Story() {
    name({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"});
    environment.names["example.com"].after = 10ms;
    environment.routes["10.0.0.1"].tcp_hangs = true;
    environment.routes["10.0.0.2"].tls_hangs = true;
    environment.routes["10.0.0.2"].tcp = 5ms;
    environment.routes["10.0.0.3"].on_open = says("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    environment.routes["10.0.0.4"].on_open = upgrades();
    environment.routes["10.0.0.4"].tls = 20ms;
  }
};

TEST(Open, CancelledAtAnyStepItStopsAtOnce) {
  Story whole;
  whole.open();
  ASSERT_TRUE(std::holds_alternative<Opened>(*whole.result));
  const std::uint64_t operations = whole.environment.operations();
  ASSERT_GT(operations, 20U);
  for (std::uint64_t n = 1; n <= operations; ++n) {
    SCOPED_TRACE(n);
    Story story;
    std::optional<std::chrono::milliseconds> when;
    story.environment.on_operation = [&](std::uint64_t number) {
      if (number == n) {
        when = story.environment.elapsed();
        asio::post(story.environment.context,
                   [&] { story.stop.emit(asio::cancellation_type::terminal); });
      }
      return true;
    };
    story.open();
    if (std::holds_alternative<OpenFailure>(*story.result)) {
      EXPECT_EQ(story.failure().failure.error, Error::stopped);
      EXPECT_EQ(story.environment.log.back(), std::to_string(when->count()) + " stopped");
    } else {
      EXPECT_GE(n, operations - 3);  // it was open already
    }
    for (const AddressStep& step : story.cycle().legs.at(0).addresses)
      EXPECT_TRUE(step.ended.has_value());
  }
}

TEST(Open, WhateverFailsItEndsInTime) {
  Story whole;
  whole.open();
  for (std::uint64_t n = 1; n <= whole.environment.operations(); ++n) {
    SCOPED_TRACE(n);
    Story story;
    story.environment.on_operation = [&](std::uint64_t number) { return number != n; };
    story.open();
    EXPECT_LE(story.cycle().ended, story.connection.settings.timeouts.connect);
    for (const AddressStep& step : story.cycle().legs.at(0).addresses)
      EXPECT_TRUE(step.ended.has_value());
  }
}

TEST(Open, AContextThatGoesAwayTakesEverythingAlong) {
  Story story;
  story.start();
  story.environment.run_for(300ms);
  EXPECT_FALSE(story.result.has_value());
}

asio::awaitable<void> keep_trying(World& world, std::uint64_t& cycles, daemon::TimePoint until) {
  Backoff backoff(world.connection.settings.reconnect);
  while (world.environment.now() < until) {
    const OpenResult result = co_await open_session(world.environment, world.connection,
                                                    world.memory, world.timeline, world.gate);
    EXPECT_TRUE(std::holds_alternative<OpenFailure>(result));
    ++cycles;
    (void)co_await world.environment.sleep(backoff.next(world.environment.random()));
  }
}

TEST(Open, ThreeDaysOfFailingCyclesStayBounded) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.environment.keep_log = false;
  world.environment.routes["10.0.0.2"].tcp = 20ms;
  world.environment.routes["10.0.0.2"].tls_error = Error::tls_protocol;
  world.environment.routes["10.0.0.3"].on_open = says("HTTP/1.1 503 Busy\r\n\r\n");
  std::uint64_t cycles = 0;
  asio::co_spawn(world.environment.executor(),
                 keep_trying(world, cycles, world.environment.now() + 72h),
                 [](std::exception_ptr thrown) {
                   if (thrown) std::rethrow_exception(thrown);
                 });
  world.environment.run();
  EXPECT_GE(world.environment.elapsed(), 72h);
  EXPECT_GT(cycles, 72U * 3600 / 30);
  EXPECT_LT(cycles, 72U * 3600 / 10);
  EXPECT_EQ(world.timeline.count(), cycles);
  EXPECT_LE(world.timeline.cycles().size(), 8U);
}

}  // namespace
}  // namespace wskeep::upstream
