#include <gtest/gtest.h>

#include <string>

#include "tests/unit/daemon/connection_world.hpp"

/// What people ask of a connection, what the policy makes of an end, and what time does to it.
namespace wskeep::upstream {
namespace {

using Control = ipc::Upstream::Control;
using daemon::Error;

constexpr std::uint32_t root = 0;

std::string close_heard(ConnectionWorld& world) {
  Ears ears(websocket::Role::server);
  ears.hear(world.peer->take());
  return ears.heard.empty() ? "" : ears.heard.back();
}

/// The server answers our Close frame.
void let_close(ConnectionWorld& world) {
  world.peer->send(close_frame(1000));
  world.peer->end();
  world.run_for(0ms);
}

boost::json::object last_cycle(const ConnectionWorld& world) {
  return world.connection->describe_attempts().at("cycles").as_array().back().as_object();
}

TEST(ConnectionControl, ReconnectEndsTheSessionAndGetsAnotherAtOnce) {
  ConnectionWorld world;
  world.start();
  world.run_for(5s);
  world.connection->control(Control::reconnect, root);
  EXPECT_EQ(world.connection->state(), State::closing);
  world.run_for(0ms);
  EXPECT_TRUE(close_heard(world).starts_with("close:1000 "));
  let_close(world);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.opens, 2U);
  EXPECT_EQ(world.environment.elapsed(), 5s);
  EXPECT_EQ(world.event(1).at("error"), "reconnect_requested");
  EXPECT_EQ(world.event(1).at("closed_by"), "wskeep");
  EXPECT_EQ(world.ended(Error::reconnect_requested), 1U);
}

TEST(ConnectionControl, ReconnectCutsAWaitShortAndForgetsTheBackOff) {
  ConnectionWorld world;
  world.route() = {.tcp_error = Error::connection_refused, .on_open = {}};
  world.start();
  world.run_for(10min);
  ASSERT_EQ(world.connection->state(), State::backing_off);
  world.serve("");
  const auto begun = world.environment.elapsed();
  world.connection->control(Control::reconnect, root);
  EXPECT_EQ(world.connection->state(), State::resolving);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.environment.elapsed(), begun);
  world.end_session();
  EXPECT_TRUE(world.wait_for(State::ready, 520ms));
}

TEST(ConnectionControl, ReconnectBeginsACycleThatHangsAnew) {
  ConnectionWorld world;
  world.route().tcp_hangs = true;
  world.start();
  world.run_for(1s);
  world.serve("");
  world.connection->control(Control::reconnect, root);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.connection->statistics().attempts_failed, 0U);
}

TEST(ConnectionControl, PauseEndsTheSessionUntilResume) {
  ConnectionWorld world;
  world.start();
  world.connection->control(Control::pause, root);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::closing);
  EXPECT_EQ(close_heard(world), "close:1000 paused");
  let_close(world);
  EXPECT_EQ(world.connection->state(), State::paused);
  EXPECT_EQ(world.event(0).at("error"), "paused");
  EXPECT_EQ(last_cycle(world).at("next").at("verdict"), "stop");
  EXPECT_EQ(last_cycle(world).at("next").at("rule"), "paused");
  world.run_for(24h);
  EXPECT_EQ(world.opens, 1U);
  EXPECT_TRUE(
      world.connection->describe(ipc::Upstream::Detail::whole).at("next_attempt").is_null());
  EXPECT_EQ(world.connection->publish(Opcode::text, as_payload("x"), {}, 1)->error,
            "not_connected");
  world.connection->control(Control::pause, root);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::paused);
  world.connection->control(Control::resume, root);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.opens, 2U);
}

TEST(ConnectionControl, PauseInEachStateAndEitherWayOut) {
  for (const Control way_out : {Control::resume, Control::reconnect}) {
    for (int state = 0; state < 5; ++state) {
      SCOPED_TRACE(state);
      ConnectionWorld world;
      if (state == 0) world.environment.names["example.com"].hangs = true;
      if (state == 1) world.route().tcp_hangs = true;
      if (state == 2) world.route().on_open = [](Peer) {};
      if (state == 3) world.route() = {.tcp_error = Error::connection_refused, .on_open = {}};
      if (state == 4) world.answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
      world.start();
      world.run_for(state < 3 ? 1s : 0ms);
      world.connection->control(Control::pause, root);
      EXPECT_EQ(world.connection->state(), State::paused);
      world.run_for(0ms);
      EXPECT_EQ(world.connection->state(), State::paused);
      const auto asked = world.environment.log.size();
      world.run_for(1h);
      EXPECT_EQ(world.environment.log.size(), asked);
      world.environment.names["example.com"].hangs = false;
      world.serve("");
      world.connection->control(way_out, root);
      world.run_for(0ms);
      EXPECT_EQ(world.connection->state(), State::ready);
    }
  }
}

TEST(ConnectionControl, ResumedBeforeTheSessionHasEndedItComesBack) {
  ConnectionWorld world;
  world.start();
  world.connection->control(Control::pause, root);
  world.connection->control(Control::resume, root);
  world.run_for(0ms);
  let_close(world);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.opens, 2U);
}

TEST(ConnectionControl, PausedThenResumedWithinOneCycle) {
  ConnectionWorld world;
  world.route().tls_hangs = true;
  world.start();
  world.run_for(1s);
  world.connection->control(Control::pause, root);
  world.serve("");
  world.connection->control(Control::resume, root);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
}

