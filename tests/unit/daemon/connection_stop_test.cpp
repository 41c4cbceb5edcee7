#include <gtest/gtest.h>

#include <string>

#include "daemon/upstream/connection.hpp"
#include "tests/unit/daemon/connection_world.hpp"

/// `stop`, in each state that a connection can be in.
namespace wskeep::upstream {
namespace {

/// Stopped now, it ends in no time and says so once; time goes on without it.
void expect_prompt_stop(ConnectionWorld& world) {
  const auto begun = world.environment.elapsed();
  world.connection->stop(4s);
  world.connection->stop(1s);  // does nothing
  world.run_for(0ms);
  EXPECT_EQ(world.done, 1);
  EXPECT_EQ(world.done_at, begun);
  EXPECT_EQ(world.connection->state(), State::closing);
  const auto log = world.environment.log.size();
  world.run_for(1h);
  EXPECT_EQ(world.done, 1);
  EXPECT_EQ(world.environment.log.size(), log);
}

TEST(ConnectionStop, DirectlyAfterStart) {
  ConnectionWorld world;
  world.make();
  world.connection->start([&] {
    ++world.done;
    world.done_at = world.environment.elapsed();
  });
  expect_prompt_stop(world);
}

TEST(ConnectionStop, WhileResolving) {
  ConnectionWorld world;
  world.environment.names["example.com"].hangs = true;
  world.start();
  world.run_for(1s);
  ASSERT_EQ(world.connection->state(), State::resolving);
  expect_prompt_stop(world);
}

TEST(ConnectionStop, WhileConnecting) {
  for (const bool in_tls : {false, true}) {
    ConnectionWorld world;
    world.route().tcp_hangs = !in_tls;
    world.route().tls_hangs = in_tls;
    world.start();
    world.run_for(1s);
    ASSERT_EQ(world.connection->state(), State::connecting);
    expect_prompt_stop(world);
  }
}

TEST(ConnectionStop, WhileOpening) {
  ConnectionWorld world;
  world.route().on_open = [&](Peer opened) { world.peer = opened; };
  world.start();
  world.run_for(1s);
  ASSERT_EQ(world.connection->state(), State::opening);
  expect_prompt_stop(world);
  EXPECT_TRUE(world.peer->closed());
}

TEST(ConnectionStop, WhileBackingOff) {
  ConnectionWorld world;
  world.route() = {.tcp_error = daemon::Error::connection_refused, .on_open = {}};
  world.start();
  ASSERT_EQ(world.connection->state(), State::backing_off);
  expect_prompt_stop(world);
}

TEST(ConnectionStop, WhileFailed) {
  ConnectionWorld world;
  world.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
  world.start();
  ASSERT_EQ(world.connection->state(), State::failed);
  expect_prompt_stop(world);
}

TEST(ConnectionStop, WhileReadyClosesWith1001AndEndsWithTheServersAnswer) {
  ConnectionWorld world;
  world.start();
  world.run_for(5s);
  world.connection->stop(4s);
  EXPECT_FALSE(world.connection->publish(Opcode::text, as_payload("x"), {}, 1) == std::nullopt);
  world.run_for(100ms);
  Ears ears(websocket::Role::server);
  ears.hear(world.peer->take());
  EXPECT_EQ(ears.heard, (Texts{"close:1001 wskeepd is stopping"}));
  EXPECT_EQ(world.done, 0);
  world.peer->send(text_frame("last words") + close_frame(1001));
  world.peer->end();
  world.run_for(0ms);
  EXPECT_EQ(world.done, 1);
  EXPECT_EQ(world.done_at, 5'100ms);
  EXPECT_EQ(messages_in(world.ring()), (Texts{"last words"}));
  EXPECT_EQ(world.event(0).at("error"), "stopped");
  EXPECT_EQ(world.event(0).at("closed_by"), "wskeep");
  world.run_for(1h);
  EXPECT_EQ(world.opens, 1U);
}

TEST(ConnectionStop, AServerThatDoesNotAnswerHasHalfOfTheTime) {
  ConnectionWorld world;
  world.start();
  world.connection->stop(3s);
  world.run_for(1h);
  EXPECT_EQ(world.done, 1);
  EXPECT_EQ(world.done_at, 1'500ms);
}

TEST(ConnectionStop, InTheMomentTheSessionEnds) {
  ConnectionWorld world;
  world.start();
  world.peer->end();  // seen, when the executor runs
  world.connection->stop(3s);
  world.run_for(1h);
  EXPECT_EQ(world.done, 1);
  EXPECT_EQ(world.done_at, 0ms);
}

TEST(ConnectionStop, InTheMomentTheSessionOpens) {
  ConnectionWorld world;
  world.route().on_open = [&](Peer opened) { world.peer = opened; };
  world.start();
  world.peer->send(switching(world.peer->take()));
  expect_prompt_stop(world);
}

TEST(ConnectionStop, ReadersGetWhatIsLeftAndThen1001) {
  for (const bool ready : {false, true}) {
    ConnectionWorld world;
    world.start();
    Subscribed subscribed(world, false);
    world.peer->send(text_frame("last"));
    world.run_for(0ms);
    if (!ready) world.end_session();
    world.connection->stop(2s);
    world.run_for(0ms);
    if (ready) world.end_session();
    EXPECT_EQ(world.done, 0);
    while (subscribed.app.read()) world.run_for(0ms);
    EXPECT_EQ(subscribed.app.ears.heard, (Texts{"text:last", "close:1001 wskeepd is stopping"}));
    subscribed.app.leave();
    world.run_for(20ms);
    EXPECT_EQ(world.done, 1);
    EXPECT_EQ(world.connection->channel().readers(), 0U);
  }
}

TEST(ConnectionStop, AReaderThatIsBehindIsGivenTheRestOfTheRingFirst) {
  ConnectionWorld world;
  world.start();
  Subscribed subscribed(world, false);
  Texts expected;
  for (int number = 0; number < 80; ++number) {
    const std::string text = std::to_string(number) + std::string(10'000, '.');
    world.peer->send(text_frame(text));
    expected.push_back("text:" + text);
  }
  world.run_for(0ms);
  world.connection->stop(2s);
  world.run_for(0ms);
  world.end_session();
  // More than its socket holds: it reads a piece now and then.
  for (int pieces = 0; pieces < 20; ++pieces) {
    subscribed.app.read(std::size_t{64} << 10U);
    world.run_for(20ms);
  }
  while (subscribed.app.read()) world.run_for(0ms);
  expected.emplace_back("close:1001 wskeepd is stopping");
  EXPECT_EQ(subscribed.app.ears.heard, expected);
  subscribed.app.leave();
  world.run_for(20ms);
  EXPECT_EQ(world.done, 1);
  EXPECT_LT(world.done_at, 2s);
}

TEST(ConnectionStop, AReaderThatIsBehindAndDoesNotReadIsClosedBeforeTheDeadline) {
  ConnectionWorld world;
  world.start();
  Subscribed subscribed(world, false);
  for (int number = 0; number < 80; ++number)
    world.peer->send(text_frame(std::string(10'000, '.')));
  world.run_for(0ms);
  world.connection->stop(2s);
  world.run_for(0ms);
  world.end_session();
  world.run_for(1'600ms);
  while (subscribed.app.read()) world.run_for(0ms);
  EXPECT_EQ(subscribed.app.ears.heard.back(), "close:1001 wskeepd is stopping");
  EXPECT_LT(subscribed.app.ears.heard.size(), 80U);
  EXPECT_EQ(world.done, 0);
  world.run_for(1h);
  EXPECT_EQ(world.done, 1);
}

TEST(ConnectionStop, AReaderThatDoesNotLeaveIsWaitedForUntilTheDeadline) {
  ConnectionWorld world;
  world.start();
  Subscribed subscribed(world, false);
  world.connection->stop(2s);
  world.run_for(1h);
  EXPECT_EQ(world.done, 1);
  EXPECT_GE(world.done_at, 2'000ms);
  EXPECT_LE(world.done_at, 2'020ms);
}

}  // namespace
}  // namespace wskeep::upstream
