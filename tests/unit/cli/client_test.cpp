#include <gtest/gtest.h>
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "ipc/client/connect_error.hpp"
#include "ipc/client/error.hpp"
#include "ipc/client/http_client.hpp"
#include "ipc/client/http_exchange.hpp"
#include "ipc/client/message_stream.hpp"
#include "tests/unit/cli/scripted_server.hpp"

namespace wskeep::cli {
namespace {

using namespace std::chrono_literals;
using ipc::ClientError;
using ipc::Fault;
using ipc::HttpClient;
using ipc::MessageStream;
using ipc::Refusal;
using test::frame;
using test::Peer;
using test::ScriptedServer;
using test::text_frame;
using websocket::Opcode;

template <typename Action>
ClientError error_of(Action&& action) {
  try {
    action();
  } catch (const ClientError& error) {
    return error;
  }
  ADD_FAILURE() << "no error";
  return {Fault::protocol, ""};
}

std::vector<std::string> read_all(MessageStream& stream) {
  std::vector<std::string> messages;
  while (!stream.ended()) {
    const auto turn =
        stream.turn([&](Opcode, std::string_view data) { messages.emplace_back(data); },
                    std::chrono::steady_clock::now() + 5s, {});
    if (turn.timed_out) {
      ADD_FAILURE() << "timed out";
      break;
    }
  }
  return messages;
}

TEST(HttpClient, ReadsAnAnswerThatComesInPieces) {
  std::string request;
  const ScriptedServer server({[&](Peer& peer) {
    request = peer.read_until("\r\n\r\n");
    for (const char each : std::string("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")) {
      peer.write(std::string_view(&each, 1));
    }
    peer.drain();
  }});
  const auto response = HttpClient(server.path(), 5s).get("/v1/status");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(request.substr(0, 26), "GET /v1/status HTTP/1.1\r\nH");
}

TEST(HttpClient, PostsABodyAndReadsChunks) {
  std::string request;
  const ScriptedServer server({[&](Peer& peer) {
    request = peer.read_until("\r\n\r\nping");
    peer.write(
        "HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n");
  }});
  const auto response = HttpClient(server.path(), 5s).post("/m", "text/plain", "ping");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body, "abc");
  EXPECT_NE(request.find("Content-Type: text/plain\r\n"), std::string::npos);
  EXPECT_NE(request.find("Content-Length: 4\r\n"), std::string::npos);
}

TEST(HttpClient, AnEmptyBodyHasALength) {
  std::string request;
  const ScriptedServer server({[&](Peer& peer) {
    request = peer.read_until("\r\n\r\n");
    peer.write("HTTP/1.1 204 No Content\r\n\r\n");
  }});
  EXPECT_EQ(HttpClient(server.path(), 5s).post("/m", "text/plain", "").status, 204);
  EXPECT_NE(request.find("Content-Length: 0\r\n"), std::string::npos) << request;
}

TEST(HttpClient, AnAnswerBeforeTheBodyIsTakenCounts) {
  const ScriptedServer server({[](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.write("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno");
  }});
  const std::string body(8U << 20U, 'x');
  EXPECT_EQ(HttpClient(server.path(), 5s).post("/m", "text/plain", body).status, 413);
}

TEST(HttpClient, NamesWhatToDoWhereNobodyListens) {
  const ClientError error =
      error_of([] { static_cast<void>(HttpClient("/nonexistent/socket", 1s).get("/")); });
  EXPECT_EQ(error.fault(), Fault::no_daemon);
  EXPECT_STREQ(
      error.what(),
      "no daemon listens at /nonexistent/socket: `sudo systemctl start wskeepd` starts it, "
      "`systemctl status wskeepd` says why it has ended");
  const std::string long_path(200, 'x');
  EXPECT_EQ(error_of([&] { static_cast<void>(HttpClient(long_path, 1s).get("/")); }).fault(),
            Fault::no_daemon);
}

TEST(HttpClient, SaysWhoMayOpenTheSocket) {
  const ClientError closed =
      error_of([] { ipc::throw_connect_error("/nonexistent/socket", EACCES); });
  EXPECT_EQ(closed.fault(), Fault::no_daemon);
  EXPECT_NE(std::string(closed.what()).find("namei -l /nonexistent/socket"), std::string::npos);
  // Nobody becomes a member of root's group for it.
  const ClientError of_root = error_of([] { ipc::throw_connect_error("/", EACCES); });
  EXPECT_NE(std::string(of_root.what()).find("ls -l /"), std::string::npos) << of_root.what();
  EXPECT_EQ(std::string(of_root.what()).find("adduser"), std::string::npos) << of_root.what();
}

TEST(HttpClient, ASilentDaemonTimesOut) {
  const ScriptedServer server({[](Peer& peer) { peer.drain(); }});
  const auto begin = std::chrono::steady_clock::now();
  const ClientError error =
      error_of([&] { static_cast<void>(HttpClient(server.path(), 100ms).get("/")); });
  EXPECT_EQ(error.fault(), Fault::timed_out);
  EXPECT_NE(std::string(error.what()).find("does not answer"), std::string::npos);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(HttpClient, ADaemonThatGoesAwayIsNoAnswer) {
  const ScriptedServer server({[](Peer& peer) {
    peer.read_until("\r\n\r\n");
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf");
  }});
  EXPECT_EQ(error_of([&] { static_cast<void>(HttpClient(server.path(), 5s).get("/")); }).fault(),
            Fault::closed);
}

TEST(HttpClient, WhatIsNotHttpIsSaidToBeSo) {
  const ScriptedServer server(
      {[](Peer& peer) { peer.write("220 mail.example.com ESMTP\r\n\r\n"); }});
  EXPECT_EQ(error_of([&] { static_cast<void>(HttpClient(server.path(), 5s).get("/")); }).fault(),
            Fault::protocol);
}

TEST(HttpClient, WhatIsNotHttpIsSaidToBeSoAlsoWhenTheRequestCameTooLate) {
  const ScriptedServer server(
      {[](Peer& peer) { peer.write("220 mail.example.com ESMTP\r\n\r\n"); }});
  ipc::UnixSocket socket = ipc::UnixSocket::connect(server.path(), 5s);
  pollfd gone{socket.descriptor(), 0, 0};
  ASSERT_EQ(::poll(&gone, 1, 5'000), 1);
  ASSERT_NE(gone.revents & POLLHUP, 0);
  const ClientError error = error_of([&] {
    static_cast<void>(ipc::exchange(socket, "GET / HTTP/1.1\r\nHost: wskeep\r\n\r\n",
                                    std::chrono::steady_clock::now() + 5s));
  });
  EXPECT_EQ(error.fault(), Fault::protocol) << error.what();
}

TEST(MessageStream, TakesFramesThatComeWithTheUpgradeAndSplitOnes) {
  std::string request;
  const ScriptedServer server({[&](Peer& peer) {
    const std::string second = text_frame("second");
    request = peer.upgrade(text_frame("first") + second.substr(0, 3));
    for (const char each : second.substr(3)) peer.write(std::string_view(&each, 1));
    peer.write(frame(Opcode::text, "joi", false) + frame(Opcode::continuation, "ned"));
    peer.write(frame(Opcode::close, "\x03\xF5lost 7 messages"));
    peer.drain();
  }});
  MessageStream stream = MessageStream::open(server.path(), "/v1/x?after=a:1", 5s);
  EXPECT_EQ(read_all(stream), (std::vector<std::string>{"first", "second", "joined"}));
  EXPECT_EQ(stream.ended()->code, 1013);
  EXPECT_EQ(stream.ended()->reason, "lost 7 messages");
  EXPECT_EQ(request.substr(0, 20), "GET /v1/x?after=a:1 ");
  EXPECT_NE(request.find("Sec-WebSocket-Protocol: wskeep.v1\r\n"), std::string::npos);
}

TEST(MessageStream, ReadsMessagesOverOneBatch) {
  const std::string large(3U << 20U, 'x');
  const ScriptedServer server({[&](Peer& peer) {
    peer.upgrade();
    peer.write(text_frame(large) + text_frame("small") + frame(Opcode::close, ""));
    peer.drain();
  }});
  MessageStream stream = MessageStream::open(server.path(), "/", 5s);
  const auto messages = read_all(stream);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_TRUE(messages[0] == large);
  EXPECT_EQ(messages[1], "small");
  EXPECT_EQ(stream.ended()->code, 1005);
}

TEST(MessageStream, SendsMaskedFramesAndAnswersPings) {
  std::vector<std::string> payloads;
  std::vector<Opcode> opcodes;
  const std::string large(300'000, 'y');
  const ScriptedServer server({[&](Peer& peer) {
    peer.upgrade(frame(Opcode::ping, "beat"));
    for (int each = 0; each < 4; ++each) {
      Opcode opcode{};
      payloads.push_back(peer.read_frame(opcode));
      opcodes.push_back(opcode);
    }
    peer.write(frame(Opcode::close, "\x03\xE8"));
    peer.drain();
  }});
  {
    MessageStream stream = MessageStream::open(server.path(), "/", 5s);
    stream.queue(Opcode::text, "1\n", "hello");
    stream.queue(Opcode::binary, "2\n", large);
    stream.queue(Opcode::text, "3\n", "");
    EXPECT_TRUE(read_all(stream).empty());
  }
  EXPECT_EQ(payloads, (std::vector<std::string>{"1\nhello", "2\n" + large, "3\n", "beat"}));
  EXPECT_EQ(opcodes,
            (std::vector<Opcode>{Opcode::text, Opcode::binary, Opcode::text, Opcode::pong}));
}

TEST(MessageStream, ADaemonThatGoesAwayIsAnErrorAndLosesNothing) {
  const ScriptedServer server({[](Peer& peer) { peer.upgrade(text_frame("whole") + "\x81"); }});
  MessageStream stream = MessageStream::open(server.path(), "/", 5s);
  std::vector<std::string> messages;
  const ClientError error = error_of([&] {
    for (;;) {
      stream.turn([&](Opcode, std::string_view data) { messages.emplace_back(data); }, std::nullopt,
                  {});
    }
  });
  EXPECT_EQ(error.fault(), Fault::closed);
  EXPECT_EQ(messages, std::vector<std::string>{"whole"});
}

TEST(MessageStream, ARefusalCarriesTheDaemonsWords) {
  const ScriptedServer server({[](Peer& peer) {
    peer.read_until("\r\n\r\n");
    const std::string body = R"({"error":"bad_request","message":"The cursor is ahead."})";
    peer.write("HTTP/1.1 400 Bad\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
               body);
  }});
  try {
    MessageStream::open(server.path(), "/", 5s);
    ADD_FAILURE() << "opened";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.status(), 400);
    EXPECT_EQ(refusal.name(), "bad_request");
    EXPECT_STREQ(refusal.what(), "The cursor is ahead.");
  }
}

TEST(MessageStream, ASilentUpgradeTimesOut) {
  const ScriptedServer server({[](Peer& peer) { peer.drain(); }});
  EXPECT_EQ(error_of([&] { MessageStream::open(server.path(), "/", 100ms); }).fault(),
            Fault::timed_out);
}

TEST(MessageStream, BrokenFramesAreAnError) {
  const ScriptedServer server({[](Peer& peer) { peer.upgrade("\x83\x01x"); }});
  MessageStream stream = MessageStream::open(server.path(), "/", 5s);
  const ClientError error = error_of([&] {
    for (;;) stream.turn([](Opcode, std::string_view) {}, std::nullopt, {});
  });
  EXPECT_EQ(error.fault(), Fault::protocol);
}

}  // namespace
}  // namespace wskeep::cli
