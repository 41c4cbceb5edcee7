#include "daemon/script/run.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.hpp"

namespace wskeep::script {
namespace {

using namespace std::chrono_literals;
using Texts = std::vector<std::string>;

/// Time and chance stand still.
class Still final : public Surroundings {
 public:
  std::chrono::system_clock::time_point wall_now() const override {
    return std::chrono::system_clock::time_point(1'709'210'096s);
  }
  void random(std::span<std::byte> bytes) override {
    for (std::byte& byte : bytes) {
      byte = drawn;
    }
  }
  std::byte drawn{0x80};
};

/// A connection with a script, and one session of it after the other.
class World {
 public:
  /// Lines of YAML below `session:` with six spaces before each.
  explicit World(const std::string& lines)
      : program_(
            config::load_text("connections:\n  a:\n    url: wss://h/\n    session:\n" + lines, "f")
                .connections.at(0)
                .settings.session),
        variables_(program_.script()) {}

  World& open() {
    run_ = std::make_unique<Run>(program_, variables_, still);
    begun_ = now_;
    run_->opened(now_);
    return *this;
  }
  World& say(std::string_view text, std::uint8_t opcode = 1) {
    if (run_->watches()) {
      run_->message({opcode, std::as_bytes(std::span(text)), false}, reader_, now_);
    }
    run_->received(now_);
    return *this;
  }
  /// Lets time go on, from one moment that the run wants to see to the next.
  World& go(std::chrono::milliseconds duration) {
    const Run::Time until = now_ + duration;
    while (run_->next() <= until) {
      now_ = std::max(now_, run_->next());
      run_->time(now_);
    }
    now_ = until;
    return *this;
  }
  /// What it wants done since the last call: "send X", "binary X", "ready", "timeout: TEXT".
  Texts done() {
    Texts all;
    for (const Run::Action& action : run_->take()) {
      if (const auto* const send = std::get_if<Run::Send>(&action)) {
        all.push_back((send->binary ? "binary " : "send ") + send->text);
      } else if (const auto* const end = std::get_if<Run::End>(&action)) {
        static constexpr std::array names{"timeout", "refused", "heartbeat", "goodbye", "failed"};
        all.push_back(std::string(names.at(static_cast<std::size_t>(end->why))) + ": " + end->text);
        end_ = *end;
      } else {
        all.emplace_back("ready");
      }
    }
    return all;
  }
  Run& run() { return *run_; }
  const Run::End& end() const { return end_; }

  Still still;

