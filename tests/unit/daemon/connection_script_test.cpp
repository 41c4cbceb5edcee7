#include <gtest/gtest.h>

#include <string>

#include "config/load.hpp"
#include "tests/unit/daemon/connection_world.hpp"

namespace wskeep::upstream {
namespace {

using daemon::Error;

/// A connection whose script is these lines of YAML, below `session:` with six spaces before each.
struct ScriptWorld : ConnectionWorld {
  explicit ScriptWorld(const std::string& lines) {
    settings.settings =
        config::load_text(
            "connections:\n  a:\n    url: wss://h/\n    keepalive: {ping: off}\n    "
            "session:\n" +
                lines,
            "f")
            .connections.at(0)
            .settings;
  }

  /// What the server has been sent in this session since the last time.
  Texts hear() {
    run_for(0ms);
    if (heard_in_ != opens) ears.emplace(websocket::Role::server);
    heard_in_ = opens;
    ears->hear(peer->take());
    return std::exchange(ears->heard, {});
  }
  void say(std::string_view text) {
    peer->send(text_frame(text));
    run_for(0ms);
  }
  std::string publish() {
    const auto rejection = connection->publish(Opcode::text, as_payload("up"), {}, 0);
    return rejection ? std::string(rejection->error) : "";
  }
  /// The server answers our Close frame, and goes.
  void close() {
    peer->send(close_frame(1000));
    peer->end();
    run_for(0ms);
  }
  boost::json::object last_cycle() {
    return connection->describe_attempts().at("cycles").as_array().back().as_object();
  }

  std::optional<Ears> ears;

 private:
  std::size_t heard_in_ = 0;
};

constexpr const char* login =
    "      open:\n"
    "        - wait: {contains: hello}\n"
    "        - send: login\n"
    "        - {wait: {contains: welcome}, timeout: 5s, refuse: {contains: denied, verdict: "
    "stop}}\n"
    "      close: {send: bye, code: 4000}\n";

TEST(ConnectionScript, IsReadyWhenTheOpeningIsDone) {
  ScriptWorld world(login);
  world.serve(text_frame("hello"));
  world.start();
  EXPECT_EQ(world.connection->state(), State::opening);
  EXPECT_EQ(world.hear(), Texts{"text:login"});
  EXPECT_EQ(world.publish(), "not_connected");
  EXPECT_EQ(world.connection->channel().events().next(), 0U);
  world.run_for(100ms);
  world.say("welcome");
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.publish(), "");
  EXPECT_EQ(world.event(0).at("event").as_string(), "connected");
  // Local apps get them all, in order.
  EXPECT_EQ(messages_in(world.ring()), (Texts{"hello", "welcome"}));
  const auto steps = world.last_cycle().at("script").as_array();
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[2].as_object().at("step").as_string(), "open[2]");
  EXPECT_EQ(steps[2].as_object().at("took_ms").as_int64(), 100);
}

TEST(ConnectionScript, EndsTheSessionWhenAStepWaitsInVain) {
  ScriptWorld world(login);
  world.start();
  world.run_for(10s);
  EXPECT_EQ(world.hear(), Texts{"close:4000 "});
  world.close();
  EXPECT_EQ(world.ended(Error::script_timeout), 1U);
  // It was never there.
  EXPECT_EQ(world.connection->channel().events().next(), 0U);
  EXPECT_TRUE(world.last_cycle().at("script").as_array()[0].as_object().at("took_ms").is_null());
  EXPECT_TRUE(world.wait_for(State::opening));
}

TEST(ConnectionScript, DoesAsTheRefusalSays) {
  for (const bool closes : {false, true}) {
    ScriptWorld world(login);
    world.serve(text_frame("hello"));
    world.start();
    // Many servers say why, and close at once.
    world.peer->send(text_frame("denied") + (closes ? close_frame(4401) : ""));
    world.run_for(0ms);
    world.close();
    EXPECT_EQ(world.ended(Error::script_refused), 1U) << closes;
    EXPECT_EQ(world.connection->state(), State::failed);
    EXPECT_EQ(world.last_cycle().at("next").as_object().at("rule").as_string(),
              "session.open[2].refuse");
    world.run_for(24h);
    EXPECT_EQ(world.opens, 1U);
  }
}

TEST(ConnectionScript, TakesItsLeave) {
  ScriptWorld world(login);
  world.serve(text_frame("hello") + text_frame("welcome"));
  world.start();
  EXPECT_EQ(world.hear(), Texts{"text:login"});
  world.connection->control(ipc::Upstream::Control::reconnect, 0);
  const Texts heard = world.hear();
  ASSERT_EQ(heard.size(), 2U);
  EXPECT_EQ(heard[0], "text:bye");
  EXPECT_TRUE(heard[1].starts_with("close:4000")) << heard[1];
}

TEST(ConnectionScript, BeatsAndEndsASessionThatDoesNotAnswer) {
  ScriptWorld world(
      "      heartbeat: {every: 10s, send: ping, expect: {contains: pong}, within: 3s}\n");
  world.start();
  EXPECT_EQ(world.connection->state(), State::ready);
  world.run_for(10s);
  EXPECT_EQ(world.hear(), Texts{"text:ping"});
  world.say("pong");
  world.run_for(12s);
  EXPECT_EQ(world.hear(), Texts{"text:ping"});
  world.run_for(2s);
  world.close();
  EXPECT_EQ(world.ended(Error::heartbeat_timeout), 1U);
}

TEST(ConnectionScript, AGoodbyeRenewsAtOnceOnceTheSessionIsOld) {
  ScriptWorld world("      goodbye: [{on: {contains: bye}, renew: now}]\n");
  world.start();
  world.run_for(11s);
  world.say("bye");
  world.close();
  EXPECT_EQ(world.opens, 2U);
  EXPECT_EQ(world.ended(Error::goodbye), 1U);
  EXPECT_EQ(world.last_cycle().at("failure"), nullptr);
}

TEST(ConnectionScript, ResumesWithWhatItRemembers) {
  ScriptWorld world(
      "      open: [{send: identify}]\n"
      "      remember: {seq: /s}\n"
      "      resume: [{send: 'resume ${seq}'}, {wait: {contains: resumed}}]\n");
  world.start();
  EXPECT_EQ(world.hear(), Texts{"text:identify"});
  world.say(R"({"s":41})");
  world.say(R"({"s":42})");
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::opening));
  EXPECT_EQ(world.hear(), Texts{"text:resume 42"});
  // Closing is an answer.
  world.peer->send(close_frame(4009));
  world.peer->end();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_EQ(world.hear(), Texts{"text:identify"});
}

TEST(ConnectionScript, SeesEachMessageOfABurst) {
  // The replies count them; the ring is too small to hold them all.
  ScriptWorld world("      replies: [{on: {exists: /n}, set: {n: /n}, send: 'ack ${n}'}]\n");
  world.settings.settings.history = 4096;
  world.settings.settings.max_message = 4096;
  world.start();
  std::string burst;
  for (int i = 0; i < 64; ++i)
    burst +=
        text_frame(R"({"n":)" + std::to_string(i) + R"(,"fill":")" + std::string(500, 'x') + "\"}");
  world.peer->send(burst);
  world.run_for(0ms);
  const Texts heard = world.hear();
  ASSERT_EQ(heard.size(), 64U);
  EXPECT_EQ(heard.back(), "text:ack 63");
}

}  // namespace
}  // namespace wskeep::upstream
