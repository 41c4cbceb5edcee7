#include "daemon/upstream/receiver.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <string>

#include "tests/unit/daemon/session_world.hpp"
#include "websocket/deflate.hpp"

namespace wskeep::upstream {
namespace {

using Status = net::IoResult::Status;

class ReceiverWorld final : public ControlObserver {
 public:
  explicit ReceiverWorld(ipc::Channel::Options options = channel_options(),
                         const std::optional<websocket::DeflateParameters>& compression = {})
      : channel(environment.executor(), options, 7),
        receiver(channel, statistics, *this, options.shape.max_message, compression) {
    channel.on_resume([this] { ++resumed; });
  }
  ~ReceiverWorld() = default;
  ReceiverWorld(const ReceiverWorld&) = delete;
  ReceiverWorld& operator=(const ReceiverWorld&) = delete;

  void on_control(Opcode opcode, std::span<const std::byte> payload) override {
    controls.push_back(std::to_string(static_cast<int>(opcode)) + ":" + as_text(payload));
  }

  Receiver::Outcome receive() { return receiver.receive(transport, 1); }
  Receiver::Outcome receive(std::string_view bytes) {
    Peer(pipe).send(bytes);
    return receive();
  }
  /// Reads on as a session does, until there is nothing more or a reader is waited for.
  Receiver::Outcome receive_all() {
    for (;;) {
      const auto outcome = receive();
      channel.deliver();
      if (outcome.stalled || outcome.stopped || outcome.io.status != Status::done) return outcome;
    }
  }
  [[nodiscard]] Texts messages() const { return messages_in(channel.ring()); }

  Texts controls;
  int resumed = 0;
  Statistics statistics;
  simulated::Environment environment;
  ipc::Channel channel;
  std::shared_ptr<simulated::Pipe> pipe = std::make_shared<simulated::Pipe>(environment.executor());
  simulated::Transport transport{pipe};
  Receiver receiver;
};

/// A server's compressed messages, with the window going on from one to the next.
class Compressor {
 public:
  std::string operator()(std::string_view payload) {
    std::vector<std::byte> output;
    EXPECT_TRUE(deflater_.compress(as_payload(payload), output));
    return frame(Opcode::text, as_text(output), true, true);
  }

