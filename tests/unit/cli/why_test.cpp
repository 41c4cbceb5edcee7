#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <sstream>
#include <string>

#include "cli/attempts.hpp"
#include "cli/escape.hpp"
#include "cli/explanation.hpp"
#include "cli/json_access.hpp"
#include "cli/picture.hpp"
#include "tests/unit/cli/run_command.hpp"

namespace wskeep::cli {
namespace {

using test::answers;
using test::Outcome;
using test::run_command;
using test::ScriptedServer;

constexpr std::string_view forbidden = R"({"name":"trades","state":"failed",
  "since":"2026-01-31T12:00:03Z","next_attempt":"2026-01-31T12:00:25Z",
  "last_error":{"error":"http_unauthorized","message":"it answered 403 Forbidden",
                "time":"2026-01-31T12:00:03Z","close_code":null}})";

constexpr std::string_view timeline = R"({"next_attempt":"2026-01-31T12:00:25Z","cycles":[
 {"number":7,"started":"2026-01-31T11:59:50Z","ended_ms":100,"failure":null,
  "legs":[{"url":"wss://a.example/ws","addresses":[{"address":"192.0.2.1:443","stage":"open",
    "started_ms":0,"tcp_ms":20,"tls_ms":50,"http_ms":100,"ended_ms":100,"http_status":101}]}],
  "session":{"lived_ms":2000,"failure":{"error":"closed_by_peer","message":"upstream closed"},
             "close_code":1012},
  "next":{"verdict":"retry","rule":"default","wait_ms":400}},
 {"number":8,"started":"2026-01-31T12:00:02Z","ended_ms":1000,
  "failure":{"error":"http_unauthorized","message":"192.0.2.1:443: it answered 403 Forbidden"},
  "legs":[{"url":"wss://a.example/ws","proxy":"http://proxy.example:3128","redirected":false,
    "resolve":{"host":"a.example","source":"asked","started_ms":0,"duration_ms":100,
      "answers":["[2001:db8::1]:443","192.0.2.1:443"],"answer_count":20,"failure":null},
    "addresses":[
     {"address":"[2001:db8::1]:443","started_ms":100,"stage":"tcp","tcp_ms":null,"ended_ms":500,
      "failure":{"error":"connection_refused","message":"nobody \u001b[31m listens"}},
     {"address":"192.0.2.1:443","started_ms":350,"stage":"http","tcp_ms":400,"proxy_ms":500,
      "tls_ms":800,"http_ms":1000,"ended_ms":1000,"http_status":403,
      "failure":{"error":"http_unauthorized","message":"it answered 403 Forbidden"}}]}],
  "session":null,
  "next":{"verdict":"slow","rule":"reconnect.on_status 403","wait_ms":22000}}]})";

SystemTime at(std::string_view time) {
  return *parse_time(time);
}

std::string explained(std::string_view connection, std::string_view attempts,
                      const Canvas& canvas = {.width = 80, .unicode = true, .colors = false}) {
  return explain(parse_object(connection), parse_attempts(parse_object(attempts)),
                 at("2026-01-31T12:00:13Z"), canvas);
}

std::string drawn(std::string_view attempts, const Canvas& canvas) {
  const Attempts parsed = parse_attempts(parse_object(attempts));
  return draw_cycles(parsed.cycles, at("2026-01-31T12:00:13Z"), canvas);
}

TEST(Explanation, SaysWhatHappenedWhatComesAndWhatToDo) {
  EXPECT_EQ(explained(forbidden, timeline),
            "✗ trades is not connected: http_unauthorized; next attempt in 12 s\n"
            "  away      for 20 s (failed), 1 attempt failed\n"
            "  happened  http_unauthorized: it answered 403 Forbidden\n"
            "  next      an attempt in 12 s, at 12:00:25 UTC, because reconnect.on_status 403\n"
            "            says slow\n"
            "  to do     Renew the token or password that the configuration uses, or have the\n"
            "            account's rights checked.\n");
}

TEST(Explanation, OfWhatIsReadySaysWhyTheLastSessionEnded) {
  const std::string text = explained(
      R"({"name":"trades","state":"ready","since":"2026-01-31T11:57:13Z","round_trip_ms":12.4,
          "remote_address":"192.0.2.1:443","last_error":{"error":"closed_by_peer",
          "message":"upstream closed","time":"2026-01-31T11:57:12Z","close_code":1012}})",
      timeline);
  EXPECT_EQ(text,
            "● trades is connected, and has been for 3 min\n"
            "  where     192.0.2.1:443, round trip 12.4 ms\n"
            "  before    3 min 1 s ago: closed_by_peer (close code 1012): upstream closed\n");
}

