#include "config/session.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "load_cases.hpp"

namespace wskeep::config {
namespace {

/// A whole script, lines of YAML below `session:` with six spaces before each.
std::string with_session(const std::string& lines) {
  return "connections:\n  a:\n    url: wss://h/\n    session:\n" + lines;
}

SessionScript script_of(const std::string& lines) {
  const Config config = load_text(with_session(lines), "f");
  return *config.connections.at(0).settings.session;
}

std::string error_of_session(const std::string& lines) {
  return error_of(with_session(lines));
}

constexpr const char* whole = R"(
      variables: {channel: trades, symbols: [btcusdt, ethusdt]}
      open:
        - send: '{"op":"subscribe","args":["${channel}@${symbol}"]}'
          repeat: {symbol: symbols}
          pace: 100ms
          set: {counter: '${default(counter, 0)}'}
        - wait:
            - {json: {/event: [subscribed, ok], /n: 1}, exists: /id, absent: [/a, /b]}
            - {text: '^id=(\d+) (\w+)', opcode: text}
          timeout: 5s
          set: {sid: /data/session_id, number: 2, id: 'x${sid}'}
          refuse: {json: {/event: error}, verdict: stop}
        - set: {counter: "0"}
        - pause: 200ms
        - send: ping
          binary: true
      heartbeat:
        every: ${interval}ms
        send: '{"op":"ping","n":${counter},"seq":${default(seq, "null")}}'
        set: {counter: '${add(counter, 1)}'}
        expect: {json: {/op: pong}}
        within: 7s
        jitter_first: true
        idle_only: true
      replies:
        - on: {exists: /envelope_id}
          send: '{"envelope_id":"${envelope_id}"}'
          set: {envelope_id: /envelope_id}
        - on: {json: {/op: 10}}
          set: {interval: /d/heartbeat_interval}
      remember:
        seq: /s
        token: {on: {text: 'token=(\w+)'}, value: 1}
      goodbye:
        - on: {json: {/type: disconnect}}
          renew: now
        - on: {contains: bye}
          renew: 30s
          resume: false
      refuse: {json: {/op: error}, verdict: stop}
      resume:
        - send: '{"resume":"${token}","seq":${seq},"c":"${channel}"}'
        - wait: {json: {/t: RESUMED}}
      close: {send: bye, code: 4000}
)";

TEST(Session, IsNoneByDefault) {
  EXPECT_EQ(settings_of("").session, nullptr);
}

TEST(Session, ReadsTheOpeningSteps) {
  const SessionScript script = script_of(whole);
  ASSERT_EQ(script.variables.size(), 2U);
  EXPECT_FALSE(script.variables[0].list);
  EXPECT_EQ(script.variables[1].values, (std::vector<std::string>{"btcusdt", "ethusdt"}));
  ASSERT_EQ(script.open.size(), 5U);
  const auto& send = std::get<SendStep>(script.open[0]);
  EXPECT_EQ(send.message.text.kind(), Template::Kind::json);
  EXPECT_FALSE(send.message.binary);
  EXPECT_EQ(send.each, "symbol");
  EXPECT_EQ(send.list, "symbols");
  EXPECT_EQ(send.pace, Milliseconds(100));
  EXPECT_EQ(send.set.at(0).variable, "counter");
  const auto& wait = std::get<WaitStep>(script.open[1]);
  ASSERT_EQ(wait.conditions.size(), 2U);
  ASSERT_EQ(wait.conditions[0].json.size(), 2U);
  EXPECT_EQ(wait.conditions[0].json[0].second.size(), 2U);
  EXPECT_EQ(wait.conditions[0].json[1].second[0].kind, JsonScalar::Kind::number);
  EXPECT_EQ(wait.conditions[0].exists.size(), 1U);
  EXPECT_EQ(wait.conditions[0].absent.size(), 2U);
  EXPECT_EQ(wait.conditions[1].opcode, MessageRule::Opcode::text);
  EXPECT_EQ(wait.timeout, Milliseconds(5'000));
  ASSERT_EQ(wait.set.size(), 3U);
  EXPECT_EQ(std::get<JsonPointer>(wait.set[0].source).source(), "/data/session_id");
  EXPECT_EQ(std::get<std::size_t>(wait.set[1].source), 2U);
  EXPECT_EQ(std::get<Template>(wait.set[2].source).source(), "x${sid}");
  ASSERT_EQ(wait.refusals.size(), 1U);
  EXPECT_EQ(wait.refusals[0].verdict, Verdict::stop);
  EXPECT_EQ(std::get<SetStep>(script.open[2]).set.at(0).variable, "counter");
  EXPECT_EQ(std::get<PauseStep>(script.open[3]).duration, Milliseconds(200));
  EXPECT_TRUE(std::get<SendStep>(script.open[4]).message.binary);
  EXPECT_EQ(std::get<SendStep>(script.open[4]).message.text.kind(), Template::Kind::text);
}

TEST(Session, ReadsWhatHoldsWhileItIsOpen) {
  const SessionScript script = script_of(whole);
  ASSERT_TRUE(script.heartbeat);
  EXPECT_EQ(script.heartbeat->every.source(), "${interval}ms");
  EXPECT_EQ(script.heartbeat->within, Milliseconds(7'000));
  EXPECT_TRUE(script.heartbeat->expect);
  EXPECT_TRUE(script.heartbeat->jitter_first);
  EXPECT_TRUE(script.heartbeat->idle_only);
  ASSERT_EQ(script.replies.size(), 2U);
  EXPECT_TRUE(script.replies[1].message.empty());
  ASSERT_EQ(script.remember.size(), 2U);
  EXPECT_EQ(script.remember[0].on.exists.size(), 1U);
  ASSERT_EQ(script.goodbye.size(), 2U);
  EXPECT_EQ(script.goodbye[0].renew_after, Milliseconds(0));
  EXPECT_TRUE(script.goodbye[0].resume);
  EXPECT_EQ(script.goodbye[1].renew_after, Milliseconds(30'000));
  EXPECT_FALSE(script.goodbye[1].resume);
  ASSERT_EQ(script.refusals.size(), 1U);
  EXPECT_EQ(script.refusals[0].verdict, Verdict::stop);
  EXPECT_EQ(script.resume_needs, (std::vector<std::string>{"token", "seq"}));
  EXPECT_EQ(script.close_code, 4000);
  EXPECT_EQ(script.close_message.text.source(), "bye");
}

TEST(Session, IsMergedKeyByKeyWithTheDefaults) {
  const Config config = load_text(
      "defaults:\n  session:\n    variables: {a: 1, b: 2}\n    open: [{send: 'x${a}${b}${c}'}]\n"
      "    close: {code: 3000}\n"
      "connections:\n"
      "  one: {url: wss://h/, session: {variables: {b: 3, c: 4}}}\n"
      "  two: {url: wss://h/, session: {variables: {c: 5}, open: [], close: off}}\n"
      "  three: {url: wss://h/, session: off}\n",
      "f");
  const SessionScript& one = *config.connections[0].settings.session;
  EXPECT_EQ(one.open.size(), 1U);
  EXPECT_EQ(one.close_code, 3000);
  ASSERT_EQ(one.variables.size(), 3U);
  EXPECT_EQ(one.variables[1].values.at(0), "3");
  const SessionScript& two = *config.connections[1].settings.session;
  EXPECT_TRUE(two.open.empty());
  EXPECT_EQ(two.close_code, 0);
  EXPECT_EQ(config.connections[2].settings.session, nullptr);
}

TEST(Session, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(
      error_of_session("      opne: []\n"),
      "f:5:7: connections.a.session.opne: unknown key (did you mean 'open'?); allowed: "
      "variables, prepare, open, resume, resume_url, insecure_url, heartbeat, replies, remember, "
      "forget, goodbye, refuse and close");
  EXPECT_EQ(error_of_session("      close: {code: 1005}\n"),
            "f:5:21: connections.a.session.close.code: '1005' is none that a client may send; "
            "allowed: 1000, 1001 or 3000 to 4999");
  EXPECT_EQ(error_of_session("      open:\n        - sned: x\n"),
            "f:6:11: connections.a.session.open[0].sned: unknown key (did you mean 'send'?); "
            "allowed: send, wait, set and pause");
  EXPECT_EQ(error_of_session("      open:\n        - wait: {jsn: {/a: 1}}\n"),
            "f:6:18: connections.a.session.open[0].wait.jsn: unknown key (did you mean 'json'?); "
            "allowed: json, exists, absent, text, contains and opcode");
  EXPECT_EQ(error_of_session("      open:\n        - wait: {json: {a: 1}}\n"),
            "f:6:25: connections.a.session.open[0].wait.json.a: 'a' does not begin with '/' (a "
            "JSON pointer, as in /data/0/id)");
  EXPECT_EQ(error_of_session("      open:\n        - wait: {text: '('}\n").substr(0, 46),
            "f:6:24: connections.a.session.open[0].wait.tex");
  // What is no character is a byte only in binary messages, and the other way round.
  EXPECT_EQ(error_of_session("      open: [{wait: {text: '\\x{20ac}', opcode: text}}]\n"), "");
  EXPECT_EQ(
      error_of_session("      open: [{wait: {text: '\\x{20ac}', opcode: binary}}]\n").substr(0, 49),
      "f:5:48: connections.a.session.open[0].wait.opcode");
  EXPECT_EQ(
      error_of_session("      open: [{wait: {opcode: binary, text: '\\x{20ac}'}}]\n").substr(0, 47),
      "f:5:44: connections.a.session.open[0].wait.text");
  EXPECT_EQ(error_of_session("      open:\n        - {wait: {text: a}, set: {b: 1}}\n"),
            "f:6:38: connections.a.session.open[0].set.b: names group 1, and the regular "
            "expression 'text' has 0");
  EXPECT_EQ(error_of_session("      open:\n        - {send: x, repeat: {s: list}}\n"),
            "f:6:33: connections.a.session.open[0].repeat.s: 'list' is no list under 'variables'; "
            "there are none");
  EXPECT_EQ(error_of_session("      heartbeat: {every: 20}\n").substr(0, 52),
            "f:5:18: connections.a.session.heartbeat: has no 'sen");
  EXPECT_EQ(
      error_of_session("      open:\n        - wait: {contains: a}\n          refuse: {verdict: "
                       "halt}\n")
          .substr(0, 41),
      "f:7:19: connections.a.session.open[0].ref");
  EXPECT_EQ(error_of_session("      remember: {a: x}\n"),
            "f:5:21: connections.a.session.remember.a: needs 'on': the messages that it is taken "
            "from");
  EXPECT_EQ(error_of_session("      variables: {a: 1}\n      remember: {a: /x}\n"),
            "f:6:18: connections.a.session.remember.a: is one of the constants under 'variables'; "
            "give this one another name");
}

TEST(Session, SaysWhereATemplateIsWrong) {
  const auto open = [](const std::string& send) {
    return error_of_session("      variables: {symbol: a}\n      open:\n        - send: " + send +
                            "\n");
  };
  EXPECT_EQ(open("'{\"a\":\"it''s ${symbl}\"}'"),
            "f:7:32: connections.a.session.open[0].send: unknown variable 'symbl' (did you mean "
            "'symbol'?); known here: symbol");
  EXPECT_EQ(open("\"{\\\"a\\\":\\\"${tme_s()}\\\"}\"").substr(0, 50),
            "f:7:29: connections.a.session.open[0].send: unknow");
  EXPECT_EQ(open("x ${symbl}").substr(0, 8), "f:7:21: ");
  EXPECT_EQ(open("|\n            first\n            x ${symbl}").substr(0, 8), "f:9:17: ");
  EXPECT_EQ(open("'{\"a\":}'"),
            "f:7:23: connections.a.session.open[0].send: this is no JSON: a value is expected "
            "here");
  EXPECT_EQ(open("'${each}'\n          repeat: {each: symbol}").substr(0, 8), "f:7:20: ");
}

TEST(Session, KnowsTheVariableOfARepeatOnlyThere) {
  const std::string variables = "      variables: {list: [a]}\n      open:\n";
  EXPECT_EQ(error_of_session(variables + "        - {send: 'x${s}', repeat: {s: list}}\n"), "");
  EXPECT_NE(error_of_session(variables + "        - {send: 'x${s}', repeat: {s: list}}\n"
                                         "        - send: 'x${s}'\n"),
            "");
}

TEST(Session, SaysWhatResumeMisses) {
  EXPECT_EQ(error_of_session("      remember: {seq: /s}\n      open: [{wait: {exists: /a}, set: "
                             "{sid: /a}}]\n      resume: [{send: '${sid} ${seq}'}]\n"),
            "f:7:15: connections.a.session.resume: needs 'sid', which is neither set in it nor "
            "under 'remember': no value is left of an earlier session");
  EXPECT_EQ(error_of_session("      resume: [{send: x}]\n").substr(0, 47),
            "f:5:15: connections.a.session.resume: names not");
}

}  // namespace
}  // namespace wskeep::config
