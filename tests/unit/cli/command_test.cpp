#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <csignal>
#include <string>
#include <variant>
#include <vector>

#include "cli/options.hpp"
#include "cli/run.hpp"
#include "cli/run_as.hpp"
#include "tests/unit/cli/run_command.hpp"
#include "tests/unit/cli/scripted_server.hpp"

namespace wskeep::cli {
namespace {

using test::answer;
using test::answers;
using test::frame;
using test::Outcome;
using test::Peer;
using test::run_command;
using test::Scratch;
using test::ScriptedServer;
using test::text_frame;
using websocket::Opcode;

constexpr std::string_view hello =
    R"({"event":"hello","epoch":"5f2c","first":1,"last":3,"next":4,"state":"ready"})";

TEST(Commands, WithoutADaemonTheExitCodeSaysSo) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"list"},
                                                    {"show", "x"},
                                                    {"tail", "x"},
                                                    {"send", "x", "y"},
                                                    {"send", "x"},
                                                    {"why", "x"},
                                                    {"pause", "x"},
                                                    {"resume", "--all"},
                                                    {"status"},
                                                    {"reload"},
                                                    {"diff"}}) {
    const Outcome outcome = run_command("/nonexistent/socket", arguments);
    EXPECT_EQ(outcome.code, ExitCode::no_daemon);
    EXPECT_NE(outcome.error.find("sudo systemctl start wskeepd"), std::string::npos)
        << outcome.error;
    EXPECT_EQ(outcome.output, "");
  }
  const Outcome names = run_command("/nonexistent/socket", {"list", "--names"});
  EXPECT_EQ(names.code, ExitCode::no_daemon);
  EXPECT_EQ(names.error, "");
}

TEST(Commands, ReloadSaysWhatChanged) {
  constexpr std::string_view body =
      R"({"applied":true,"added":["a"],"removed":["b"],"changed":[)"
      R"({"name":"c","effect":"in_place","keys":["gap","patience"]},)"
      R"({"name":"d","effect":"new_session","keys":["url"]},)"
      R"({"name":"e","effect":"new_ring","keys":["history"]}],)"
      R"("unchanged":7,"in_place":["log.level"],"next_start":["threads","ipc.socket"]})";
  const ScriptedServer server(std::vector(1, answers(200, body)));
  const Outcome outcome = run_command(server.path(), {"reload"});
  EXPECT_EQ(outcome.code, ExitCode::ok);
  EXPECT_EQ(outcome.output,
            "+ a\n- b\n~ c: gap, patience: in place\n~ d: url: takes a new session\n"
            "~ e: history: begins anew, with an empty history, and its readers with it\n"
            "~ log.level: in place\n"
            "! threads, ipc.socket: not applied: from the next start of wskeepd on\n"
            "reloaded; 7 unchanged\n");
}

TEST(Commands, ReloadWithoutTheRightToItSaysSo) {
  constexpr std::string_view body = R"({"error":"not_allowed","message":"Only root may."})";
  const ScriptedServer server(std::vector(1, answers(403, body)));
  const Outcome outcome = run_command(server.path(), {"reload"});
  EXPECT_EQ(outcome.code, ExitCode::no_connection);
  EXPECT_NE(outcome.error.find("Only root may."), std::string::npos) << outcome.error;
}

TEST(Commands, AnUnknownConnectionHasItsOwnExitCode) {
  constexpr std::string_view body = R"({"error":"not_found","message":"No."})";
  const ScriptedServer server(std::vector(7, answers(404, body)));
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{"show", "x"},
                                                    {"tail", "x"},
                                                    {"send", "x", "y"},
                                                    {"send", "x"},
                                                    {"why", "x"},
                                                    {"reconnect", "x"},
                                                    {"resume", "x", "--wait"}}) {
    const Outcome outcome = run_command(server.path(), arguments);
    EXPECT_EQ(outcome.code, ExitCode::no_connection);
    EXPECT_NE(outcome.error.find("no connection is named 'x'"), std::string::npos);
  }
}