TEST(Explanation, OfWhatIsPausedOrStoppedSaysHowToGoOn) {
  EXPECT_NE(explained(R"({"name":"trades","state":"paused"})", "{}").find("wskeep resume trades"),
            std::string::npos);
  const std::string stopped =
      explained(R"({"name":"trades","state":"failed","next_attempt":null,
                    "last_error":{"error":"http_status","message":"410 Gone"}})",
                R"({"cycles":[{"number":1,"ended_ms":5,"failure":{"error":"http_status"},
                    "next":{"verdict":"stop","rule":"reconnect.on_status 410","wait_ms":null}}]})");
  EXPECT_NE(stopped.find("nothing more is tried"), std::string::npos) << stopped;
  EXPECT_NE(stopped.find("reconnect.on_status 410 says stop"), std::string::npos) << stopped;
  EXPECT_NE(stopped.find("wskeep reconnect trades"), std::string::npos) << stopped;
}

TEST(Explanation, IsMadeOfWhatThereIs) {
  EXPECT_EQ(explained("{}", "{}"), "✗ is not connected; an attempt is under way\n");
  const std::string newer = explained(
      R"({"name":"t","state":"backing_off","last_error":{"error":"newer","message":"x"}})",
      R"({"cycles":[{},{"legs":[{}],"session":3,"next":{}},{"legs":[{"addresses":[{}],
          "resolve":{}}],"session":{},"next":[],"failure":{}}]})");
  EXPECT_NE(newer.find("newer: x"), std::string::npos) << newer;
}

TEST(Picture, DrawsEachAddressToScale) {
  const Canvas canvas{.width = 80, .unicode = false, .colors = false};
  const std::string text = drawn(timeline, canvas);
  for (const char* expected : {
           "-- attempt 8, 12:00:02 UTC, 11 s ago, took 1.0 s -",
           "wss://a.example/ws through http://proxy.example:3128\n",
           "    -> 2001:db8::1, 192.0.2.1 and 18 more\n",
           "    ` connection_refused: nobody \\x1b[31m listens\n",
           "tcp 50ms proxy 100ms tls 300ms http 200ms\n",
           "    -> waits 22 s, because reconnect.on_status 403 says slow\n",
           "    -> the session lived 2.0 s, close code 1012\n",
           "    ` closed_by_peer: upstream closed\n",
           "    -> waits 400 ms, the usual back-off\n",
           "    . name   - tcp   ~ proxy   = tls   # http\n",
       }) {
    EXPECT_NE(text.find(expected), std::string::npos) << expected << "\nin\n" << text;
  }
  // The cycle's failure is that of its last address, and is told once.
  EXPECT_EQ(text.find("192.0.2.1:443: it answered"), std::string::npos) << text;
}

TEST(Picture, FitsItsWidth) {
  for (const bool unicode : {false, true}) {
    for (const std::size_t width : {20U, 40U, 60U, 80U, 120U, 200U}) {
      std::istringstream lines(drawn(timeline, {width, unicode, false}) +
                               explained(forbidden, timeline, {width, unicode, false}));
      for (std::string line; std::getline(lines, line);) {
        EXPECT_LE(display_width(line), width) << line;
      }
    }
  }
}

TEST(Picture, IsAsciiWhereItIsToBe) {
  const std::string text =
      drawn(timeline, {40, false, false}) + explained(forbidden, timeline, {40, false, false});
  for (const char character : text) {
    ASSERT_TRUE(character == '\n' || (character >= 0x20 && character < 0x7F)) << text;
  }
}

TEST(Picture, ColoursAreAllThatColoursAdd) {
  std::string colored = drawn(timeline, {80, true, true});
  EXPECT_NE(colored.find("\x1b[31m"), std::string::npos);
  for (std::size_t at = 0; (at = colored.find('\x1b')) != std::string::npos;) {
    colored.erase(at, colored.find('m', at) - at + 1);
  }
  EXPECT_EQ(colored, drawn(timeline, {80, true, false}));
}