TEST(ConnectionControl, ResumeOfWhatIsNotPausedChangesNothing) {
  ConnectionWorld world;
  world.start();
  world.connection->control(Control::resume, root);
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.opens, 1U);
}

TEST(ConnectionControl, StopEndsWhatIsPaused) {
  ConnectionWorld world;
  world.start();
  world.connection->control(Control::pause, root);
  let_close(world);
  ASSERT_EQ(world.connection->state(), State::paused);
  world.connection->stop(1s);
  world.connection->control(Control::resume, root);
  world.run_for(0ms);
  EXPECT_EQ(world.done, 1);
  EXPECT_EQ(world.opens, 1U);
}

TEST(ConnectionPolicy, StopWaitsForAPerson) {
  for (const bool by_close : {false, true}) {
    for (const Control way_out : {Control::resume, Control::reconnect}) {
      ConnectionWorld world;
      auto& reconnect = world.settings.settings.reconnect;
      reconnect.on_status = {{404, 404, config::Verdict::stop}};
      reconnect.on_close = {{4000, 4999, config::Verdict::stop}};
      if (by_close)
        world.serve(close_frame(4001, "banned"));
      else
        world.answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
      world.start();
      if (by_close) world.peer->end();
      world.run_for(0ms);
      EXPECT_EQ(world.connection->state(), State::failed);
      const auto next = last_cycle(world).at("next").as_object();
      EXPECT_EQ(next.at("verdict"), "stop");
      EXPECT_EQ(next.at("rule"),
                by_close ? "reconnect.on_close 4000-4999" : "reconnect.on_status 404");
      EXPECT_TRUE(next.at("wait_ms").is_null());
      world.run_for(24h);
      EXPECT_EQ(world.begins().size(), 1U);
      world.serve("");
      world.connection->control(way_out, root);
      world.run_for(0ms);
      EXPECT_EQ(world.connection->state(), State::ready);
    }
  }
}

TEST(ConnectionPolicy, ACloseCodeMayBeSlow) {
  ConnectionWorld world;
  world.serve(close_frame(1008, "policy"));
  world.start();
  world.peer->end();
  world.run_for(0ms);
  EXPECT_EQ(world.connection->state(), State::failed);
  const auto next = last_cycle(world).at("next").as_object();
  EXPECT_EQ(next.at("verdict"), "slow");
  EXPECT_GE(next.at("wait_ms").as_int64(), 15'000);
  EXPECT_EQ(last_cycle(world).at("session").at("close_code"), 1008);
  EXPECT_EQ(last_cycle(world).at("session").at("failure").at("error"), "closed_by_peer");
}

TEST(ConnectionLifetime, ASessionIsRenewedAtAJitteredMoment) {
  ConnectionWorld world;
  world.settings.settings.lifetime = 100min;
  world.settings.settings.keepalive.ping = 0ms;
  world.settings.settings.timeouts.receive = 24h;
  world.start();
  std::vector<std::int64_t> renewed;
  for (int i = 0; i < 20; ++i) {
    const auto begun = world.environment.elapsed();
    ASSERT_TRUE(world.connection->describe(ipc::Upstream::Detail::whole).at("renewal").is_string());
    ASSERT_TRUE(world.wait_for(State::ready, 0ms));
    while (close_heard(world).empty() && world.environment.elapsed() < begun + 2h)
      world.run_for(1s);
    renewed.push_back((world.environment.elapsed() - begun).count());
    let_close(world);
    ASSERT_EQ(world.connection->state(), State::ready);  // no back-off comes between
    EXPECT_EQ(world.event(1).at("error"), "lifetime");
  }
  EXPECT_GE(*std::min_element(renewed.begin(), renewed.end()), 90 * 60'000);
  EXPECT_LE(*std::max_element(renewed.begin(), renewed.end()), 100 * 60'000 + 1'000);
  EXPECT_GT(*std::max_element(renewed.begin(), renewed.end()),
            *std::min_element(renewed.begin(), renewed.end()) + 60'000);
  EXPECT_EQ(world.connection->statistics().attempts_failed, 0U);
  EXPECT_EQ(world.ended(Error::lifetime), 20U);
}

TEST(ConnectionTime, AWallClockThatGoesAheadMovesNoTimerButAsksForASign) {
  ConnectionWorld world;
  world.start();
  world.watch_clock();
  world.run_for(3s);
  (void)world.peer->take();
  world.environment.wall_ahead += 24h * 365;
  world.run_for(2s);
  EXPECT_TRUE(close_heard(world).starts_with("ping:"));
  EXPECT_EQ(world.connection->state(), State::ready);
  // Nothing comes back: what the machine slept through is seen long before `receive`.
  world.run_for(6s);
  EXPECT_EQ(world.connection->statistics().sessions, 2U);
}

TEST(ConnectionTime, ASmallStepAndOneBackMeanNothing) {
  ConnectionWorld world;
  world.settings.settings.keepalive.ping = 0ms;
  world.settings.settings.timeouts.receive = 1h;
  world.start();
  world.watch_clock();
  for (const auto step : {std::chrono::milliseconds(20s), -std::chrono::milliseconds(24h * 365)}) {
    world.environment.wall_ahead += step;
    world.run_for(5s);
    EXPECT_EQ(close_heard(world), "");
    EXPECT_EQ(world.connection->state(), State::ready);
  }
}

}  // namespace
}  // namespace wskeep::upstream
