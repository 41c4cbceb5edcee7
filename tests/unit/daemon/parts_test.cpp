// Messages in parts, in both directions, and messages that wait.

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "daemon/upstream/outbox.hpp"
#include "daemon/upstream/receiver.hpp"
#include "tests/unit/daemon/session_world.hpp"

namespace wskeep::upstream {
namespace {

using ring::Part;

struct PartsWorld : SessionWorld {
  PartsWorld() : SessionWorld(channel_options(0ms, 1000)) {
    settings.receive = config::Passing::stream;
    settings.send = config::Passing::stream;
    settings.keepalive.ping = 0ms;
  }

  /// What each entry of the ring is: "first:abc", "whole:abc".
  [[nodiscard]] Texts parts() const {
    constexpr std::array names{"whole", "first", "more", "last"};
    Texts texts;
    const ring::Ring& ring = channel.ring();
    for (auto sequence = ring.first(); sequence < ring.next(); ++sequence) {
      const ring::Entry& entry = ring.entry(sequence);
      texts.push_back(names[static_cast<std::size_t>(entry.part)] + std::string(":") +
                      as_text(ring.payload(entry)));
    }
    return texts;
  }

  std::string publish_part(std::string_view payload, bool first, bool last,
                           std::uint64_t token = 7) {
    const auto rejection =
        session->publish_part({Opcode::text, first, last}, as_payload(payload), publisher, token);
    session->flush();
    return rejection ? std::string(rejection->error) : "";
  }

  /// The server's ear for single frames: "text+:a" goes on, "cont.:b" is the last.
  Texts frames() {
    settle();
    heard += peer().take();
    Texts texts;
    while (heard.size() >= 6) {
      websocket::FrameHeader header;
      websocket::Violation violation;
      const auto bytes = std::as_bytes(std::span(heard));
      if (parse_header(bytes, websocket::Role::server, header, violation) !=
              websocket::HeaderStatus::complete ||
          heard.size() < header.size + header.payload_size) {
        break;
      }
      std::string payload = heard.substr(header.size, header.payload_size);
      websocket::apply_mask(std::as_writable_bytes(std::span(payload)), header.mask);
      heard.erase(0, header.size + header.payload_size);
      std::string name = header.opcode == Opcode::text           ? "text"
                         : header.opcode == Opcode::continuation ? "cont"
                         : header.opcode == Opcode::close        ? "close"
                                                                 : "other";
      if (header.opcode == Opcode::close) payload.clear();
      texts.push_back(name + (header.fin ? "." : "+") + ":" + payload);
    }
    return texts;
  }

