#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/cli/run_command.hpp"

namespace wskeep::cli {
namespace {

using test::answer;
using test::answers;
using test::Outcome;
using test::Peer;
using test::run_command;
using test::ScriptedServer;

/// Answers, and notes the request's first line.
ScriptedServer::Script noting(std::vector<std::string>& requests, int status,
                              std::string_view body) {
  return [&requests, status, body = std::string(body)](Peer& peer) {
    requests.push_back(peer.read_until("\r\n"));
    peer.read_until("\r\n\r\n");
    peer.write(answer(status, body));
    peer.drain();
  };
}

TEST(ControlCommand, EachNameIsPosted) {
  std::vector<std::string> requests;
  Outcome outcome;
  {
    const ScriptedServer server({noting(requests, 202, R"({"state":"closing"})"),
                                 noting(requests, 202, R"({"state":"paused"})")});
    outcome = run_command(server.path(), {"pause", "a", "b", "a"});
  }
  EXPECT_EQ(outcome.code, ExitCode::ok) << outcome.error;
  EXPECT_EQ(outcome.output, "a: closing\nb: paused\n");
  EXPECT_EQ(requests, (std::vector<std::string>{"POST /v1/connections/a/pause HTTP/1.1\r\n",
                                                "POST /v1/connections/b/pause HTTP/1.1\r\n"}));
}

TEST(ControlCommand, AllAreThoseThatAreListed) {
  std::vector<std::string> requests;
  {
    const ScriptedServer server(
        {noting(requests, 200, R"({"connections":[{"name":"a"},{"name":"b"}]})"),
         noting(requests, 202, R"({"state":"connecting"})"),
         noting(requests, 202, R"({"state":"connecting"})")});
    const Outcome outcome = run_command(server.path(), {"--json", "reconnect", "--all"});
    EXPECT_EQ(outcome.code, ExitCode::ok) << outcome.error;
    EXPECT_EQ(outcome.output,
              "{\"name\":\"a\",\"state\":\"connecting\"}\n"
              "{\"name\":\"b\",\"state\":\"connecting\"}\n");
  }
  EXPECT_EQ(requests.at(2), "POST /v1/connections/b/reconnect HTTP/1.1\r\n");
}

TEST(ControlCommand, OneThatFailsDoesNotKeepTheOthersBack) {
  const ScriptedServer server({answers(404, R"({"error":"not_found","message":"No."})"),
                               answers(403, R"({"error":"not_allowed","message":"Not you."})"),
                               answers(202, R"({"state":"resolving"})")});
  const Outcome outcome = run_command(server.path(), {"resume", "a", "b", "c"});
  EXPECT_EQ(outcome.code, ExitCode::no_connection);
  EXPECT_EQ(outcome.output, "c: resolving\n");
  EXPECT_NE(outcome.error.find("no connection is named 'a'"), std::string::npos) << outcome.error;
  EXPECT_NE(outcome.error.find("b: you have no right to do that: Not you."), std::string::npos)
      << outcome.error;
}

TEST(ControlCommand, ReconnectWaitsForAnotherSessionThanTheOneBefore) {
  const ScriptedServer server({answers(200, R"({"state":"ready","sessions":3})"),
                               answers(202, R"({"state":"closing"})"),
                               answers(200, R"({"state":"ready","sessions":3})"),
                               answers(200, R"({"state":"connecting","sessions":3})"),
                               answers(200, R"({"state":"ready","sessions":4})")});
  const Outcome outcome = run_command(server.path(), {"reconnect", "--wait", "a"});
  EXPECT_EQ(outcome.code, ExitCode::ok) << outcome.error;
  EXPECT_EQ(outcome.output, "a: ready\n");
}

TEST(ControlCommand, WaitingEndsWhenTheTimeIsUp) {
  const ScriptedServer server(
      {answers(200, R"({"state":"paused","sessions":3})"),
       answers(202, R"({"state":"connecting"})"), [](Peer& peer) {
         peer.read_until("\r\n\r\n");
         // The time is up once this is answered.
         std::this_thread::sleep_for(std::chrono::milliseconds(5));
         peer.write(
             answer(200, R"({"state":"failed","last_error":{"error":"http_unauthorized"}})"));
         peer.drain();
       }});
  const Outcome outcome = run_command(server.path(), {"resume", "a", "--wait=1ms"});
  EXPECT_EQ(outcome.code, ExitCode::disconnected);
  EXPECT_EQ(outcome.output, "");
  EXPECT_NE(outcome.error.find("http_unauthorized"), std::string::npos) << outcome.error;
  EXPECT_NE(outcome.error.find("wskeep why a"), std::string::npos) << outcome.error;
}

TEST(ControlCommand, WaitingEndsWhenSomebodyElsePausesIt) {
  const ScriptedServer server({answers(200, R"({"state":"backing_off"})"),
                               answers(202, R"({"state":"connecting"})"),
                               answers(200, R"({"state":"paused"})")});
  const Outcome outcome = run_command(server.path(), {"reconnect", "a", "--wait=1h"});
  EXPECT_EQ(outcome.code, ExitCode::disconnected);
  EXPECT_NE(outcome.error.find("somebody paused it"), std::string::npos) << outcome.error;
}

}  // namespace
}  // namespace wskeep::cli