 private:
  Program program_;
  Variables variables_;
  JsonReader reader_;
  Run::Time now_{1000s};
  Run::Time begun_;
  Run::End end_;
  std::unique_ptr<Run> run_;
};

TEST(Run, IsReadyAtOnceWithoutSteps) {
  World world("      close: {code: 4000}\n");
  EXPECT_EQ(world.open().done(), Texts{"ready"});
  EXPECT_FALSE(world.run().watches());
  EXPECT_EQ(world.run().next(), Run::Time::max());
}

TEST(Run, SendsOnceForEachOfAList) {
  World world(
      "      variables: {list: [a, 'b\"']}\n"
      "      open: [{send: '{\"s\":\"${s}\"}', repeat: {s: list}}, {send: done, binary: true}]\n");
  EXPECT_EQ(world.open().done(),
            (Texts{R"(send {"s":"a"})", R"(send {"s":"b\""})", "binary done", "ready"}));
}

TEST(Run, PacesWhatItRepeats) {
  World world(
      "      variables: {list: [a, b, c]}\n"
      "      open: [{send: '${s}', repeat: {s: list}, pace: 100ms}]\n");
  EXPECT_EQ(world.open().done(), Texts{"send a"});
  EXPECT_EQ(world.go(99ms).done(), Texts{});
  EXPECT_EQ(world.go(1ms).done(), Texts{"send b"});
  EXPECT_EQ(world.go(100ms).done(), (Texts{"send c", "ready"}));
}

TEST(Run, AListIsAnArrayInJson) {
  World world("      variables: {list: [a, b]}\n      open: [{send: '{\"p\":${list}}'}]\n");
  EXPECT_EQ(world.open().done(), (Texts{R"(send {"p":["a","b"]})", "ready"}));
}

TEST(Run, WaitsForAllConditionsInAnyOrder) {
  World world("      open: [{wait: [{json: {/a: 1}}, {contains: two}]}, {send: x}]\n");
  EXPECT_EQ(world.open().say("other").done(), Texts{});
  EXPECT_EQ(world.say("two").say("two").done(), Texts{});
  EXPECT_EQ(world.say(R"({"a":1.0})").done(), (Texts{"send x", "ready"}));
}

TEST(Run, OneMessageMeetsOneWaitOnly) {
  World world("      open: [{wait: {contains: x}}, {wait: {contains: x}}]\n");
  EXPECT_EQ(world.open().say("x").done(), Texts{});
  EXPECT_EQ(world.say("x").done(), Texts{"ready"});
}

TEST(Run, AWaitCountsWhatCameDuringThePauseBeforeIt) {
  World world("      open: [{send: s}, {pause: 1s}, {wait: {contains: ack}}]\n");
  EXPECT_EQ(world.open().say("ack").done(), Texts{"send s"});
  EXPECT_EQ(world.go(1s).done(), Texts{"ready"});
}

TEST(Run, GivesUpWaiting) {
  World world("      open: [{wait: [{contains: a}, {contains: b}], timeout: 5s}]\n");
  world.open().say("a");
  EXPECT_EQ(world.go(4999ms).done(), Texts{});
  EXPECT_EQ(world.go(1ms).done(),
            Texts{"timeout: session.open[0]: no message met condition 2 of 2 within 5s (timeout)"});
  EXPECT_EQ(world.say("b").go(1h).done(), Texts{});
}

TEST(Run, IsRefused) {
  World world(
      "      open:\n"
      "        - wait: {json: {/ok: true}}\n"
      "          refuse: [{json: {/ok: false}, verdict: stop}, {contains: later}]\n");
  EXPECT_EQ(world.open().say(R"({"ok":false})").done(),
            Texts{"refused: upstream refused: a message is what session.open[0].refuse says"});
  EXPECT_EQ(world.end().verdict, config::Verdict::stop);
  EXPECT_EQ(world.end().rule, "session.open[0].refuse");
  world.open().say("later").done();
  EXPECT_EQ(world.end().verdict, config::Verdict::slow);
}

TEST(Run, IsRefusedAtAnyTime) {
  World world(
      "      open: [{wait: {contains: hello}}]\n"
      "      refuse: [{contains: gone, verdict: stop}, {exists: /error}]\n");
  EXPECT_EQ(world.open().say(R"({"error":1})").done(),
            Texts{"refused: upstream refused: a message is what session.refuse[1] says"});
  EXPECT_EQ(world.end().verdict, config::Verdict::slow);
  EXPECT_EQ(world.open().say("hello").done(), Texts{"ready"});
  EXPECT_EQ(world.say("gone").done(),
            Texts{"refused: upstream refused: a message is what session.refuse[0] says"});
  EXPECT_EQ(world.end().verdict, config::Verdict::stop);
  EXPECT_EQ(world.end().rule, "session.refuse[0]");
}

TEST(Run, TakesVariablesFromTheMessage) {
  World world(
      "      open:\n"
      "        - wait: [{exists: /id}, {text: 'n=(\\d+)'}]\n"
      "          set: {id: /id, n: 1, both: '${id}-${n}'}\n"
      "        - send: '{\"a\":\"${id}\",\"b\":${n},\"c\":\"${both}\"}'\n");
  EXPECT_EQ(world.open().say("n=42").say(R"({"id":"q\"\u00e9"})").done(),
            (Texts{"send {\"a\":\"q\\\"\u00e9\",\"b\":42,\"c\":\"q\\\"\u00e9-42\"}", "ready"}));
}

TEST(Run, SaysWhichValueTheMessageHasNot) {
  World world("      open: [{wait: {contains: x}, set: {id: /id}}]\n");
  EXPECT_EQ(world.open().say(R"({"x":1})").done(),
            Texts{"refused: session.open[0].set.id: the message has no such value, or one over "
                  "64KiB"});
}

TEST(Run, CountsWithSet) {
  World world(
      "      open: [{set: {n: '1'}}, {send: '${n}'}, {set: {n: '${add(n, 1)}'}}, {send: "
      "'${n}'}]\n");
  EXPECT_EQ(world.open().done(), (Texts{"send 1", "send 2", "ready"}));
}

TEST(Run, CountsWithEachSending) {
  World world(
      "      variables: {channels: [a, b]}\n"
      "      open: [{set: {id: '5'}}, {send: '${id} ${c}', repeat: {c: channels}, pace: 1s, set: "
      "{id: '${add(id, 1)}'}}, {send: '${id}', set: {id: '${add(id, 1)}'}}]\n");
  EXPECT_EQ(world.open().done(), Texts{"send 6 a"});
  EXPECT_EQ(world.go(2s).done(), (Texts{"send 7 b", "send 8", "ready"}));
}

TEST(Run, FailsWithoutAValueAndNeverRepeatsOne) {
  World world("      open: [{send: '${later}'}, {set: {later: x}}]\n");
  const Texts done = world.open().done();
  ASSERT_EQ(done.size(), 1U);
  EXPECT_TRUE(done[0].starts_with("failed: session.open[0].send: ")) << done[0];
  EXPECT_TRUE(world.run().ended());
}

TEST(Run, RepliesWithWhatTheMessageHas) {
  World world(
      "      open: [{wait: {contains: hello}}]\n"
      "      replies:\n"
      "        - {on: {exists: /id}, set: {id: /id}, send: '{\"ack\":${id}}'}\n"
      "        - {on: {text: '^ping (\\w+)'}, set: {what: 1}, send: 'pong ${what}'}\n");
  EXPECT_EQ(world.open().say(R"({"id":1})").done(), Texts{R"(send {"ack":1})"});
  EXPECT_EQ(world.say("hello").say("ping x").say("nothing").done(),
            (Texts{"ready", "send pong x"}));
}

TEST(Run, BeatsWithACounterAndTheLastSequence) {
  World world(
      "      open: [{wait: {exists: /d}, set: {interval: /d, n: '0'}}]\n"
      "      remember: {seq: /s}\n"
      "      heartbeat:\n"
      "        every: '${interval}ms'\n"
      "        set: {n: '${add(n, 1)}'}\n"
      "        send: '{\"n\":${n},\"s\":${default(seq, \"null\")}}'\n");
  EXPECT_EQ(world.open().say(R"({"d":1000})").done(), Texts{"ready"});
  EXPECT_EQ(world.go(999ms).done(), Texts{});
  EXPECT_EQ(world.go(1ms).done(), Texts{R"(send {"n":1,"s":null})"});
  EXPECT_EQ(world.say(R"({"s":7})").go(2s).done(),
            (Texts{R"(send {"n":2,"s":7})", R"(send {"n":3,"s":7})"}));
}

TEST(Run, RefusesAnIntervalThatIsNone) {
  World world(
      "      open: [{wait: {exists: /d}, set: {interval: /d}}]\n"
      "      heartbeat: {every: '${interval}ms', send: x}\n");
  EXPECT_EQ(world.open().say(R"({"d":"soon"})").done(),
            (Texts{"ready",
                   "failed: session.heartbeat.every: what it stands for is no duration; "
                   "allowed: 10ms to 1d"}));
  EXPECT_EQ(world.open().say(R"({"d":1})").done().at(1),
            "failed: session.heartbeat.every: what it stands for is out of range; allowed: 10ms "
            "to 1d");
}

TEST(Run, TheFirstBeatComesAtARandomPartOfTheInterval) {
  World world("      heartbeat: {every: 10s, send: x, jitter_first: true}\n");
  world.still.drawn = std::byte{0x40};
  EXPECT_EQ(world.open().done(), Texts{"ready"});
  world.go(2508ms);
  EXPECT_EQ(world.done(), Texts{});
  EXPECT_EQ(world.go(1ms).done(), Texts{"send x"});
  EXPECT_EQ(world.go(10s).done(), Texts{"send x"});
}

TEST(Run, IsDeadWhenABeatIsNotAnswered) {
  World world("      heartbeat: {every: 10s, send: x, expect: {contains: pong}, within: 3s}\n");
  world.open().go(10s).say("pong").go(10s);
  EXPECT_EQ(world.done(), (Texts{"ready", "send x", "send x"}));
  EXPECT_EQ(world.say("other").go(2999ms).done(), Texts{});
  EXPECT_EQ(world.go(1ms).done(), Texts{"heartbeat: upstream did not answer a heartbeat within 3s "
                                        "(session.heartbeat.within)"});
}

TEST(Run, LaterBeatsDoNotPutOffTheAnswer) {
  World world("      heartbeat: {every: 1s, send: x, expect: {contains: pong}, within: 3s}\n");
  EXPECT_EQ(world.open().go(4s).done().back().substr(0, 10), "heartbeat:");
}

TEST(Run, BeatsOnlyInSilenceWhereThatIsAsked) {
  World world("      heartbeat: {every: 10s, send: x, idle_only: true}\n");
  world.open().go(9s).say("data").go(9s);
  EXPECT_EQ(world.done(), Texts{"ready"});
  EXPECT_EQ(world.go(1s).done(), Texts{"send x"});
  EXPECT_EQ(world.go(10s).done(), Texts{"send x"});
}

TEST(Run, RenewsWhenUpstreamSaysGoodbye) {
  World world(
      "      goodbye: [{on: {contains: restart}, renew: now}, {on: {contains: soon}, renew: "
      "30s}]\n");
  EXPECT_EQ(world.open().say("soon").done(), Texts{"ready"});
  EXPECT_EQ(world.go(29999ms).done(), Texts{});
  EXPECT_EQ(world.go(1ms).done(),
            Texts{"goodbye: upstream announced that it will end the session (session.goodbye[1])"});
  EXPECT_EQ(world.open().say("soon").say("restart").done().back(),
            "goodbye: upstream announced that it will end the session (session.goodbye[0])");
}

constexpr const char* resumable =
    "      open: [{wait: {contains: hello}}, {send: identify}, {wait: {exists: /sid}}]\n"
    "      remember: {sid: /sid, seq: /s}\n"
    "      resume:\n"
    "        - wait: {contains: hello}\n"
    "        - send: 'resume ${sid} ${seq}'\n"
    "        - {wait: {contains: resumed}, refuse: {contains: invalid}, timeout: 5s}\n"
    "      close: {send: bye, code: 4000}\n";

TEST(Run, ResumesWhenItKnowsAllThatItNeeds) {
  World world(resumable);
  EXPECT_EQ(world.open().say("hello").done(), Texts{"send identify"});
  EXPECT_EQ(world.say(R"({"sid":"a"})").done(), Texts{"ready"});
  // There is no sequence yet.
  EXPECT_EQ(world.open().say("hello").done(), Texts{"send identify"});
  world.say(R"({"sid":"b"})").say(R"({"s":3})");
  EXPECT_EQ(world.open().say("hello").done(), Texts{"send resume b 3"});
  EXPECT_EQ(world.say("resumed").done(), Texts{"ready"});
}

TEST(Run, OpensAnewAfterARefusedResume) {
  for (const std::string_view how : {"invalid", "timeout", "close"}) {
    World world(resumable);
    world.open().say("hello").say(R"({"sid":"a","s":1})");
    ASSERT_EQ(world.open().say("hello").done(), Texts{"send resume a 1"});
    if (how == "invalid") {
      EXPECT_EQ(world.say("invalid").done(),
                Texts{"refused: upstream refused: a message is what session.resume[2].refuse says; "
                      "the next session does not resume"});
      EXPECT_EQ(world.end().verdict, config::Verdict::retry);
    } else if (how == "timeout") {
      EXPECT_EQ(world.go(5s).done().size(), 1U);
    } else {
      world.run().closed_by_peer();
    }
    EXPECT_EQ(world.open().say("hello").done(), Texts{"send identify"}) << how;
  }
}

TEST(Run, AGoodbyeMaySayThatNothingIsLeftToResume) {
  const std::string goodbyes =
      "      goodbye: [{on: {contains: again}, renew: now}, {on: {contains: anew}, renew: 3s, "
      "resume: false}]\n";
  World world(resumable + goodbyes);
  world.open().say("hello").say(R"({"sid":"a","s":1})").say("again").done();
  EXPECT_EQ(world.open().say("hello").done(), Texts{"send resume a 1"});
  EXPECT_EQ(world.say("resumed").say("anew").say(R"({"s":2})").go(3s).done().size(), 2U);
  EXPECT_EQ(world.open().say("hello").done(), Texts{"send identify"});
}

TEST(Run, SaysFarewellOnlyWhenItWasReady) {
  World world(resumable);
  EXPECT_FALSE(world.open().run().farewell());
  world.open().go(1h);
  EXPECT_TRUE(world.run().ended());
  EXPECT_FALSE(world.run().farewell());
  world.open();
  world.say("hello").say(R"({"sid":"a"})");
  ASSERT_TRUE(world.run().farewell());
  EXPECT_EQ(world.run().farewell()->text, "bye");
}

TEST(Run, ForgetsWhatIsOfOneSession) {
  World world("      open: [{send: '${default(x, \"none\")}'}, {set: {x: y}}]\n");
  EXPECT_EQ(world.open().done(), (Texts{"send none", "ready"}));
  EXPECT_EQ(world.open().done(), (Texts{"send none", "ready"}));
}

TEST(Run, RecordsItsSteps) {
  World world("      open: [{send: a}, {wait: {contains: x}}, {pause: 1s}]\n");
  world.open().go(200ms).say("x").go(500ms);
  const std::vector<StepRecord>& steps = world.run().steps();
  ASSERT_EQ(steps.size(), 3U);
  EXPECT_EQ(steps[1].step, "open[1]");
  EXPECT_EQ(steps[1].kind, "wait");
  EXPECT_EQ(steps[1].took, Run::Time::duration(200ms));
  EXPECT_EQ(steps[2].started, Run::Time::duration(200ms));
  EXPECT_FALSE(steps[2].took);
}

TEST(Run, TextThatIsNoUtf8IsNotSent) {
  World world("      open: [{send: '${base64_decode(\"/w==\")}'}]\n");
  EXPECT_EQ(world.open().done().at(0).substr(0, 30), "failed: session.open[0].send: ");
}

}  // namespace
}  // namespace wskeep::script
