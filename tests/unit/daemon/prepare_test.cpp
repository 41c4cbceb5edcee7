#include <gtest/gtest.h>

#include <string>

#include "tests/unit/daemon/attempt_world.hpp"

namespace wskeep::upstream {
namespace {

using daemon::Command;
using daemon::CommandEnd;
using daemon::Error;

constexpr const char* slack =
    "    url: '${socket}'\n"
    "    session:\n"
    "      prepare:\n"
    "        - request: https://tokens.example.com/open?app=7\n"
    "          method: POST\n"
    "          headers: {Authorization: 'Bearer s3cret-key'}\n"
    "          timeout: 5s\n"
    "          expect: {json: {/ok: true}}\n"
    "          set: {socket: /url}\n";

constexpr const char* by_command =
    "    url: wss://example.com/\n"
    "    headers: {Authorization: 'Bearer ${token}'}\n"
    "    session:\n"
    "      variables: {account: seven}\n"
    "      prepare:\n"
    "        - command: [/bin/cat, --for, '${account}']\n"
    "          environment: {KEY: 's3cret-${account}'}\n"
    "          timeout: 5s\n"
    "          set: {token: '${answer}'}\n";

CommandEnd wrote(const std::string& output) {
  CommandEnd end;
  end.output = output;
  return end;
}

TEST(Prepare, ARequestGivesTheUrlOfEachAttempt) {
  AttemptWorld world(slack);
  int ticket = 0;
  world.answer_tokens([&](const std::string&) {
    return http_answer("200 OK", R"({"ok":true,"url":"wss://gate.example.com/link?ticket=t)" +
                                     std::to_string(++ticket) + "0000\"}");
  });
  world.start();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_EQ(world.target(), "/link?ticket=t10000");
  ASSERT_EQ(world.token_requests.size(), 1U);
  EXPECT_EQ(world.token_requests[0].substr(0, 31), "POST /open?app=7 HTTP/1.1\r\nHost");
  EXPECT_NE(world.token_requests[0].find("Authorization: Bearer s3cret-key\r\n"),
            std::string::npos);
  EXPECT_NE(world.token_requests[0].find("Content-Length: 0\r\n"), std::string::npos);
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_EQ(world.target(), "/link?ticket=t20000");
  const auto prepared = world.last_cycle().at("prepare").as_array();
  ASSERT_EQ(prepared.size(), 1U);
  EXPECT_EQ(prepared[0].at("step").as_string(), "prepare[0]");
  EXPECT_EQ(prepared[0].at("kind").as_string(), "request");
  EXPECT_EQ(prepared[0].at("http_status").to_number<int>(), 200);
  EXPECT_TRUE(prepared[0].at("failure").is_null());
  const std::string shown = boost::json::serialize(world.connection->describe_attempts());
  EXPECT_EQ(shown.find("t20000"), std::string::npos);
  EXPECT_EQ(shown.find("s3cret-key"), std::string::npos);
}

/// Every way in which a renewal fails: the loop goes on, and nothing is sent with what is left.
TEST(Prepare, AFailureNeverSendsAnOldSecretAndNeverEndsTheLoop) {
  const std::vector<std::pair<std::string, std::string>> answers{
      {http_answer("500 Internal Server Error", "oh"), "the server answered 500"},
      {http_answer("403 Forbidden", "no s3cret-key"), "the server answered 403 Forbidden: no ***"},
      {http_answer("200 OK", R"({"ok":false,"error":"ratelimited"})"), "not what 'expect' says"},
      {http_answer("200 OK", R"({"ok":true})"), "set.socket: the answer has no such value"},
      {http_answer("200 OK", R"({"ok":true,"url":null})"), "set.socket: the answer has no such"},
      {http_answer("200 OK", R"({"ok":true,"url":""})"), "set.socket: the answer has no such"},
      {http_answer("200 OK", "<html>"), "not what 'expect' says"},
      {"HTTP/1.1 302 Found\r\nLocation: https://other.example.com/\r\n\r\n", "is not followed"},
      {"nonsense\r\n\r\n", "no HTTP answer"},
      {"", "no answer within 5s (timeout)"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + std::string(1'100'000, 'x'),
       "no HTTP answer"},
  };
  for (const auto& [answer, sentence] : answers) {
    AttemptWorld world(slack);
    bool good = true;
    world.answer_tokens([&, answer = answer](const std::string&) {
      return good ? http_answer("200 OK", R"({"ok":true,"url":"wss://gate.example.com/1"})")
                  : answer;
    });
    world.start();
    ASSERT_TRUE(world.wait_for(State::ready));
    good = false;
    world.end_session();
    world.run_for(10min);
    EXPECT_EQ(world.opens, 1U) << sentence;
    EXPECT_NE(world.last_message().find(sentence), std::string::npos) << world.last_message();
    EXPECT_EQ(world.last_message().find("session.prepare[0]: "), 0U) << world.last_message();
    EXPECT_GT(world.ended(answer.empty() ? Error::prepare_timeout : Error::prepare_failed), 3U);
    good = true;
    ASSERT_TRUE(world.wait_for(State::ready, 5min)) << sentence;
    EXPECT_EQ(world.opens, 2U);
  }
}

TEST(Prepare, ARefusalIsObeyedAsThatOfUpstream) {
  AttemptWorld world(slack);
  world.answer_tokens([](const std::string&) {
    return http_answer("429 Too Many Requests", "", "Retry-After: 120\r\n");
  });
  world.start();
  world.run_for(1s);
  const auto next = world.last_cycle().at("next").as_object();
  EXPECT_EQ(next.at("rule").as_string(), "Retry-After");
  EXPECT_GE(next.at("wait_ms").as_int64(), 120'000);
}

TEST(Prepare, AnUnansweredRequestIsCutOffWhenTheConnectionStops) {
  AttemptWorld world(slack);
  world.answer_tokens([](const std::string&) { return std::string(); });
  world.start();
  world.run_for(1s);
  const auto asked_at = world.environment.elapsed();
  world.connection->stop(0ms);
  world.run_for(0ms);
  EXPECT_EQ(world.done, 1);
  EXPECT_EQ(world.done_at, asked_at);
}

TEST(Prepare, TheTimeOfTheCycleBeginsBehindIt) {
  AttemptWorld world(std::string(by_command) + "    timeouts: {connect: 2s, address: 2s}\n");
  world.environment.on_command = [](const Command&) { return wrote("t1"); };
  world.environment.command_takes = 4s;
  world.route().tcp = 1500ms;
  world.start();
  world.run_for(5'600ms);
  EXPECT_EQ(world.connection->state(), State::ready);
  EXPECT_EQ(world.last_cycle().at("prepare").as_array()[0].at("took_ms").as_int64(), 4000);
}

TEST(Prepare, ACommandGivesTheTokenOfEachAttempt) {
  AttemptWorld world(by_command);
  int runs = 0;
  world.environment.on_command = [&](const Command& command) {
    EXPECT_EQ(command.arguments, (std::vector<std::string>{"/bin/cat", "--for", "seven"}));
    EXPECT_EQ(command.environment, std::vector<std::string>{"KEY=s3cret-seven"});
    EXPECT_EQ(command.timeout, 5s);
    return wrote("  token" + std::to_string(++runs) + "\n");
  };
  world.start();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_NE(world.requests.back().find("Authorization: Bearer token1\r\n"), std::string::npos);
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_NE(world.requests.back().find("Authorization: Bearer token2\r\n"), std::string::npos);
}

TEST(Prepare, ACommandThatFailsNeverLeavesAnOldSecret) {
  CommandEnd failed;
  failed.code = 1;
  failed.errors = "no key s3cret-seven\n";
  CommandEnd killed;
  killed.kind = CommandEnd::Kind::signalled;
  killed.code = 11;
  CommandEnd large;
  large.kind = CommandEnd::Kind::output_too_large;
  const std::vector<std::pair<daemon::CommandResult, std::string>> ends{
      {failed, "the command exited with 1: no key ***"},
      {killed, "the command was ended by signal 11"},
      {large, "the command wrote more than 1MiB"},
      {wrote(" \n"), "set.token: the answer has no such value"},
      {daemon::Failure{Error::prepare_failed, "/bin/cat cannot be run: No such file"},
       "cannot be run"},
  };
  for (const auto& [end, sentence] : ends) {
    AttemptWorld world(by_command);
    bool good = true;
    world.environment.on_command = [&, end = end](const Command&) -> daemon::CommandResult {
      if (good) return wrote("t0ken");
      return end;
    };
    world.start();
    ASSERT_TRUE(world.wait_for(State::ready));
    good = false;
    world.end_session();
    world.run_for(10min);
    EXPECT_EQ(world.opens, 1U) << sentence;
    EXPECT_NE(world.last_message().find(sentence), std::string::npos) << world.last_message();
    good = true;
    ASSERT_TRUE(world.wait_for(State::ready, 5min)) << sentence;
  }
}

TEST(Prepare, ASlowCommandIsATimeout) {
  AttemptWorld world(by_command);
  world.environment.on_command = [](const Command&) { return wrote("t0ken"); };
  world.environment.command_takes = 6s;
  world.start();
  world.run_for(5s);
  EXPECT_EQ(world.ended(Error::prepare_timeout), 1U);
  EXPECT_EQ(world.opens, 0U);
}

TEST(Prepare, LaterStepsKnowWhatEarlierOnesSet) {
  AttemptWorld world(
      "    url: wss://example.com/\n"
      "    session:\n"
      "      prepare:\n"
      "        - {command: [/bin/cat], set: {key: '${answer}'}}\n"
      "        - request: 'https://tokens.example.com/?k=${url(key)}'\n"
      "          body: '{\"key\":\"${key}\"}'\n"
      "          expect: {text: 'token=(\\w+)'}\n"
      "          set: {token: 1}\n"
      "      open: [{send: 'login ${token}'}]\n");
  world.environment.on_command = [](const Command&) { return wrote("a\"b"); };
  world.answer_tokens([](const std::string&) { return http_answer("200 OK", "x token=t77 y"); });
  world.start();
  ASSERT_TRUE(world.wait_for(State::ready));
  ASSERT_EQ(world.token_requests.size(), 1U);
  EXPECT_EQ(world.token_requests[0].find("POST /?k=a%22b HTTP/1.1\r\n"), 0U);
  EXPECT_NE(world.token_requests[0].find("Content-Type: application/json\r\n"), std::string::npos);
  EXPECT_NE(world.token_requests[0].find("\r\n\r\n{\"key\":\"a\\\"b\"}"), std::string::npos);
  Ears ears(websocket::Role::server);
  ears.hear(world.peer->take());
  EXPECT_EQ(ears.heard, Texts{"text:login t77"});
}

}  // namespace
}  // namespace wskeep::upstream