TEST(ListCommand, NamesStandOneALine) {
  const ScriptedServer server({answers(200, R"({"connections":[{"name":"a"},{"name":"b"}]})")});
  EXPECT_EQ(run_command(server.path(), {"list", "--names"}).output, "a\nb\n");
}

TEST(TailCommand, PrintsPayloadsAloneAndStopsAtTheLimit) {
  std::string request;
  const ScriptedServer server({[&](Peer& peer) {
    request = peer.upgrade(text_frame(hello));
    peer.write(text_frame("4 1\none") + text_frame(R"({"event":"gap","from":5,"to":8})"));
    peer.write(text_frame("9 1\ntwo") + text_frame("10 1\nthree"));
    peer.drain();
  }});
  const Outcome outcome =
      run_command(server.path(), {"tail", "trades", "--limit", "2", "--from", "oldest"});
  EXPECT_EQ(outcome.code, ExitCode::ok);
  EXPECT_EQ(outcome.output, "one\ntwo\n");
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(request.substr(0, 59), "GET /v1/connections/trades/messages?gap=skip&from=oldest HT");
}

TEST(TailCommand, EventsStandAmongTheMessages) {
  const ScriptedServer server({[&](Peer& peer) {
    peer.upgrade(text_frame("4 1\none") + text_frame(R"({"event":"gap"})") +
                 text_frame("9 1\ntwo"));
    peer.drain();
  }});
  EXPECT_EQ(run_command(server.path(), {"tail", "x", "--events", "--limit", "2"}).output,
            "one\n{\"event\":\"gap\"}\ntwo\n");
}

TEST(TailCommand, ADaemonThatEndsItIsDisconnected) {
  const ScriptedServer server(
      {[](Peer& peer) { peer.upgrade(text_frame("4 1\none")); },
       [](Peer& peer) { peer.upgrade(frame(Opcode::close, "\x03\xE9stopping")); }});
  const Outcome gone = run_command(server.path(), {"tail", "x"});
  EXPECT_EQ(gone.code, ExitCode::disconnected);
  EXPECT_EQ(gone.output, "one\n");
  EXPECT_NE(gone.error.find("went away"), std::string::npos) << gone.error;
  const Outcome closed = run_command(server.path(), {"tail", "x"});
  EXPECT_EQ(closed.code, ExitCode::disconnected);
  EXPECT_NE(closed.error.find("close code 1001, stopping"), std::string::npos) << closed.error;
}

TEST(TailCommand, ReconnectsWithTheCursorOfTheLastMessage) {
  std::vector<std::string> requests;
  const ScriptedServer server(
      {[&](Peer& peer) { requests.push_back(peer.upgrade(text_frame(hello))); },
       [&](Peer& peer) {
         requests.push_back(peer.upgrade(text_frame(hello) + text_frame("4 1\none")));
       },
       answers(503, R"({"error":"too_many_clients","message":"Full."})"),
       [&](Peer& peer) {
         // In this order, for the client leaves with the message.
         requests.push_back(peer.upgrade());
         peer.write(text_frame("5 1\ntwo"));
         peer.drain();
       }});
  const Outcome outcome = run_command(server.path(), {"tail", "x", "--reconnect", "--limit", "2"});
  EXPECT_EQ(outcome.code, ExitCode::ok);
  EXPECT_EQ(outcome.output, "one\ntwo\n");
  ASSERT_EQ(requests.size(), 3U);
  EXPECT_EQ(requests[0].find("after="), std::string::npos);
  EXPECT_NE(requests[1].find("after=5f2c:3 "), std::string::npos) << requests[1];
  EXPECT_NE(requests[2].find("after=5f2c:4 "), std::string::npos) << requests[2];
}

TEST(TailCommand, AReaderThatLeavesEndsItQuietly) {
  std::signal(SIGPIPE, SIG_IGN);
  const ScriptedServer server({[](Peer& peer) {
    peer.upgrade();
    peer.drain();
  }});
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  ::close(ends[0]);
  const Scratch error;
  const Console console(0, ends[1], error.descriptor(), ColorChoice::never);
  const auto parsed = parse_arguments({"--socket", server.path(), "tail", "x"});
  EXPECT_EQ(run(std::get<Options>(parsed), console), ExitCode::ok);
  EXPECT_EQ(error.content(), "");
  ::close(ends[1]);
}

