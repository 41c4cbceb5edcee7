#include "daemon/upstream/sender.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "tests/unit/daemon/session_world.hpp"

namespace wskeep::upstream {
namespace {

struct SenderWorld {
  explicit SenderWorld(const std::optional<websocket::DeflateParameters>& compression = {})
      : ears(websocket::Role::server, compression), sender(environment, statistics, compression) {}

  void append(std::string_view text, std::uint64_t token = 0) {
    sender.append_message(Opcode::text, as_payload(text), publisher, token);
  }
  net::IoResult write() { return sender.write(transport); }
  Texts hear() {
    ears.hear(Peer(pipe).take());
    return std::exchange(ears.heard, {});
  }

  Statistics statistics;
  simulated::Environment environment;
  std::shared_ptr<simulated::Pipe> pipe = std::make_shared<simulated::Pipe>(environment.executor());
  simulated::Transport transport{pipe};
  std::shared_ptr<Publisher> publisher = std::make_shared<Publisher>();
  Ears ears;
  Sender sender;
};

TEST(Sender, MessagesAndControlFramesLeaveInOrderAndMasked) {
  SenderWorld world;
  world.append("one");
  world.sender.append_control(Opcode::ping, as_payload("two"));
  world.append("");
  world.sender.append_control(Opcode::close, {});
  EXPECT_GT(world.sender.unsent(), 0U);
  world.write();
  EXPECT_EQ(world.sender.unsent(), 0U);
  EXPECT_EQ(world.hear(), (Texts{"text:one", "ping:two", "text:", "close"}));
  EXPECT_EQ(world.statistics.messages_out, 2U);
  EXPECT_EQ(world.statistics.bytes_out, 3U);
  EXPECT_EQ(world.statistics.wire_bytes_out, 9U + 9U + 6U + 6U);
}

TEST(Sender, EachFrameHasAMaskOfItsOwn) {
  SenderWorld world;
  world.append("same");
  world.append("same");
  world.write();
  const std::string bytes = world.pipe->to_peer;
  ASSERT_EQ(bytes.size(), 20U);
  EXPECT_NE(bytes.substr(2, 4), bytes.substr(12, 4));
}

TEST(Sender, ReceiptsAreToldInOrderWhenTheirLastByteIsTaken) {
  SenderWorld world;
  Peer(world.pipe).set_room(9 + 8);  // a frame, and the next but for its last byte
  world.append("one", 1);
  world.append("two", 2);
  world.append("three", 3);
  EXPECT_EQ(world.write().status, net::IoResult::Status::would_block);
  EXPECT_EQ(world.publisher->told, Texts{});
  world.sender.tell_written();
  EXPECT_EQ(world.publisher->told, (Texts{"written 1"}));
  EXPECT_EQ(world.hear(), (Texts{"text:one"}));
  world.write();
  world.sender.tell_written();
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "written 2", "written 3"}));
  world.sender.tell_written();
  world.sender.tell_unknown({"stopped", ""});
  EXPECT_EQ(world.publisher->told.size(), 3U);
  EXPECT_EQ(world.hear(), (Texts{"text:two", "text:three"}));
}

TEST(Sender, WhatWasNotTakenIsUnknownAndToldOnce) {
  SenderWorld world;
  Peer(world.pipe).set_room(9 + 1);
  world.append("one", 1);
  world.append("two", 2);
  world.append("three", 3);
  world.write();
  world.sender.tell_written();
  world.sender.tell_unknown({"send_timeout", ""});
  world.sender.tell_unknown({"send_timeout", ""});
  EXPECT_EQ(world.publisher->told,
            (Texts{"written 1", "unknown 2 send_timeout", "unknown 3 send_timeout"}));
}

TEST(Sender, PublishersThatHaveGoneAreNotTold) {
  SenderWorld world;
  world.append("one", 1);
  world.publisher = std::make_shared<Publisher>();  // the first is gone
  world.sender.append_message(Opcode::binary, as_payload("x"), std::weak_ptr<Publisher>(), 9);
  world.append("two", 2);
  world.write();
  world.sender.tell_written();
  EXPECT_EQ(world.publisher->told, (Texts{"written 2"}));
  EXPECT_EQ(world.hear(), (Texts{"text:one", "binary:x", "text:two"}));
}

TEST(Sender, APeerThatTakesItInAnyPiecesGetsAllOfIt) {
  SenderWorld world;
  std::mt19937 random(7);
  Texts sent;
  Texts heard;
  for (int round = 0; round < 2000; ++round) {
    if (round < 500) {
      const std::string text(random() % 300, static_cast<char>('a' + round % 26));
      world.append(text, static_cast<std::uint64_t>(round));
      sent.push_back("text:" + text);
    }
    Peer(world.pipe).set_room(random() % 400);
    world.write();
    world.sender.tell_written();
    for (auto& one : world.hear()) heard.push_back(std::move(one));
  }
  EXPECT_EQ(heard, sent);
  EXPECT_EQ(world.sender.unsent(), 0U);
  ASSERT_EQ(world.publisher->told.size(), 500U);
  for (std::size_t i = 0; i < 500; ++i)
    EXPECT_EQ(world.publisher->told[i], "written " + std::to_string(i));
}

TEST(Sender, AFailedWriteIsSaidAndTellsNobodyOfSuccess) {
  SenderWorld world;
  world.pipe->may_go_on = [] { return false; };
  world.append("one", 1);
  const auto result = world.write();
  EXPECT_EQ(result.status, net::IoResult::Status::failed);
  EXPECT_EQ(result.error, daemon::Error::connection_reset);
  world.sender.tell_written();
  EXPECT_EQ(world.publisher->told, Texts{});
}

TEST(Sender, CompressesWhatIsWorthIt) {
  for (const bool no_takeover : {false, true}) {
    SenderWorld world(websocket::DeflateParameters{.client_no_context_takeover = no_takeover});
    const std::string large(10'000, 'x');
    world.append(large, 1);
    world.append("short", 2);
    world.append("", 3);
    world.append(large, 4);
    EXPECT_LT(world.sender.unsent(), 200U);
    world.write();
    world.sender.tell_written();
    EXPECT_EQ(world.hear(), (Texts{"text:" + large, "text:short", "text:", "text:" + large}));
    EXPECT_EQ(world.publisher->told.size(), 4U);
    EXPECT_EQ(world.statistics.bytes_out, 20'005U);
    EXPECT_LT(world.statistics.wire_bytes_out, 200U);
  }
}

TEST(Sender, CompressionKeepsItsWindowOverControlFramesAndBlockedWrites) {
  SenderWorld world(websocket::DeflateParameters{});
  std::mt19937 random(3);
  std::string noise(5000, '\0');
  for (char& letter : noise) letter = static_cast<char>('a' + random() % 26);
  Texts sent;
  Texts heard;
  for (int i = 0; i < 50; ++i) {
    world.append(noise);
    world.sender.append_control(Opcode::pong, as_payload("p"));
    sent.push_back("text:" + noise);
    sent.emplace_back("pong:p");
    Peer(world.pipe).set_room(1000);
    world.write();
    for (auto& one : world.hear()) heard.push_back(std::move(one));
  }
  Peer(world.pipe).set_room(SIZE_MAX);
  world.write();
  for (auto& one : world.hear()) heard.push_back(std::move(one));
  EXPECT_EQ(heard, sent);
  // Its own repetition is in the window.
  EXPECT_LT(world.statistics.wire_bytes_out, 3 * noise.size());
}

}  // namespace
}  // namespace wskeep::upstream