constexpr std::string_view scripted = R"({"cycles":[
 {"number":9,"started":"2026-01-31T12:00:02Z","ended_ms":400,"failure":null,
  "prepare":[{"step":"prepare[0]","kind":"request","started_ms":0,"took_ms":100}],
  "legs":[{"url":"wss://a.example/ws","addresses":[{"address":"192.0.2.1:443","stage":"open",
    "started_ms":100,"tcp_ms":200,"tls_ms":300,"http_ms":400,"ended_ms":400}]}],
  "script":[{"step":"open[0]","kind":"send","started_ms":0,"took_ms":0},
            {"step":"open[1]","kind":"wait","started_ms":0,"took_ms":100},
            {"step":"open[2]","kind":"wait","started_ms":100,"took_ms":null,
             "waits_for":"a message with /event = \u001b[2Jok"}]SESSION}]})";

std::string with(std::string_view session) {
  std::string text(scripted);
  return text.replace(text.find("SESSION"), 7, session);
}

constexpr std::string_view given_up = R"(,"session":{"lived_ms":600,"close_code":1001,
  "failure":{"error":"script_timeout","message":"session.open[2]: no message"}})";

TEST(Picture, DrawsTheStepsOfAnOpening) {
  EXPECT_EQ(drawn(with(given_up), {.width = 70, .unicode = true, .colors = false}),
            R"(
── attempt 9 · 12:00:02 UTC · 11 s ago · took 400 ms ─────────────────
    prepare[0] request  ▚               100 ms
    wss://a.example/ws
  ✓ 192.0.2.1:443        ▒▒▓██          tcp 100ms tls 100ms http 100ms
    open[0] send              ▄         <1 ms
    open[1] wait              ▄         100 ms
  ✗ open[2] wait               ▄▄▄▄▄▄▄  500 ms
    waited in vain for a message with /event = \x1b[2Jok
    → the session lived 600 ms, close code 1001
    └ script_timeout: session.open[2]: no message

    ▚ prepare   ▒ tcp   ▓ tls   █ http   ▄ script
)");
}

TEST(Picture, AStepThatIsBeingDoneGoesOn) {
  const std::string text = drawn(with(""), {.width = 80, .unicode = false, .colors = false});
  EXPECT_NE(text.find("  > open[2] wait"), std::string::npos) << text;
  EXPECT_NE(text.find("    waits for a message with /event = "), std::string::npos) << text;
  EXPECT_NE(text.find("    -> is being opened\n"), std::string::npos) << text;
}

TEST(Explanation, SaysAtWhichStepAnOpeningIs) {
  const std::string text =
      explained(R"({"name":"t","state":"opening","since":"2026-01-31T12:00:10Z"})", with(""));
  EXPECT_NE(text.find("  at        step open[2], waits for a message with /event = "),
            std::string::npos)
      << text;
  EXPECT_EQ(explained(R"({"name":"t","state":"backing_off"})", with(given_up)).find("  at  "),
            std::string::npos);
}

TEST(WhyCommand, ShowsTheLastAttempts) {
  const ScriptedServer server({answers(200, forbidden), answers(200, timeline),
                               answers(200, forbidden), answers(200, timeline)});
  const Outcome all = run_command(server.path(), {"why", "trades"});
  EXPECT_EQ(all.code, ExitCode::ok) << all.error;
  EXPECT_EQ(all.output.substr(0, 45), "x trades is not connected: http_unauthorized;");
  EXPECT_NE(all.output.find("attempt 7"), std::string::npos);
  EXPECT_EQ(all.output.find('\x1b'), std::string::npos);
  const Outcome one = run_command(server.path(), {"why", "trades", "--cycles", "1"});
  EXPECT_EQ(one.output.find("attempt 7"), std::string::npos);
  EXPECT_NE(one.output.find("1 older (--cycles 2 shows them too)"), std::string::npos)
      << one.output;
}

TEST(WhyCommand, JsonHasTheTimelineAndTheAdvice) {
  const ScriptedServer server({answers(200, forbidden), answers(200, timeline),
                               answers(200, forbidden), answers(200, timeline)});
  const auto all = parse_object(run_command(server.path(), {"--json", "why", "trades"}).output);
  EXPECT_EQ(array_of(all, "cycles")->size(), 2U);
  EXPECT_EQ(text_of(all, "name"), "trades");
  EXPECT_EQ(text_of(all, "next_attempt"), "2026-01-31T12:00:25Z");
  EXPECT_EQ(text_of(all, "advice").substr(0, 15), "Renew the token");
  const auto one =
      parse_object(run_command(server.path(), {"why", "trades", "--json", "--cycles", "1"}).output);
  ASSERT_EQ(array_of(one, "cycles")->size(), 1U);
  EXPECT_EQ(count_of(array_of(one, "cycles")->front().get_object(), "number"), 8U);
}

}  // namespace
}  // namespace wskeep::cli
