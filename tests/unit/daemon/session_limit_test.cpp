#include <gtest/gtest.h>

#include <string>

#include "daemon/upstream/session.hpp"
#include "tests/unit/daemon/session_world.hpp"

/// A session with `send_rate`, to the millisecond of virtual time.
namespace wskeep::upstream {
namespace {

using daemon::Error;

TEST(SessionLimit, MessagesLeaveAtThePaceAndAreToldThen) {
  SessionWorld world;
  world.settings.keepalive.ping = 0ms;
  world.settings.send_rate = {3, 1s};
  world.begin();
  for (std::uint64_t i = 1; i <= 5; ++i) world.publish(std::to_string(i), i);
  world.session->flush();
  EXPECT_EQ(world.hear(), (Texts{"text:1", "text:2"}));
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "written 2"}));
  world.run_for(999ms);
  EXPECT_EQ(world.hear(), Texts{});
  world.run_for(1ms);
  EXPECT_EQ(world.hear(), (Texts{"text:3", "text:4"}));
  world.run_for(1s);
  EXPECT_EQ(world.hear(), (Texts{"text:5"}));
  EXPECT_EQ(world.publisher->told.size(), 5U);
}

TEST(SessionLimit, WhatWaitsForItCountsAsSendBufferAndNotAsATimeOut) {
  SessionWorld world;
  world.settings.send_rate = {1, 60s};
  world.settings.send_buffer = 20;
  world.settings.keepalive.ping = 0ms;
  world.begin();
  world.publish("first");
  world.session->flush();
  EXPECT_EQ(world.publish(std::string(30, 'x'), 1), "");
  EXPECT_FALSE(world.session->accepts_more());
  EXPECT_EQ(world.publish("more"), "send_buffer_full");
  world.session->flush();
  for (int i = 0; i < 59; ++i) {
    world.run_for(1s);
    world.say(text_frame("alive"));
  }
  EXPECT_FALSE(world.end);
  EXPECT_EQ(world.publisher->told, (Texts{"written 0"}));
  world.run_for(1s);
  EXPECT_EQ(world.publisher->told, (Texts{"written 0", "written 1"}));
  EXPECT_TRUE(world.session->accepts_more());
}

TEST(SessionLimit, AStuckWriteStillHasItsTimeOut) {
  SessionWorld world;
  world.settings.send_rate = {1, 10s};
  world.settings.keepalive.ping = 0ms;
  world.settings.timeouts.receive = 1h;
  world.begin();
  world.publish("first", 1);
  world.publish("second", 2);
  world.session->flush();
  world.hear();
  world.peer().set_room(0);
  world.run_for(39'999ms);
  EXPECT_FALSE(world.end);
  world.run_for(1ms);
  EXPECT_EQ(world.error(), Error::send_timeout);
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "unknown 2 send_timeout"}));
}

TEST(SessionLimit, AFloodOfPingsIsAnsweredWithinItAndDoesNotStarveMessages) {
  SessionWorld world;
  world.settings.send_rate = {2, 1s};
  world.settings.keepalive.ping = 0ms;
  world.begin();
  for (std::uint64_t i = 1; i <= 20; ++i) world.publish("m", i);
  world.session->flush();
  std::vector<std::chrono::milliseconds> times;
  std::size_t pongs = 0;
  for (int i = 0; i < 4000; ++i) {
    world.say(frame(Opcode::ping, std::to_string(i)));
    for (const auto& one : world.hear()) {
      times.push_back(world.environment.elapsed());
      pongs += one.starts_with("pong:") ? 1U : 0U;
    }
    EXPECT_LE(world.session->unsent(), 20U * 7U + 10U);
    world.run_for(10ms);
  }
  EXPECT_EQ(world.publisher->told.size(), 20U);
  EXPECT_GE(pongs, 15U);
  for (std::size_t i = 2; i < times.size(); ++i) EXPECT_GE(times[i] - times[i - 2], 1s);
}

TEST(SessionLimit, APongGoesAheadOfMessagesThatWait) {
  SessionWorld world;
  world.settings.send_rate = {2, 1s};
  world.settings.keepalive.ping = 0ms;
  world.begin();
  for (std::uint64_t i = 1; i <= 3; ++i) world.publish(std::to_string(i), i);
  world.session->flush();
  world.say(frame(Opcode::ping, "now"));
  EXPECT_EQ(world.hear(), (Texts{"text:1", "pong:now"}));
}

TEST(SessionLimit, ACloseFrameGoesAheadOfMessagesThatWait) {
  SessionWorld world;
  world.settings.send_rate = {2, 1s};
  world.begin();
  for (std::uint64_t i = 1; i <= 3; ++i) world.publish(std::to_string(i), i);
  world.session->flush();
  world.session->close(websocket::CloseCode::going_away, "stopping", Error::stopped);
  EXPECT_EQ(world.hear(), (Texts{"text:1", "close:1001 stopping"}));
  world.say(close_frame(1001));
  EXPECT_TRUE(world.peer().finished());
  world.peer().end();
  world.settle();
  EXPECT_EQ(world.error(), Error::stopped);
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "unknown 2 stopped", "unknown 3 stopped"}));
}

TEST(SessionLimit, PingsAreLeftOutWhereTheyWouldWaitUnlessNothingHasComeForLong) {
  SessionWorld world;
  world.settings.send_rate = {2, 60s};
  world.begin();
  for (std::uint64_t i = 1; i <= 2; ++i) world.publish(std::to_string(i), i);
  world.session->flush();
  EXPECT_EQ(world.hear(), (Texts{"text:1"}));
  world.run_for(10s);
  EXPECT_EQ(world.hear(), Texts{});  // a message waits
  world.run_for(10s);
  const Texts heard = world.hear();  // now a sign of life is wanted
  ASSERT_EQ(heard.size(), 1U);
  EXPECT_TRUE(heard[0].starts_with("ping:"));
  world.say(frame(Opcode::pong, heard[0].substr(5)));
  EXPECT_EQ(world.statistics.round_trip.count(), 0);
  EXPECT_FALSE(world.end);
}

TEST(SessionLimit, AProbeWaitsForItsPlaceBeforeItsTimeBegins) {
  SessionWorld world;
  world.settings.send_rate = {1, 8s};
  world.settings.timeouts.receive = 1h;
  world.begin();
  world.publish("first");
  world.session->flush();
  world.session->probe();
  EXPECT_EQ(world.hear(), (Texts{"text:first"}));
  world.run_for(8s);
  EXPECT_EQ(world.hear().size(), 1U);
  world.run_for(1h);
  EXPECT_EQ(world.error(), Error::receive_timeout);
  EXPECT_GE(world.ended_at, 10s);
  EXPECT_LE(world.ended_at, 13s);
}

}  // namespace
}  // namespace wskeep::upstream
