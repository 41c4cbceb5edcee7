#include "config/session_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "load_cases.hpp"

namespace wskeep::config {
namespace {

/// Lines of YAML below `session:`, with six spaces before each.
std::vector<ScriptSentence> told(const std::string& lines) {
  const Config config =
      load_text("connections:\n  a:\n    url: wss://h/\n    session:\n" + lines, "f");
  return describe_script(*config.connections.at(0).settings.session);
}

using Sentences = std::vector<ScriptSentence>;

TEST(SessionText, TellsTheOpening) {
  EXPECT_EQ(
      told(R"(      variables: {symbols: [btcusdt, ethusdt]}
      open:
        - send: '{"op":"subscribe","args":["trades@${symbol}"]}'
          repeat: {symbol: symbols}
          pace: 100ms
        - wait: {json: {/event: subscribed}}
          timeout: 5s
          refuse: {json: {/event: error}}
        - set: {n: '1', m: 'x${n}'}
        - pause: 200ms
        - send: ping
          binary: true
)"),
      (Sentences{
          {"open[0]",
           R"(send {"op":"subscribe","args":["trades@${symbol}"]} once for each symbol of symbols )"
           "(2), 100ms apart"},
          {"open[1]",
           "wait up to 5s for a message with /event = subscribed; but a message with /event = "
           "error "
           "ends the session, and a new one is tried at the slowest pace"},
          {"open[2]", "set n to 1 and m to x${n}"},
          {"open[3]", "wait for 200ms"},
          {"open[4]", "send ping as a binary message"}}));
}

TEST(SessionText, TellsWhatIsTakenFromMessages) {
  EXPECT_EQ(
      told(R"(      open:
        - wait:
            - {json: {/op: 10}, exists: [/d, /e]}
            - {text: 'id=(\d+)', opcode: text}
          set: {every: /d/interval, id: 1, all: 0, both: '${every}-${id}'}
          refuse:
            - {contains: no, verdict: retry}
            - {absent: /ok, opcode: binary, verdict: stop}
)"),
      (Sentences{{"open[0]",
                  "wait up to 10s for all of these, in any order: (1) a message with /op = "
                  "10, /d and /e, (2) a text message that matches id=(\\d+), then set every "
                  "to /d/interval "
                  "of the message, id to group 1 of its regular expression, all to what its "
                  "regular expression finds and both to ${every}-${id}; but a message that "
                  "contains \"no\" ends the session, and a new one is tried after the usual "
                  "wait; but a binary message without /ok ends the session, and nothing more is "
                  "tried"}}));
}

TEST(SessionText, TellsWhatIsPreparedKeptAndForgotten) {
  EXPECT_EQ(
      told(R"(      prepare:
        - request: https://h/token?for=${env:HOME}
          method: POST
          headers: {Authorization: secret-in-the-file, X-Id: a}
          body: '{"a":1}'
          timeout: 3s
          expect: {json: {/ok: true}}
          set: {socket: /url}
        - {command: [/bin/true, --for, me], environment: {KEY: secret}, set: {token: '${answer}'}}
      open: [{send: '${socket}${token}'}]
      remember: {seq: {value: /s, keep: restart}}
      resume: [{send: '${seq}'}]
      resume_url: wss://r/?s=${seq}
      forget: {close: [4007, 4009], status: 4xx}
)"),
      (Sentences{{"prepare[0]",
                  "ask POST https://h/token?..., which must answer 200-299 within 3s; the answer "
                  "must be a message with /ok = true; then set socket to /url of the answer"},
                 {"prepare[1]", "run /bin/true within 10s; then set token to ${answer}"},
                 {"resume_url",
                  "when seq is known of an earlier session, this is tried before the other URLs: "
                  "wss://r/?..."},
                 {"resume",
                  "when seq is known of an earlier session, these steps take the place of open; "
                  "when they fail, the next session opens anew"},
                 {"resume[0]", "send ${seq}"},
                 {"open[0]", "send ${socket}${token}"},
                 {"remember.seq",
                  "whenever a message with /s comes, keep /s of the message as seq for later "
                  "sessions, also of the next daemon"},
                 {"forget.close", "when upstream closes with 4007, 4009, nothing of this is kept"},
                 {"forget.status",
                  "when the upgrade is answered with 400-499, nothing of this is kept"}}));
}

TEST(SessionText, TellsWhatHoldsWhileItIsOpenAndHowItEnds) {
  EXPECT_EQ(told(R"(      open: [{send: hello}]
      heartbeat:
        every: '${interval}ms'
        set: {n: '${add(n, 1)}'}
        send: '{"op":1,"d":${n}}'
        expect: {json: {/op: 11}}
        within: 7s
        jitter_first: true
        idle_only: true
      replies:
        - {on: {exists: /envelope_id}, set: {id: /envelope_id}, send: '{"envelope_id":"${id}"}'}
        - {on: {json: {/op: 10}}, set: {interval: /d/heartbeat_interval}}
      remember:
        seq: /s
        token: {on: {text: 'token=(\w+)'}, value: 1}
      goodbye:
        - {on: {json: {/type: disconnect}}, renew: now}
        - {on: {contains: bye}, renew: 30s, resume: false}
      refuse: {contains: banned, verdict: stop}
      resume: [{send: 'resume ${token} ${seq}'}]
      close: {send: bye, code: 4000}
)"),
            (Sentences{
                {"resume",
                 "when token and seq are known of an earlier session, these steps take the place "
                 "of open; when they fail, the next session opens anew"},
                {"resume[0]", "send resume ${token} ${seq}"},
                {"open[0]", "send hello"},
                {"heartbeat",
                 "every ${interval}ms, set n to ${add(n, 1)}, then send {\"op\":1,\"d\":${n}}; the "
                 "first after a random part of that time; none while messages come; without a "
                 "message with /op = 11 within 7s the session is dead"},
                {"replies[0]",
                 "whenever a message with /envelope_id comes, set id to /envelope_id of the "
                 "message, then send {\"envelope_id\":\"${id}\"}"},
                {"replies[1]",
                 "whenever a message with /op = 10 comes, set interval to /d/heartbeat_interval of "
                 "the message"},
                {"remember.seq",
                 "whenever a message with /s comes, keep /s of the message as seq for later "
                 "sessions"},
                {"remember.token",
                 "whenever a message that matches token=(\\w+) comes, keep group 1 of its regular "
                 "expression as token for later sessions"},
                {"goodbye[0]",
                 "a message with /type = disconnect announces the end: renew the session now"},
                {"goodbye[1]",
                 "a message that contains \"bye\" announces the end: renew the session 30s later, "
                 "without resume"},
                {"refuse[0]",
                 "a message that contains \"banned\" ends the session, and nothing more is tried"},
                {"close", "before our Close frame, send bye"},
                {"close", "close with the code 4000"}}));
}

std::string rule_text(const std::string& rule) {
  const Config config =
      load_text("connections: {a: {url: wss://h/, session: {open: [{wait: " + rule + "}]}}}", "f");
  const SessionScript& script = *config.connections.at(0).settings.session;
  return describe_rule(std::get<WaitStep>(script.open.at(0)).conditions.at(0));
}

TEST(SessionText, ValuesThatCouldBeTakenForOthersAreInQuotes) {
  EXPECT_EQ(rule_text("{json: {/a: [x, '1', 1, 'true', true, null, '', 'two words']}}"),
            R"(a message with /a = x, "1", 1, "true", true, null, "" or "two words")");
  EXPECT_EQ(rule_text("{json: {'': 1}}"), "a message with all of it = 1");
  EXPECT_EQ(rule_text("{opcode: any}"), "any message");
}

TEST(SessionText, LongTextsAreCutBetweenCharacters) {
  std::string text(159, 'x');
  EXPECT_EQ(told("      open: [{send: '" + text + "yz'}]\n").at(0).text, "send " + text + "y...");
  EXPECT_EQ(told("      open: [{send: '" + text + "üz'}]\n").at(0).text, "send " + text + "...");
}

TEST(SessionText, NeverHoldsWhatAPlaceHolderStandsFor) {
  ::setenv("WSKEEP_TEXT_TEST", "hunter2", 1);
  const auto sentences = told(
      "      variables: {user: me}\n"
      "      open: [{send: '{\"user\":\"${user}\",\"key\":\"${env:WSKEEP_TEXT_TEST}\"}'}]\n");
  EXPECT_EQ(sentences.at(0).text, R"(send {"user":"${user}","key":"${env:WSKEEP_TEXT_TEST}"})");
}

}  // namespace
}  // namespace wskeep::config