TEST(TailCommand, AMessageWithoutItsNumberIsAnError) {
  const ScriptedServer server({[](Peer& peer) {
    peer.upgrade(text_frame("no number"));
    peer.drain();
  }});
  const Outcome outcome = run_command(server.path(), {"tail", "x"});
  EXPECT_EQ(outcome.code, ExitCode::failed);
  EXPECT_EQ(outcome.output, "");
}

TEST(SendCommand, OneMessageIsPosted) {
  std::string request;
  const ScriptedServer server({[&](Peer& peer) {
                                 request = peer.read_until("hello");
                                 peer.write(answer(200, R"({"outcome":"written"})"));
                               },
                               answers(202, R"({"outcome":"queued"})"),
                               answers(503, R"({"error":"not_connected","message":"It is away.",)"
                                            R"("outcome":"rejected"})"),
                               answers(503, R"({"error":"send_buffer_full","message":"Full.",)"
                                            R"("outcome":"rejected"})"),
                               answers(502, R"({"outcome":"unknown"})")});
  EXPECT_EQ(run_command(server.path(), {"send", "x", "hello"}).code, ExitCode::ok);
  EXPECT_NE(request.find("Content-Type: text/plain"), std::string::npos);
  EXPECT_EQ(run_command(server.path(), {"send", "x", "hello"}).code, ExitCode::ok);
  const Outcome away = run_command(server.path(), {"send", "x", "hello"});
  EXPECT_EQ(away.code, ExitCode::disconnected);
  EXPECT_NE(away.error.find("x: It is away."), std::string::npos) << away.error;
  EXPECT_EQ(run_command(server.path(), {"send", "x", "hello"}).code, ExitCode::failed);
  const Outcome unknown = run_command(server.path(), {"send", "x", "hello"});
  EXPECT_EQ(unknown.code, ExitCode::failed);
  EXPECT_NE(unknown.error.find("it may have been sent, or not"), std::string::npos);
}

TEST(SendCommand, LinesGoOutWithoutWaitingForEachOther) {
  std::vector<std::string> received;
  const ScriptedServer server({[&](Peer& peer) {
    peer.upgrade(text_frame(hello));
    Opcode opcode{};
    // No answer before the third came: who waits after each line never gets there.
    for (int each = 0; each < 3; ++each) received.push_back(peer.read_frame(opcode));
    for (const char* id : {"2", "1", "3"}) {
      peer.write(text_frame(std::string(R"({"event":"sent","id":")") + id + "\"}"));
    }
    peer.drain();
  }});
  const Outcome outcome = run_command(server.path(), {"send", "x"}, "one\n\nlast");
  EXPECT_EQ(outcome.code, ExitCode::ok) << outcome.error;
  EXPECT_EQ(received, (std::vector<std::string>{"1\none", "2\n", "3\nlast"}));
}

TEST(SendCommand, TheFirstLineThatFailsEndsIt) {
  const ScriptedServer server({[](Peer& peer) {
    peer.upgrade();
    Opcode opcode{};
    peer.read_frame(opcode);
    peer.read_frame(opcode);
    peer.write(text_frame(R"({"event":"sent","id":"1"})") +
               text_frame(R"({"event":"failed","id":"2","error":"not_connected",)"
                          R"("message":"upstream is away"})"));
    peer.drain();
  }});
  const Outcome outcome = run_command(server.path(), {"send", "x"}, "a\nb\n");
  EXPECT_EQ(outcome.code, ExitCode::disconnected);
  EXPECT_EQ(outcome.error,
            "wskeep: line 2 was not sent: upstream is away; stopped there (of 2 lines handed over, "
            "1 went out)\n");
}

