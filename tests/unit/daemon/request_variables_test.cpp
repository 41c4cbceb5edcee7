#include <gtest/gtest.h>

#include <string>

#include "tests/unit/daemon/attempt_world.hpp"

namespace wskeep::upstream {
namespace {

using daemon::Error;

constexpr const char* jetstream =
    "    url: 'wss://example.com/subscribe?cursor=${default(cursor, \"\")}'\n"
    "    headers: {X-Last: 'at ${default(cursor, \"none\")}'}\n"
    "    session:\n"
    "      remember: {cursor: /time_us}\n";

TEST(RequestVariables, AreReadAtEachAttempt) {
  AttemptWorld world(jetstream);
  world.start();
  EXPECT_EQ(world.target(), "/subscribe?cursor=");
  EXPECT_NE(world.requests.back().find("X-Last: at none\r\n"), std::string::npos);
  world.say(R"({"time_us":1700})");
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_EQ(world.target(), "/subscribe?cursor=1700");
  EXPECT_NE(world.requests.back().find("X-Last: at 1700\r\n"), std::string::npos);
}

TEST(RequestVariables, WhatWasRememberedIsForgottenWhenAnAnswerRefusesIt) {
  AttemptWorld world(jetstream);
  world.start();
  world.say(R"({"time_us":1700})");
  world.refusal = [](const std::string&, const std::string& request) {
    return request.find("cursor=1700") != std::string::npos
               ? http_answer("400 Bad Request", "CursorTooOld")
               : "";
  };
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_EQ(world.target(), "/subscribe?cursor=");
  EXPECT_EQ(world.ended(Error::http_status), 1U);
}

TEST(RequestVariables, AreKeptWhenAnAnswerIsAboutSomethingElse) {
  AttemptWorld world(jetstream);
  world.start();
  world.say(R"({"time_us":1700})");
  int refused = 0;
  world.refusal = [&](const std::string&, const std::string&) {
    return refused++ < 1 ? http_answer("503 Service Unavailable", "") : "";
  };
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_EQ(world.target(), "/subscribe?cursor=1700");
}

TEST(RequestVariables, AValueCannotAddAHeader) {
  AttemptWorld world(
      "    url: wss://example.com/\n"
      "    headers: {X-Id: '${default(id, \"none\")}'}\n"
      "    session: {remember: {id: /id}}\n");
  world.start();
  world.say(R"({"id":"a\r\nX-Admin: yes"})");
  world.end_session();
  world.run_for(1min);
  EXPECT_EQ(world.opens, 1U);
  EXPECT_GT(world.ended(Error::configuration), 0U);
  EXPECT_NE(world.last_message().find("header X-Id: the value of a header holds no line ends"),
            std::string::npos);
}

TEST(RequestVariables, AValueInAQueryIsEncodedWhereTheTemplateSaysSo) {
  AttemptWorld world(
      "    url: 'wss://example.com/?id=${url(default(id, \"\"))}'\n"
      "    session: {remember: {id: /id}}\n");
  world.start();
  world.say(R"({"id":"a&b=c d"})");
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_EQ(world.target(), "/?id=a%26b%3Dc%20d");
}

constexpr const char* discord =
    "    url: wss://example.com/?v=10\n"
    "    session:\n"
    "      open: [{send: identify}]\n"
    "      resume: [{send: 'resume ${id}'}, {wait: {contains: resumed}, timeout: 5s}]\n"
    "      resume_url: '${gate}/?v=10'\n"
    "      forget: {close: [4007, 4009]}\n"
    "      remember: {id: /id, gate: /gate}\n";

TEST(ResumeUrl, IsTriedFirstWhenItIsKnown) {
  AttemptWorld world(discord);
  world.start();
  world.say(R"({"id":"s3ss10n","gate":"wss://gate.example.com"})");
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::opening));
  EXPECT_NE(world.requests.back().find("Host: gate.example.com\r\n"), std::string::npos);
  world.say("resumed");
  EXPECT_EQ(world.connection->state(), State::ready);
  const auto legs = world.last_cycle().at("legs").as_array();
  ASSERT_EQ(legs.size(), 1U);
  // Its path could be a ticket.
  EXPECT_EQ(legs[0].at("url").as_string(), "wss://gate.example.com/***");
}

TEST(ResumeUrl, FallsBackWithinTheSameCycleAndTheNextSessionIsNew) {
  AttemptWorld world(discord);
  world.start();
  world.say(R"({"id":"s3ss10n","gate":"wss://gate.example.com"})");
  world.environment.routes["10.0.0.2"].tcp_error = Error::connection_refused;
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_NE(world.requests.back().find("Host: example.com\r\n"), std::string::npos);
  EXPECT_EQ(world.last_cycle().at("legs").as_array().size(), 2U);
  EXPECT_NE(world.peer->received().find("identify"), 0U);
}

TEST(ResumeUrl, IsKeptWhenNothingCanBeReached) {
  AttemptWorld world(discord);
  world.start();
  world.say(R"({"id":"s3ss10n","gate":"wss://gate.example.com"})");
  world.environment.routes["10.0.0.1"].tcp_error = Error::host_unreachable;
  world.environment.routes["10.0.0.2"].tcp_error = Error::host_unreachable;
  world.end_session();
  world.run_for(5min);
  world.accept_at("10.0.0.1");
  world.accept_at("10.0.0.2");
  ASSERT_TRUE(world.wait_for(State::opening));
  EXPECT_NE(world.requests.back().find("Host: gate.example.com\r\n"), std::string::npos);
}

TEST(ResumeUrl, IsNotDowngraded) {
  AttemptWorld world(discord);
  world.start();
  world.say(R"({"id":"s3ss10n","gate":"ws://gate.example.com"})");
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_NE(world.requests.back().find("Host: example.com\r\n"), std::string::npos);
  for (const std::string& request : world.requests)
    EXPECT_EQ(request.find("gate.example.com"), std::string::npos);
}

TEST(ResumeUrl, ACloseCodeCanForgetIt) {
  for (const auto& [code, host] :
       {std::pair{4000, "Host: gate.example.com"}, std::pair{4009, "Host: example.com"}}) {
    AttemptWorld world(discord);
    world.start();
    world.say(R"({"id":"s3ss10n","gate":"wss://gate.example.com"})");
    world.close_by_peer(static_cast<std::uint16_t>(code));
    world.run_for(1min);
    ASSERT_GE(world.requests.size(), 2U);
    EXPECT_NE(world.requests[1].find(host), std::string::npos) << code;
  }
}

TEST(Resuming, IsGivenUpWhenItIsCutOffEachTime) {
  AttemptWorld world(
      "    url: wss://example.com/\n"
      "    session:\n"
      "      open: [{send: identify}]\n"
      "      resume: [{send: 'resume ${id}'}, {wait: {contains: resumed}, timeout: 5s}]\n"
      "      remember: {id: /id}\n");
  world.start();
  world.say(R"({"id":"one"})");
  for (int i = 0; i < 3; ++i) {
    world.end_session();
    ASSERT_TRUE(world.wait_for(State::opening)) << i;  // it would be resumed
  }
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
}

TEST(Resuming, ADeadSessionEndsWithTheCodeOfTheScriptAndIsResumed) {
  AttemptWorld world(
      "    url: wss://example.com/\n"
      "    session:\n"
      "      open: [{send: identify}]\n"
      "      resume: [{send: 'resume ${id}'}, {wait: {contains: resumed}}]\n"
      "      remember: {id: /id}\n"
      "      heartbeat: {every: 10s, send: beat, expect: {contains: ack}, within: 5s}\n"
      "      close: {code: 4000}\n");
  world.start();
  world.say(R"({"id":"one"})");
  Ears ears(websocket::Role::server);
  world.run_for(16s);
  ears.hear(world.peer->take());
  EXPECT_EQ(ears.heard, (Texts{"text:identify", "text:beat", "close:4000 "}));
  world.peer->send(close_frame(4000));
  world.peer->end();
  ASSERT_TRUE(world.wait_for(State::opening));
  EXPECT_EQ(world.ended(Error::heartbeat_timeout), 1U);
  world.say("resumed");
  EXPECT_EQ(world.connection->state(), State::ready);
}

TEST(UrlFromAValue, MustBeSecureUnlessTheConfigurationSaysOtherwise) {
  for (const bool allowed : {false, true}) {
    AttemptWorld world(std::string("    url: '${default(ticket, \"wss://example.com/\")}'\n"
                                   "    session: {remember: {ticket: /url}") +
                       (allowed ? ", insecure_url: true}\n" : "}\n"));
    world.start();
    world.say(R"({"url":"ws://gate.example.com/s3cret-ticket"})");
    world.end_session();
    world.run_for(1min);
    if (allowed) {
      EXPECT_EQ(world.target(), "/s3cret-ticket");
    } else {
      EXPECT_EQ(world.opens, 1U);
      EXPECT_NE(world.last_message().find("must be wss://"), std::string::npos);
    }
    const std::string shown = boost::json::serialize(world.connection->describe_attempts());
    EXPECT_EQ(shown.find("s3cret-ticket"), std::string::npos);
  }
}

TEST(Credentials, CanBeVariables) {
  AttemptWorld world(
      "    url: wss://example.com/\n"
      "    authorization: {bearer: '${default(token, \"first\")}'}\n"
      "    session: {remember: {token: /token}}\n");
  world.start();
  EXPECT_NE(world.requests.back().find("Authorization: Bearer first\r\n"), std::string::npos);
  world.say(R"({"token":"second"})");
  world.end_session();
  ASSERT_TRUE(world.wait_for(State::ready));
  EXPECT_NE(world.requests.back().find("Authorization: Bearer second\r\n"), std::string::npos);
}

}  // namespace
}  // namespace wskeep::upstream
