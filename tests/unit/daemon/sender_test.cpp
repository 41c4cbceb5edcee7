#include "daemon/upstream/sender.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "tests/unit/daemon/session_world.hpp"

namespace wskeep::upstream {
namespace {

struct SenderWorld {
  explicit SenderWorld(const std::optional<websocket::DeflateParameters>& compression = {},
                       config::Rate rate = {})
      : ears(websocket::Role::server, compression),
        sender(environment, statistics, compression, rate) {}

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

TEST(SenderLimit, FramesWaitInOrderAndTheLastPlaceIsLeftToControlFrames) {
  SenderWorld world({}, {3, 1s});
  for (std::uint64_t i = 1; i <= 4; ++i) world.append(std::to_string(i), i);
  const std::size_t all = world.sender.unsent();
  EXPECT_EQ(world.sender.released(), 0U);
  world.write();
  world.sender.tell_written();
  EXPECT_EQ(world.hear(), (Texts{"text:1", "text:2"}));
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "written 2"}));
  EXPECT_EQ(world.sender.unsent(), all / 2);
  EXPECT_EQ(world.sender.released(), 0U);
  EXPECT_FALSE(world.sender.idle());
  world.sender.append_control(Opcode::pong, as_payload("p"));
  world.write();
  EXPECT_EQ(world.hear(), (Texts{"pong:p"}));
  world.sender.append_control(Opcode::pong, as_payload("q"));
  EXPECT_EQ(world.sender.next_release(), world.environment.now() + 1s);
  world.environment.run_for(999ms);
  world.write();
  EXPECT_EQ(world.hear(), Texts{});
  world.environment.run_for(1ms);
  world.write();
  world.sender.tell_written();
  // A pong was last and messages wait, so that one of them is next.
  EXPECT_EQ(world.hear(), (Texts{"text:3", "pong:q"}));
  world.environment.run_for(1s);
  world.write();
  world.sender.tell_written();
  EXPECT_EQ(world.hear(), (Texts{"text:4"}));
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "written 2", "written 3", "written 4"}));
  EXPECT_EQ(world.sender.unsent(), 0U);
  EXPECT_EQ(world.sender.next_release(), daemon::TimePoint::max());
}

TEST(SenderLimit, ACloseFrameGoesAheadOfAllAndNothingBehindIt) {
  SenderWorld world({}, {1, 1s});
  for (std::uint64_t i = 1; i <= 3; ++i) world.append(std::to_string(i), i);
  world.write();
  world.sender.tell_written();
  world.sender.append_control(Opcode::pong, as_payload("p"));
  world.sender.append_control(Opcode::close, {});
  world.sender.append_control(Opcode::ping, as_payload("late"));
  world.environment.run_for(10s);
  for (int i = 0; i < 5; ++i) {
    world.write();
    world.environment.run_for(10s);
  }
  EXPECT_EQ(world.hear(), (Texts{"text:1", "close"}));
  EXPECT_EQ(world.sender.unsent(), 0U);
  world.sender.tell_unknown({"stopped", ""});
  EXPECT_EQ(world.publisher->told, (Texts{"written 1", "unknown 2 stopped", "unknown 3 stopped"}));
}

TEST(SenderLimit, NothingGoesAheadOfWhatTheTransportHasPartOf) {
  SenderWorld world({}, {5, 1s});
  Peer(world.pipe).set_room(4);
  world.append("one", 1);
  world.write();
  EXPECT_EQ(world.sender.released(), 5U);
  world.sender.append_control(Opcode::close, {});
  Peer(world.pipe).set_room(SIZE_MAX);
  world.write();
  EXPECT_EQ(world.hear(), (Texts{"text:one", "close"}));
}

TEST(SenderLimit, WhatWasStuckIsNotFollowedByTooManyAtOnce) {
  SenderWorld world({}, {3, 1s});
  Peer(world.pipe).set_room(0);
  for (std::uint64_t i = 1; i <= 9; ++i) world.append(std::to_string(i), i);
  world.write();
  world.environment.run_for(1h);
  Peer(world.pipe).set_room(SIZE_MAX);
  world.write();
  EXPECT_EQ(world.hear(), (Texts{"text:1", "text:2"}));
  world.environment.run_for(999ms);
  world.write();
  EXPECT_EQ(world.hear(), Texts{});
  world.environment.run_for(1ms);
  world.write();
  EXPECT_EQ(world.hear(), (Texts{"text:3", "text:4"}));
}

/// Any schedule of messages, pongs and pings, to a peer that takes them as it likes.
void expect_limit_kept(unsigned seed) {
  std::mt19937 random(seed);
  const config::Rate rate{1 + static_cast<std::uint32_t>(random() % 6),
                          std::chrono::milliseconds(1 + random() % 1000)};
  const bool compressed = random() % 2 == 0;
  const auto agreed = compressed ? std::optional(websocket::DeflateParameters{}) : std::nullopt;
  SenderWorld world(agreed, rate);
  std::vector<daemon::TimePoint> times;
  Texts sent;
  Texts heard;
  std::size_t tokens = 0;
  daemon::TimePoint last_message = world.environment.now();
  for (int round = 0; round < 1500 || heard.size() < sent.size(); ++round) {
    ASSERT_LT(round, 100'000) << "starved";
    if (round < 1500 && random() % 4 == 0) {
      const std::string text(random() % 200, static_cast<char>('a' + round % 26));
      world.append(text, ++tokens);
      sent.push_back("text:" + text);
    }
    // Pongs at all times: a flood is answered.
    if (random() % 2 == 0) world.sender.append_control(Opcode::pong, as_payload("p"));
    if (random() % 8 == 0) world.sender.append_control(Opcode::ping, as_payload("p"));
    const bool free = random() % 4 != 0;
    Peer(world.pipe).set_room(free ? SIZE_MAX : random() % 60);
    world.write();
    world.sender.tell_written();
    for (auto& one : world.hear()) {
      times.push_back(world.environment.now());
      if (!one.starts_with("text:")) continue;
      last_message = world.environment.now();
      heard.push_back(std::move(one));
    }
    // Two stretches hold at least one message, and what is stuck is stuck for a few rounds.
    if (heard.size() < world.statistics.messages_out) {
      ASSERT_LE(world.environment.now() - last_message, 3 * rate.per + 2s);
    } else {
      last_message = world.environment.now();
    }
    world.environment.run_for(std::chrono::milliseconds(random() % 60));
  }
  EXPECT_EQ(heard, sent);
  for (std::size_t i = rate.count; i < times.size(); ++i)
    ASSERT_GE(times[i] - times[i - rate.count], rate.per);
  ASSERT_EQ(world.publisher->told.size(), tokens);
  for (std::size_t i = 0; i < tokens; ++i)
    ASSERT_EQ(world.publisher->told[i], "written " + std::to_string(i + 1));
}

TEST(SenderLimit, AnyScheduleKeepsTheLimitAndTheOrderAndStarvesNothing) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    expect_limit_kept(seed);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace wskeep::upstream