  std::string heard;
};

TEST(ReceiverParts, FragmentsAreParts) {
  PartsWorld world;
  world.begin();
  world.say(frame(Opcode::text, "one", false));
  EXPECT_EQ(world.parts(), Texts{"first:one"});
  world.say(frame(Opcode::ping, "p") + frame(Opcode::continuation, "two", false));
  world.say(frame(Opcode::continuation, "three") + text_frame("whole"));
  EXPECT_EQ(world.parts(), (Texts{"first:one", "more:two", "last:three", "whole:whole"}));
  EXPECT_EQ(world.statistics.messages_in, 2U);
  EXPECT_EQ(world.statistics.bytes_in, 16U);
}

TEST(ReceiverParts, MessageThatStallsTimesOut) {
  PartsWorld world;
  world.settings.timeouts.message = 5s;
  world.settings.timeouts.receive = 60s;
  world.begin();
  for (int i = 0; i < 4; ++i) {
    world.say(frame(i == 0 ? Opcode::text : Opcode::continuation, "x", false));
    world.run_for(4s);
    EXPECT_FALSE(world.end) << "each part begins the time anew";
  }
  // Empty fragments say nothing.
  world.say(frame(Opcode::continuation, "", false));
  world.run_for(2s);
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.error(), daemon::Error::message_timeout);
  EXPECT_FALSE(world.channel.ring().message_open());
  EXPECT_EQ(world.channel.events().next(), 1U) << "readers are told";
  EXPECT_EQ(world.statistics.discarded_messages, 1U);
}

TEST(ReceiverParts, CompressedOnesWaitForReadersToo) {
  const websocket::DeflateParameters agreed;
  auto options = channel_options(10s, 1000);
  simulated::Environment environment;
  ipc::Channel channel(environment.executor(), options, 7);
  LocalApp app(environment, channel, 4096);
  struct Nobody final : ControlObserver {
    void on_control(Opcode /*opcode*/, std::span<const std::byte> /*payload*/) override {}
  } nobody;
  Statistics statistics;
  auto pipe = std::make_shared<simulated::Pipe>(environment.executor());
  simulated::Transport transport{pipe};
  Receiver receiver(channel, statistics, nobody, 1000, agreed, config::Passing::stream);
  websocket::Deflater deflater(15, false);
  const std::string text(2'000'000, 'x');
  std::vector<std::byte> output;
  ASSERT_TRUE(deflater.compress(as_payload(text), output));
  Peer(pipe).send(frame(Opcode::text, as_text(output), true, true));
  bool stalled = false;
  for (int i = 0; i < 10'000 && statistics.messages_in == 0; ++i) {
    stalled = receiver.receive(transport, 1).stalled || stalled;
    channel.deliver();
    while (app.read()) {
    }
    environment.run_for(0ms);
  }
  channel.deliver();
  while (app.read()) environment.run_for(0ms);
  EXPECT_TRUE(stalled);
  ASSERT_EQ(app.ears.heard.size(), 1U);
  EXPECT_TRUE(app.ears.heard[0] == "text:" + text);
}

TEST(SessionParts, NothingStandsWithin) {
  PartsWorld world;
  world.begin();
  EXPECT_EQ(world.publish_part("a", true, false), "");
  EXPECT_FALSE(world.session->accepts_more());
  EXPECT_TRUE(world.session->accepts_parts());
  EXPECT_EQ(world.publish("other", 8), "");
  EXPECT_EQ(world.publish_part("b", false, false), "");
  EXPECT_EQ(world.frames(), (Texts{"text+:a", "cont+:b"}));
  EXPECT_TRUE(world.publisher->told.empty());
  EXPECT_EQ(world.publish_part("c", false, true), "");
  EXPECT_EQ(world.frames(), (Texts{"cont.:c", "text.:other"}));
  EXPECT_EQ(world.publisher->told, (Texts{"written 7", "written 8"}));
  EXPECT_TRUE(world.session->accepts_more());
  EXPECT_EQ(world.statistics.messages_out, 2U);
}

TEST(SessionParts, PublisherThatStallsEndsTheSession) {
  PartsWorld world;
  world.settings.timeouts.publish = 3s;
  world.settings.timeouts.receive = 1h;
  world.begin();
  EXPECT_EQ(world.publish_part("a", true, false), "");
  world.run_for(2s);
  EXPECT_EQ(world.publish_part("b", false, false), "");
  EXPECT_EQ(world.publish("other", 8), "");
  world.run_for(2s);
  EXPECT_TRUE(world.session->open());
  world.run_for(2s);
  EXPECT_FALSE(world.session->open());
  EXPECT_EQ(world.frames(), (Texts{"text+:a", "cont+:b", "close.:"}));
  world.run_for(10s);
  EXPECT_EQ(world.error(), daemon::Error::publisher_gone);
  EXPECT_EQ(world.publisher->told, (Texts{"unknown 7 publisher_gone", "failed 8 publisher_gone"}));
}

TEST(SessionParts, OfAnEndedSessionAreRejected) {
  PartsWorld world;
  world.begin();
  EXPECT_EQ(world.publish_part("rest", false, true), "not_connected");
  EXPECT_EQ(world.publish_part("a", true, false), "");
  world.session->abandon_message(*std::make_shared<Publisher>());
  EXPECT_TRUE(world.session->open()) << "it is another's";
  world.session->abandon_message(*world.publisher);
  EXPECT_FALSE(world.session->open());
  EXPECT_EQ(world.publish_part("b", false, true), "not_connected");
}

TEST(SessionParts, AreCompressedAsOneMessage) {
  const websocket::DeflateParameters agreed;
  PartsWorld world;
  world.begin("", agreed);
  std::string whole;
  for (int i = 0; i < 10; ++i) {
    const std::string text(1000, static_cast<char>('a' + i));
    whole += text;
    EXPECT_EQ(world.publish_part(text, i == 0, i == 9), "");
  }
  EXPECT_EQ(world.publish(std::string(100, 'z'), 8), "");
  world.session->flush();
  EXPECT_EQ(world.hear(), (Texts{"text:" + whole, "text:" + std::string(100, 'z')}));
}

TEST(Outbox, KeepsOrderAndBounds) {
  simulated::Environment environment;
  Statistics statistics;
  config::Outbox settings{.messages = 3, .bytes = 10, .ttl = 5s};
  Outbox outbox(environment, settings, statistics);
  const auto publisher = std::make_shared<Publisher>();
  const auto add = [&](std::string_view text, std::uint64_t token) {
    const auto rejection = outbox.add(Opcode::text, as_payload(text), publisher, token);
    return rejection ? std::string(rejection->error) : "";
  };
  EXPECT_EQ(add("aaaa", 1), "");
  EXPECT_EQ(add("bbbbbbb", 2), "outbox_full");
  EXPECT_EQ(add("bbbbb", 2), "");
  EXPECT_EQ(add("", 3), "");
  EXPECT_EQ(add("", 4), "outbox_full");
  EXPECT_EQ(publisher->told, (Texts{"queued 1", "queued 2", "queued 3"}));
  EXPECT_EQ(outbox.bytes(), 9U);
  EXPECT_EQ(outbox.take().token, 1U);
  environment.run_for(4s);
  EXPECT_EQ(add("cc", 5), "");
  environment.run_for(2s);
  EXPECT_EQ(outbox.messages(), 1U);
  EXPECT_EQ(statistics.outbox_expired, 2U);
  environment.run_for(4s);
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(outbox.bytes(), 0U);
  EXPECT_EQ(publisher->told, (Texts{"queued 1", "queued 2", "queued 3", "queued 5",
                                    "failed 2 expired", "failed 3 expired", "failed 5 expired"}));
  // Shorter from now on, and then it is over.
  EXPECT_EQ(add("d", 6), "");
  settings.ttl = 1s;
  outbox.settings_changed();
  environment.run_for(1s);
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(add("e", 7), "");
  bool ended = false;
  ipc::Rejection reason{"not_connected", "it is over"};
  boost::asio::co_spawn(environment.executor(), outbox.end(std::move(reason)),
                        [&](const std::exception_ptr&) { ended = true; });
  environment.run_for(0ms);
  EXPECT_TRUE(ended);
  EXPECT_EQ(publisher->told.back(), "failed 7 not_connected");
}

}  // namespace
}  // namespace wskeep::upstream