 private:
  websocket::Deflater deflater_{15, false};
};

TEST(Receiver, CommitsWholeMessagesWithTheirTime) {
  ReceiverWorld world;
  const auto outcome = world.receive(text_frame("one") + frame(Opcode::binary, "two"));
  EXPECT_EQ(outcome.io.status, Status::done);
  EXPECT_TRUE(outcome.drained);
  EXPECT_FALSE(outcome.stopped);
  EXPECT_EQ(world.messages(), (Texts{"one", "two"}));
  EXPECT_EQ(world.channel.ring().entry(1).time_ns, 1U);
  EXPECT_EQ(world.channel.ring().entry(2).opcode, 2);
  EXPECT_EQ(world.statistics.messages_in, 2U);
  EXPECT_EQ(world.statistics.bytes_in, 6U);
  EXPECT_EQ(world.statistics.wire_bytes_in, 10U);
}

TEST(Receiver, NothingThereIsNoMessage) {
  ReceiverWorld world;
  const auto outcome = world.receive();
  EXPECT_EQ(outcome.io.status, Status::would_block);
  EXPECT_FALSE(outcome.stalled);
  EXPECT_TRUE(world.messages().empty());
}

TEST(Receiver, EndsAndFailuresAreHandedOn) {
  for (const bool compressed : {false, true}) {
    const auto agreed = compressed ? std::optional(websocket::DeflateParameters{}) : std::nullopt;
    ReceiverWorld world(channel_options(), agreed);
    world.receive(text_frame("last"));
    Peer(world.pipe).reset();
    EXPECT_EQ(world.receive().io.error, daemon::Error::connection_reset);
    Peer(world.pipe).end(daemon::Error::tls_truncated);
    const auto outcome = world.receive();
    EXPECT_EQ(outcome.io.status, Status::end);
    EXPECT_EQ(outcome.io.error, daemon::Error::tls_truncated);
    EXPECT_EQ(world.messages(), (Texts{"last"}));
  }
}

TEST(Receiver, KnowsWhetherItIsWithinAMessage) {
  for (const bool compressed : {false, true}) {
    const auto agreed = compressed ? std::optional(websocket::DeflateParameters{}) : std::nullopt;
    ReceiverWorld world(channel_options(), agreed);
    EXPECT_FALSE(world.receiver.in_message());
    world.receive(text_frame("whole").substr(0, 1));
    EXPECT_TRUE(world.receiver.in_message());
    world.receive(text_frame("whole").substr(1));
    EXPECT_FALSE(world.receiver.in_message());
    world.receive(frame(Opcode::text, "begun", false));
    EXPECT_TRUE(world.receiver.in_message());
    world.receive(frame(Opcode::ping, "between"));
    EXPECT_TRUE(world.receiver.in_message());
    world.receive(frame(Opcode::continuation, ", ended"));
    EXPECT_FALSE(world.receiver.in_message());
    EXPECT_EQ(world.messages(), (Texts{"whole", "begun, ended"}));
    EXPECT_EQ(world.controls, (Texts{"9:between"}));
  }
}

TEST(Receiver, AnyCutsGiveTheSameMessages) {
  for (const bool compressed : {false, true}) {
    std::mt19937 random(11);
    for (int round = 0; round < 60; ++round) {
      Compressor compress;
      std::string stream;
      Texts expected;
      for (int i = 0; i < 20; ++i) {
        const std::string text(random() % 200, static_cast<char>('a' + i));
        expected.push_back(text);
        if (compressed && i % 3 != 0) {
          stream += compress(text);
        } else if (i % 3 == 1) {
          const std::size_t cut = text.size() / 2;
          stream += frame(Opcode::text, text.substr(0, cut), false) + frame(Opcode::ping, "p") +
                    frame(Opcode::continuation, text.substr(cut));
        } else {
          stream += text_frame(text);
        }
      }
      const auto agreed = compressed ? std::optional(websocket::DeflateParameters{}) : std::nullopt;
      ReceiverWorld world(channel_options(), agreed);
      for (std::size_t at = 0; at < stream.size();) {
        const std::size_t size = 1 + random() % 90;
        const auto outcome = world.receive(std::string_view(stream).substr(at, size));
        ASSERT_FALSE(outcome.violation) << outcome.violation->reason;
        at += size;
      }
      ASSERT_EQ(world.messages(), expected);
    }
  }
}

TEST(Receiver, MessagesBeforeACloseFrameInTheSameReadAreKeptAndThoseBehindAreNot) {
  for (const bool compressed : {false, true}) {
    const auto agreed = compressed ? std::optional(websocket::DeflateParameters{}) : std::nullopt;
    ReceiverWorld world(channel_options(), agreed);
    const auto outcome =
        world.receive(text_frame("before") + close_frame(1000) + text_frame("behind"));
    EXPECT_TRUE(outcome.stopped);
    EXPECT_FALSE(outcome.violation);
    EXPECT_EQ(world.messages(), (Texts{"before"}));
    EXPECT_EQ(world.controls.size(), 1U);
    EXPECT_FALSE(world.receiver.in_message());
  }
}

TEST(Receiver, ViolationsStopItWithTheirCode) {
  const std::pair<std::string, int> cases[] = {
      {frame(Opcode::text, "x", true, true), 1002},
      {frame(Opcode::continuation, "x"), 1002},
      {std::string("\x83\x00", 2), 1002},
      {text_frame("\xFF"), 1007},
      {text_frame(std::string(4097, 'x')).substr(0, 4), 1009},
  };
  for (const auto& [bytes, code] : cases) {
    ReceiverWorld world;
    const auto outcome = world.receive(text_frame("before") + bytes);
    EXPECT_TRUE(outcome.stopped);
    ASSERT_TRUE(outcome.violation);
    EXPECT_EQ(static_cast<int>(outcome.violation->code), code);
    EXPECT_EQ(world.messages(), (Texts{"before"}));
  }
}

TEST(Receiver, WhatInflatesBeyondTheLimitIsRefusedAndWhatDoesNotInflateToo) {
  ReceiverWorld world(channel_options(), websocket::DeflateParameters{});
  Compressor compress;
  auto outcome = world.receive(compress(std::string(4096, 'x')));
  EXPECT_FALSE(outcome.violation);
  outcome = world.receive(compress(std::string(4097, 'x')));
  ASSERT_TRUE(outcome.violation);
  EXPECT_EQ(outcome.violation->code, websocket::CloseCode::message_too_big);
  EXPECT_EQ(world.messages().size(), 1U);

  ReceiverWorld other(channel_options(), websocket::DeflateParameters{});
  outcome = other.receive(frame(Opcode::text, "\x07\x07\x07\x07", true, true));
  ASSERT_TRUE(outcome.violation);
  EXPECT_EQ(outcome.violation->code, websocket::CloseCode::invalid_payload);
}

TEST(Receiver, EarlyBytesGoOnWithWhatIsReadBehindThem) {
  for (const bool compressed : {false, true}) {
    const auto agreed = compressed ? std::optional(websocket::DeflateParameters{}) : std::nullopt;
    ReceiverWorld world(channel_options(), agreed);
    const std::string stream = text_frame("early") + text_frame("cut in two");
    const auto outcome = world.receiver.take_early(as_payload(stream).first(12), 5);
    EXPECT_FALSE(outcome.stopped);
    EXPECT_EQ(world.messages(), (Texts{"early"}));
    EXPECT_TRUE(world.receiver.in_message());
    world.receive(std::string_view(stream).substr(12));
    EXPECT_EQ(world.messages(), (Texts{"early", "cut in two"}));
    EXPECT_EQ(world.channel.ring().entry(1).time_ns, 5U);
    EXPECT_EQ(world.statistics.wire_bytes_in, stream.size());
  }
}

/// Messages `from`..`to` of that size, all different.
std::string numbered(int number, std::size_t size) {
  std::string text = std::to_string(number) + ":";
  text.resize(std::max(size, text.size()), static_cast<char>('a' + number % 26));
  return text;
}

/// A reader with a small socket holds the ring, reads bit by bit, and gets everything in the end.
void expect_nothing_lost(ReceiverWorld& world, const std::string& stream, const Texts& expected) {
  LocalApp app(world.environment, world.channel, 4096);
  Peer(world.pipe).send(stream);
  int stalls = 0;
  std::size_t last = 0;
  for (int idle = 0; idle < 3;) {
    const auto outcome = world.receive_all();
    ASSERT_FALSE(outcome.stopped);
    if (outcome.stalled) {
      ++stalls;
      // Nothing more is read of upstream meanwhile.
      const std::size_t left = world.pipe->to_us.size();
      EXPECT_TRUE(world.receive().stalled);
      EXPECT_EQ(world.pipe->to_us.size(), left);
    }
    app.read(3000);
    world.environment.run_for(std::chrono::milliseconds(0));
    idle = app.ears.heard.size() > last || outcome.stalled ? 0 : idle + 1;
    last = app.ears.heard.size();
  }
  EXPECT_GT(stalls, 0);
  EXPECT_GT(world.resumed, 0);
  EXPECT_EQ(app.ears.heard, expected);
  EXPECT_EQ(world.channel.statistics().lost_messages, 0U);
}

TEST(Receiver, StallsForAReaderAndLosesNothing) {
  ReceiverWorld world(channel_options(1h));
  std::string stream;
  Texts expected;
  for (int i = 0; i < 400; ++i) {
    const std::string text = i % 10 == 3 ? "" : numbered(i, 1000);
    stream += text_frame(text);
    expected.push_back("text:" + text);
  }
  expect_nothing_lost(world, stream, expected);
}

TEST(Receiver, StallsWithCompressionForAReaderAndLosesNothing) {
  ReceiverWorld world(channel_options(1h), websocket::DeflateParameters{});
  Compressor compress;
  std::string stream;
  Texts expected;
  for (int i = 0; i < 400; ++i) {
    const std::string text = i % 10 == 3 ? "" : numbered(i, i % 2 == 0 ? 4096 : 700);
    stream += compress(text);
    if (i % 50 == 7) {
      stream += text_frame("plain");
    }
    expected.push_back("text:" + text);
    if (i % 50 == 7) expected.emplace_back("text:plain");
  }
  ASSERT_LT(stream.size(), 60'000U);  // one read inflates to many times the ring
  expect_nothing_lost(world, stream, expected);
}

TEST(Receiver, AnEmptyMessageThatHasToWaitIsNotForgotten) {
  // Empty frames until the ring's index, not its bytes, is full of what the reader holds.
  ReceiverWorld world(channel_options(1h), websocket::DeflateParameters{});
  std::string stream;
  Texts expected;
  for (int i = 0; i < 30'000; ++i) {
    stream += text_frame("");
    expected.emplace_back("text:");
  }
  stream += text_frame("end");
  expected.emplace_back("text:end");
  expect_nothing_lost(world, stream, expected);
}

TEST(Receiver, ACloseFrameBehindWhatHadToWaitIsReadInItsTurn) {
  ReceiverWorld world(channel_options(1h), websocket::DeflateParameters{});
  Compressor compress;
  LocalApp app(world.environment, world.channel, 4096);
  std::string stream;
  for (int i = 0; i < 100; ++i) stream += compress(numbered(i, 4096));
  Peer(world.pipe).send(stream + close_frame(1000) + text_frame("behind"));
  auto outcome = world.receive_all();
  ASSERT_TRUE(outcome.stalled);
  EXPECT_TRUE(world.controls.empty());
  for (int i = 0; i < 10'000 && !outcome.stopped; ++i) {
    while (app.read()) world.environment.run_for(std::chrono::milliseconds(0));
    outcome = world.receive_all();
  }
  EXPECT_TRUE(outcome.stopped);
  EXPECT_EQ(world.controls.size(), 1U);
  world.channel.deliver();
  while (app.read()) world.environment.run_for(std::chrono::milliseconds(0));
  EXPECT_EQ(app.ears.heard.size(), 100U);
}

TEST(Receiver, AReaderThatIsNotWaitedForIsLappedAndUpstreamIsReadOn) {
  for (const bool compressed : {false, true}) {
    const auto agreed = compressed ? std::optional(websocket::DeflateParameters{}) : std::nullopt;
    ReceiverWorld world(channel_options(std::chrono::milliseconds(0)), agreed);
    LocalApp app(world.environment, world.channel, 4096);
    std::string stream;
    for (int i = 0; i < 400; ++i) stream += text_frame(numbered(i, 1000));
    Peer(world.pipe).send(stream);
    EXPECT_FALSE(world.receive_all().stalled);
    EXPECT_EQ(world.statistics.messages_in, 400U);
    EXPECT_EQ(world.messages().back(), numbered(399, 1000));
  }
}

}  // namespace
}  // namespace wskeep::upstream
