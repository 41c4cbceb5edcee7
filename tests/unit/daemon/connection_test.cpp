#include "daemon/upstream/connection.hpp"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "tests/unit/daemon/connection_world.hpp"

/// The life of a connection over its sessions; how it is stopped is in connection_stop_test.cpp.
namespace wskeep::upstream {
namespace {

double mean_of_last(const std::vector<std::int64_t>& values, std::size_t count) {
  const auto begin = values.end() - static_cast<std::ptrdiff_t>(count);
  return static_cast<double>(std::accumulate(begin, values.end(), std::int64_t{0})) /
         static_cast<double>(count);
}

TEST(Connection, OpensReceivesAndSends) {
  ConnectionWorld world;
  world.serve(text_frame("early"));
  world.start();
  EXPECT_TRUE(world.connection->ready());
  world.peer->send(text_frame("second"));
  world.run_for(0ms);
  EXPECT_EQ(messages_in(world.ring()), (Texts{"early", "second"}));
  EXPECT_FALSE(world.connection->publish(Opcode::text, as_payload("up"), {}, 1));
  world.connection->flush();
  Ears ears(websocket::Role::server);
  ears.hear(world.peer->take());
  EXPECT_EQ(ears.heard, (Texts{"text:up"}));
  EXPECT_EQ(world.connection->statistics().sessions, 1U);
  EXPECT_EQ(world.connection->statistics().attempts_failed, 0U);
}

TEST(Connection, EventsStandInOrderWithTheMessages) {
  ConnectionWorld world;
  world.start();
  Subscribed subscribed(world, true);
  world.peer->send(text_frame("one") + close_frame(1012, "restart") + text_frame("behind"));
  world.peer->end();
  ASSERT_TRUE(world.wait_for(State::backing_off));
  ASSERT_TRUE(world.wait_for(State::ready));
  world.peer->send(text_frame("two"));
  world.run_for(0ms);
  while (subscribed.app.read()) world.run_for(0ms);
  const Texts& heard = subscribed.app.ears.heard;
  ASSERT_EQ(heard.size(), 5U);
  EXPECT_NE(heard[0].find("\"hello\""), std::string::npos);
  EXPECT_TRUE(heard[1].starts_with("text:1 ") && heard[1].ends_with("\none"));
  EXPECT_NE(heard[2].find("\"disconnected\""), std::string::npos);
  EXPECT_NE(heard[3].find("\"connected\""), std::string::npos);
  EXPECT_TRUE(heard[4].starts_with("text:2 ") && heard[4].ends_with("\ntwo"));
  const auto disconnected = world.event(1);
  EXPECT_EQ(disconnected.at("error"), "closed_by_peer");
  EXPECT_EQ(disconnected.at("close_code"), 1012);
  EXPECT_EQ(disconnected.at("reason"), "restart");
  EXPECT_EQ(disconnected.at("closed_by"), "upstream");
}

TEST(Connection, SaysHowLongUpstreamWasAway) {
  ConnectionWorld world;
  world.start();
  EXPECT_TRUE(world.event(0).at("away_ms").is_null());
  world.run_for(1min);
  // A second outage of two cycles: the failed one counts to the time away.
  world.route().tcp = 300ms;
  world.route().tcp_error = daemon::Error::connection_refused;
  world.end_session();
  const auto away_since = world.environment.elapsed();
  ASSERT_TRUE(world.wait_for(State::connecting));
  world.run_for(20s);
  world.serve("");
  ASSERT_TRUE(world.wait_for(State::ready));
  const auto away = world.event(0).at("away_ms").as_int64();
  EXPECT_GE(away, 20'000);
  EXPECT_NEAR(static_cast<double>(away),
              static_cast<double>((world.environment.elapsed() - away_since).count()), 10);
}

TEST(Connection, EpochAndNumbersGoOnOverSessions) {
  ConnectionWorld world;
  world.serve(text_frame("a") + text_frame("b"));
  world.start();
  const auto epoch = world.ring().epoch();
  for (int i = 0; i < 10; ++i) {
    world.end_session();
    ASSERT_TRUE(world.wait_for(State::ready));
  }
  EXPECT_EQ(world.ring().epoch(), epoch);
  EXPECT_EQ(world.ring().next(), 23U);
  EXPECT_EQ(world.ring().first(), 1U);
  EXPECT_EQ(world.connection->statistics().sessions, 11U);
}

TEST(Connection, HalfAMessageOfOneSessionIsNotMixedIntoTheNext) {
  for (const bool compressed : {false, true}) {
    ConnectionWorld world;
    world.settings.settings.compression = compressed;
    world.route().on_open = [&](Peer opened) {
      world.peer = opened;
      answers([&](const std::string& request) {
        return switching(request,
                         compressed ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "") +
               text_frame("whole") + frame(Opcode::text, "half", false);
      })(opened);
    };
    world.start();
    world.end_session();
    ASSERT_TRUE(world.wait_for(State::ready));
    EXPECT_EQ(messages_in(world.ring()), (Texts{"whole", "whole"}));
    EXPECT_EQ(world.connection->statistics().discarded_messages, 1U);
  }
}

TEST(Connection, BacksOffFurtherAndFurtherUpToTheLimit) {
  ConnectionWorld world;
  world.route() = {.tcp_error = daemon::Error::connection_refused, .on_open = {}};
  world.start();
  EXPECT_EQ(world.connection->state(), State::backing_off);
  world.run_for(1h);
  const auto waits = world.waits();
  ASSERT_GT(waits.size(), 100U);
  std::int64_t limit = 500;
  for (const std::int64_t wait : waits) {
    EXPECT_LE(wait, limit);
    EXPECT_GE(wait, 10);
    limit = std::min<std::int64_t>(limit * 2, 30'000);
  }
  EXPECT_NEAR(mean_of_last(waits, 100), 15'000, 3'000);  // drawn evenly from 0 to 30 s
  EXPECT_EQ(world.ended(daemon::Error::connection_refused), world.begins().size());
  EXPECT_EQ(world.connection->statistics().attempts_failed, world.begins().size());
}

TEST(Connection, AServerThatAcceptsAndClosesAtOnceIsLeftAloneMoreAndMore) {
  for (const auto& words : {std::string(), close_frame(1013, "busy"), std::string("\x83\x00", 2)}) {
    ConnectionWorld world;
    world.serve(words);
    const auto upgrade = world.route().on_open;
    world.route().on_open = [upgrade](Peer opened) {
      upgrade(opened);
      opened.end();
    };
    // Its end stands behind what it says, and so comes in the session.
    world.start();
    world.run_for(1h);
    const auto waits = world.waits();
    ASSERT_GT(waits.size(), 100U);
    EXPECT_LT(waits.size(), 400U);
    EXPECT_NEAR(mean_of_last(waits, 100), 15'000, 3'500);
  }
}

TEST(Connection, OnlyASessionThatLivedLongEnoughMakesTheNextWaitShortAgain) {
  for (const bool stable : {false, true}) {
    ConnectionWorld world;
    world.start();
    for (int i = 0; i < 60; ++i) {
      world.run_for(stable ? 10'000ms : 9'900ms);
      world.end_session();
      ASSERT_TRUE(world.wait_for(State::ready, 31s));
    }
    auto waits = world.waits();
    ASSERT_EQ(waits.size(), 60U);
    for (auto& wait : waits) wait -= stable ? 10'000 : 9'900;
    const auto longest = *std::max_element(waits.begin(), waits.end());
    if (stable) {
      EXPECT_LE(longest, 500 + 10);
    } else {
      EXPECT_GT(longest, 20'000);
    }
  }
}

TEST(Connection, LastingErrorsAreTriedAtTheSlowestPaceAndAreMended) {
  ConnectionWorld world;
  world.answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
  world.start();
  EXPECT_EQ(world.connection->state(), State::failed);
  EXPECT_EQ(world.connection->publish(Opcode::text, as_payload("x"), {}, 1)->error,
            "not_connected");
  world.run_for(10min);
  const auto waits = world.waits();
  ASSERT_GT(waits.size(), 15U);
  EXPECT_GE(*std::min_element(waits.begin(), waits.end()), 15'000);
  EXPECT_LE(*std::max_element(waits.begin(), waits.end()), 30'000);
  EXPECT_EQ(world.connection->state(), State::failed);
  // What can pass by itself comes between: the state says so.
  world.route() = {.tcp_error = daemon::Error::connection_refused, .on_open = {}};
  EXPECT_TRUE(world.wait_for(State::backing_off));
  world.route() = {.tls_error = daemon::Error::certificate_expired, .on_open = {}};
  EXPECT_TRUE(world.wait_for(State::failed));
  world.serve("");
  EXPECT_TRUE(world.wait_for(State::ready));
}

TEST(Connection, RetryAfterIsTheLeastThatIsWaited) {
  ConnectionWorld world;
  world.answer("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n");
  world.start();
  world.run_for(1h);
  const auto waits = world.waits();
  ASSERT_GT(waits.size(), 20U);
  EXPECT_GE(*std::min_element(waits.begin(), waits.end()), 120'000);
  EXPECT_LE(*std::max_element(waits.begin(), waits.end()), 150'000);
}

TEST(Connection, TheStateIsThatOfTheFarthestStage) {
  ConnectionWorld world;
  world.environment.names["example.com"].after = 100ms;
  world.route().tcp = 100ms;
  world.route().tls = 100ms;
  world.route().on_open = [&](Peer opened) { world.peer = opened; };
  world.start();
  EXPECT_EQ(world.connection->state(), State::resolving);
  world.run_for(100ms);
  EXPECT_EQ(world.connection->state(), State::connecting);
  world.run_for(150ms);
  EXPECT_EQ(world.connection->state(), State::connecting);
  world.run_for(50ms);
  EXPECT_EQ(world.connection->state(), State::opening);
  EXPECT_FALSE(world.connection->ready());
  world.peer->send(switching(world.peer->take()));
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  world.end_session();
  EXPECT_EQ(world.connection->state(), State::backing_off);
}

TEST(Connection, RejectedMessagesAreCounted) {
  ConnectionWorld world;
  world.settings.settings.max_message = 1000;
  world.start();
  const std::string large(1001, 'x');
  EXPECT_EQ(world.connection->publish(Opcode::text, as_payload(large), {}, 1)->error, "too_large");
  world.end_session();
  EXPECT_TRUE(world.connection->accepts_more());
  EXPECT_EQ(world.connection->publish(Opcode::text, as_payload("x"), {}, 2)->error,
            "not_connected");
  EXPECT_EQ(world.connection->statistics().rejected_messages, 2U);
}

TEST(Connection, PublishersGoOnWhenTheBufferHasRoomAgain) {
  ConnectionWorld world;
  world.settings.settings.send_buffer = 1000;
  world.settings.settings.keepalive.ping = 0ms;
  world.start();
  world.peer->set_room(100);
  Subscribed subscribed(world, false);
  for (int i = 0; i < 20; ++i) {
    subscribed.app.send(std::string(200, static_cast<char>('a' + i)));
    world.run_for(0ms);
  }
  // Whole messages over the limit wait with the app, not in our memory.
  EXPECT_LE(world.connection->unsent(), 1000U + 210U);
  Ears ears(websocket::Role::server);
  for (int i = 0; i < 200; ++i) {
    ears.hear(world.peer->take());
    world.run_for(0ms);
  }
  ASSERT_EQ(ears.heard.size(), 20U);
  for (std::size_t i = 0; i < 20; ++i)
    EXPECT_EQ(ears.heard[i], "text:" + std::string(200, static_cast<char>('a' + i)));
  EXPECT_EQ(world.connection->statistics().rejected_messages, 0U);
}

TEST(Connection, ADayOfFlappingLeavesNothingBehind) {
  ConnectionWorld world;
  world.environment.keep_log = false;
  world.serve(text_frame(std::string(500, 'x')) + text_frame("y"));
  world.start();
  Subscribed subscribed(world, true);
  const auto epoch = world.ring().epoch();
  std::mt19937 random(5);
  std::size_t after_an_hour = 0;
  for (int hour = 0; hour < 24; ++hour) {
    const auto until = std::chrono::hours(hour + 1);
    while (world.environment.elapsed() < until) {
      world.run_for(std::chrono::milliseconds(random() % 60'000));
      while (subscribed.app.read()) world.run_for(0ms);
      subscribed.app.ears.heard.clear();
      switch (random() % 5) {
        case 0:
          world.peer->reset();
          break;
        case 1:
          world.peer->send(close_frame(1001));
          break;
        case 2:
          world.peer->send(frame(Opcode::text, "begun", false));
          break;
        case 3:
          break;  // silent, and ended by our time-outs
        default:
          world.peer->end();
      }
    }
    if (hour == 0) after_an_hour = ::mallinfo2().uordblks;
  }
  EXPECT_LT(::mallinfo2().uordblks, after_an_hour + std::size_t{64} * 1024);
  const auto& statistics = world.connection->statistics();
  EXPECT_GT(statistics.sessions, 1000U);
  EXPECT_EQ(statistics.sessions, world.opens);
  EXPECT_EQ(world.ring().next() - 1, 2 * world.opens);
  EXPECT_EQ(world.ring().epoch(), epoch);
  const auto& events = world.connection->channel().events();
  EXPECT_LE(events.next() - events.first(), 256U);
  EXPECT_LE(world.connection->describe_attempts().at("cycles").as_array().size(), 8U);
  EXPECT_EQ(world.connection->channel().readers(), 1U);
}

}  // namespace
}  // namespace wskeep::upstream