TEST(SendCommand, ADaemonThatGoesAwayLeavesLinesUnknown) {
  const ScriptedServer server({[](Peer& peer) {
    peer.upgrade();
    Opcode opcode{};
    peer.read_frame(opcode);
    peer.read_frame(opcode);
    peer.write(text_frame(R"({"event":"sent","id":"1"})"));
  }});
  const Outcome outcome = run_command(server.path(), {"send", "x"}, "a\nb\n");
  EXPECT_EQ(outcome.code, ExitCode::disconnected);
  EXPECT_NE(outcome.error.find("1 line went out, and of 1 more it is not known"), std::string::npos)
      << outcome.error;
}

TEST(SendCommand, WhatIsNoTextIsNotSentAsText) {
  EXPECT_EQ(run_command("/unused", {"send", "x", "\xFF"}).code, ExitCode::failed);
  std::vector<std::string> received(2);
  Outcome outcome;
  {
    const ScriptedServer server({[&](Peer& peer) {
      peer.upgrade();
      Opcode opcode{};
      for (std::string& each : received) {
        each = peer.read_frame(opcode);
        peer.write(text_frame(R"({"event":"sent","id":"1"})"));
      }
      peer.drain();
    }});
    outcome = run_command(server.path(), {"send", "x"}, "good\n\xFF\nnever\n");
  }
  EXPECT_EQ(outcome.code, ExitCode::failed);
  EXPECT_EQ(outcome.error,
            "wskeep: line 2 is not UTF-8, as text messages must be (--binary sends any bytes); "
            "stopped there (of 1 line handed over, 1 went out)\n");
  EXPECT_EQ(received[0], "1\ngood");
  EXPECT_EQ(received[1], "\x03\xE8");
}

TEST(CheckCommand, ProblemsGoToStandardError) {
  const Outcome outcome = run_command("/unused", {"check", "/nonexistent/wskeep.yaml"});
  EXPECT_EQ(outcome.code, ExitCode::configuration);
  EXPECT_EQ(outcome.output, "");
  EXPECT_NE(outcome.error.find("/nonexistent/wskeep.yaml"), std::string::npos);
}

// With few local apps, so that a machine with few descriptors has nothing to say of it.
constexpr std::string_view with_scripts = R"(
ipc: {limits: {clients: 100}}
defaults:
  session: {open: [{send: '{"key":"${env:HOME}"}'}]}
connections:
  a: {url: 'wss://h/'}
  b: {url: 'wss://h/'}
  c: {url: 'wss://h/', session: off}
  d: {url: 'wss://h/', session: {open: [{wait: {json: {/event: "a\u001b[31mb"}}, timeout: 5s,
      refuse: {json: {/event: error}, verdict: stop}}]}}
)";

TEST(CheckCommand, ExplainsTheScriptsInWords) {
  const Scratch file(with_scripts);
  const std::string path = "/proc/self/fd/" + std::to_string(file.descriptor());
  const Outcome outcome = run_command("/unused", {"check", path});
  EXPECT_EQ(outcome.code, ExitCode::ok);
  EXPECT_EQ(outcome.output.substr(0, outcome.output.find("\nmemory at the most")),
            path + ": OK, 4 connections, as " + own_user() +
                "\n"
                "\n"
                "a and b\n"
                "  open[0]  send {\"key\":\"${env:HOME}\"}\n"
                "\n"
                "d\n"
                "  open[0]  wait up to 5s for a message with /event = "
                "a\\x1b[31mb; but a message\n"
                "           with /event = error ends the session, and nothing more "
                "is tried\n");
}

TEST(CheckCommand, ExplainsThemInJsonToo) {
  const Scratch file(with_scripts);
  const Outcome outcome = run_command(
      "/unused", {"--json", "check", "/proc/self/fd/" + std::to_string(file.descriptor())});
  const auto answer = boost::json::parse(outcome.output).as_object();
  EXPECT_TRUE(answer.at("problems").as_array().empty());
  const auto& scripts = answer.at("scripts").as_object();
  EXPECT_EQ(scripts.size(), 3U);
  EXPECT_EQ(boost::json::serialize(scripts.at("b")),
            R"([{"part":"open[0]","text":"send {\"key\":\"${env:HOME}\"}"}])");
}

}  // namespace
}  // namespace wskeep::cli
