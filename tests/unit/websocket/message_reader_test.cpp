#include "websocket/message_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "streams.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;

constexpr MaskingKey key{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}};

struct Collector {
  void on_message(Opcode opcode, std::span<std::byte> payload) {
    events.push_back({opcode, text_of(payload)});
    last = payload.data();
  }
  void on_control(Opcode opcode, std::span<const std::byte> payload) {
    events.push_back({opcode, text_of(payload)});
  }

  std::vector<Event> events;
  const std::byte* last = nullptr;
};

struct Reading {
  explicit Reading(MessageReader::Options options, Inflater* inflater = nullptr)
      : reader(options, inflater) {}

  void receive(std::span<const std::byte> piece) {
    Bytes copy(piece.begin(), piece.end());
    result = reader.read(copy, collector);
    if (!result.stopped) {
      EXPECT_EQ(result.consumed, piece.size());
    }
  }

  void receive_in_pieces(const Bytes& stream, std::vector<std::size_t> cuts) {
    std::ranges::sort(cuts);
    std::size_t from = 0;
    cuts.push_back(stream.size());
    for (const std::size_t cut : cuts) {
      receive(std::span(stream).subspan(from, cut - from));
      from = cut;
    }
  }

  MessageReader reader;
  Collector collector;
  MessageReader::Result result;
};

std::vector<std::size_t> random_cuts(std::mt19937& random, std::size_t size) {
  std::vector<std::size_t> cuts(random_below(random, 6));
  for (std::size_t& cut : cuts) cut = random_below(random, size + 1);
  return cuts;
}

TEST(MessageReader, BothRolesAtRandomSplits) {
  std::mt19937 random(21);
  for (int round = 0; round < 3000; ++round) {
    const bool server = round % 2 == 0;
    const StreamWriter writer = random_stream(random, 1 + random_below(random, 6), round % 60 < 2,
                                              server ? std::optional(key) : std::nullopt);
    Reading reading({.role = server ? Role::server : Role::client});
    reading.receive_in_pieces(writer.stream, random_cuts(random, writer.stream.size()));
    ASSERT_EQ(reading.collector.events, writer.events) << round;
    ASSERT_FALSE(reading.result.stopped);
    ASSERT_FALSE(reading.reader.in_message());
  }
}

TEST(MessageReader, EverySplit) {
  std::mt19937 random(22);
  for (int round = 0; round < 40; ++round) {
    const StreamWriter writer = random_stream(random, 3, false, key);
    for (std::size_t cut = 0; cut <= writer.stream.size(); ++cut) {
      Reading reading({.role = Role::server});
      reading.receive_in_pieces(writer.stream, {cut});
      ASSERT_EQ(reading.collector.events, writer.events) << round << " at " << cut;
    }
  }
}

TEST(MessageReader, ByteByByte) {
  std::mt19937 random(23);
  const StreamWriter writer = random_stream(random, 20, false, key);
  Reading reading({.role = Role::server});
  for (const std::byte& byte : writer.stream) reading.receive({&byte, 1});
  EXPECT_EQ(reading.collector.events, writer.events);
}

TEST(MessageReader, WholeFrameIsHandedOnWithoutACopy) {
  StreamWriter writer(key);
  writer.message(Opcode::text, {300});
  MessageReader reader({.role = Role::server});
  Collector collector;
  reader.read(writer.stream, collector);
  EXPECT_EQ(collector.last, writer.stream.data() + 8);
}

/// The messages of `writer`, compressed and cut into fragments at random.
Bytes compressed_stream(std::mt19937& random, Deflater& deflater,
                        const std::vector<Event>& events) {
  StreamWriter writer(key);
  for (const Event& event : events) {
    Bytes payload;
    EXPECT_TRUE(deflater.compress(bytes_of(event.payload), payload));
    const std::size_t cut = random_below(random, payload.size() + 1);
    if (random_below(random, 2) == 0) {
      writer.frame(event.opcode, payload, true, true);
    } else {
      writer.frame(event.opcode, std::span(payload).first(cut), false, true);
      writer.control(Opcode::ping, "");
      writer.frame(Opcode::continuation, std::span(payload).subspan(cut), true);
    }
  }
  return writer.stream;
}

TEST(MessageReader, CompressedAtRandomSplits) {
  std::mt19937 random(24);
  for (int round = 0; round < 400; ++round) {
    const bool forget = round % 2 == 0;
    const int bits = 8 + round % 8;
    std::vector<Event> events = random_stream(random, 5, round % 50 == 0).events;
    std::erase_if(events, [](const Event& event) { return is_control(event.opcode); });
    Deflater deflater(bits, forget);
    Inflater inflater(bits, forget);
    const Bytes stream = compressed_stream(random, deflater, events);
    Reading reading({.role = Role::server}, &inflater);
    reading.receive_in_pieces(stream, random_cuts(random, stream.size()));
    std::erase_if(reading.collector.events,
                  [](const Event& event) { return is_control(event.opcode); });
    ASSERT_EQ(reading.collector.events, events) << round;
    ASSERT_FALSE(reading.result.stopped);
  }
}

TEST(MessageReader, PlainMessagesBetweenCompressedOnes) {
  Deflater deflater(15, false);
  Inflater inflater(15, false);
  Bytes payload;
  ASSERT_TRUE(deflater.compress(bytes_of("Hello"), payload));
  StreamWriter writer(key);
  writer.frame(Opcode::text, payload, true, true);
  writer.frame(Opcode::text, bytes_of("plain"), true);
  Reading reading({.role = Role::server}, &inflater);
  reading.receive(writer.stream);
  EXPECT_EQ(reading.collector.events,
            (std::vector<Event>{{Opcode::text, "Hello"}, {Opcode::text, "plain"}}));
}

TEST(MessageReader, BombIsStoppedAtTheLimit) {
  Deflater deflater(15, false);
  Bytes payload;
  ASSERT_TRUE(deflater.compress(Bytes(50U << 20U), payload));
  ASSERT_LT(payload.size(), 60'000U);
  Inflater inflater(15, false);
  StreamWriter writer(key);
  writer.frame(Opcode::binary, payload, true, true);
  Reading reading({.role = Role::server, .max_message = 100'000}, &inflater);
  reading.receive(writer.stream);
  ASSERT_TRUE(reading.result.violation);
  EXPECT_EQ(reading.result.violation->code, CloseCode::message_too_big);
  EXPECT_TRUE(reading.collector.events.empty());
}

TEST(MessageReader, CompressedBytesThatYieldNothingAreBounded) {
  Inflater inflater(15, false);
  Reading reading({.role = Role::client, .max_message = 1000}, &inflater);
  Bytes empty_blocks;
  for (int i = 0; i < 20; ++i) {
    for (const std::byte byte : hex("000000ffff")) empty_blocks.push_back(byte);
  }
  StreamWriter writer;
  writer.frame(Opcode::binary, empty_blocks, false, true);
  for (int i = 0; i < 30; ++i) writer.frame(Opcode::continuation, empty_blocks, false);
  reading.receive(writer.stream);
  ASSERT_TRUE(reading.result.violation);
  EXPECT_EQ(reading.result.violation->code, CloseCode::message_too_big);
}

struct OneAtATime : Collector {
  bool on_message(Opcode opcode, std::span<std::byte> payload) {
    Collector::on_message(opcode, payload);
    return false;
  }
};

TEST(MessageReader, HandlerCanStopAndGoOnLater) {
  std::mt19937 random(25);
  const StreamWriter writer = random_stream(random, 12, false, key);
  Bytes stream = writer.stream;
  MessageReader reader({.role = Role::server});
  OneAtATime handler;
  std::span<std::byte> rest(stream);
  for (std::size_t messages = 1; !rest.empty(); ++messages) {
    const MessageReader::Result result = reader.read(rest, handler);
    ASSERT_FALSE(result.stopped);
    const auto count = std::ranges::count_if(handler.events,
                                             [](auto& event) { return !is_control(event.opcode); });
    ASSERT_LE(static_cast<std::size_t>(count), messages);
    rest = rest.subspan(result.consumed);
  }
  EXPECT_EQ(handler.events, writer.events);
}

CloseCode refused(const Bytes& stream, MessageReader::Options options,
                  Inflater* inflater = nullptr) {
  Reading reading(options, inflater);
  for (const std::byte& byte : stream) {
    if (!reading.result.stopped) reading.receive({&byte, 1});
  }
  EXPECT_TRUE(reading.result.stopped);
  return reading.result.violation.value_or(Violation{CloseCode::normal, ""}).code;
}

TEST(MessageReader, Violations) {
  const MessageReader::Options server{
      .role = Role::server, .max_message = 1000, .max_fragments = 3};
  const MessageReader::Options client{
      .role = Role::client, .max_message = 1000, .max_fragments = 3};
  const std::string mask = " 00000000 ";
  EXPECT_EQ(refused(hex("8101 41"), server), CloseCode::protocol_error);  // not masked
  EXPECT_EQ(refused(hex("8181" + mask + "41"), client), CloseCode::protocol_error);
  for (const char* stream :
       {"c101 41", "a101 41", "8300", "0900", "897e 007e", "8000", "0101 41 8101 42", "817e 007d",
        "827f 000000000000ffff", "827f 8000000000000000"}) {
    EXPECT_EQ(refused(hex(stream), client), CloseCode::protocol_error) << stream;
  }
  EXPECT_EQ(refused(hex("8102 c328"), client), CloseCode::invalid_payload);
  EXPECT_EQ(refused(hex("827e 03e9"), client), CloseCode::message_too_big);
  EXPECT_EQ(refused(hex("827f 7fffffffffffffff"), client), CloseCode::message_too_big);
  EXPECT_EQ(refused(hex("0100 0000 0000 0000"), client), CloseCode::policy_violation);
}

TEST(MessageReader, CompressionViolations) {
  const MessageReader::Options client{.role = Role::client};
  Inflater inflater(15, false);
  EXPECT_EQ(refused(hex("c900"), client, &inflater), CloseCode::protocol_error);
  EXPECT_EQ(refused(hex("4101 00 c001 00"), client, &inflater), CloseCode::protocol_error);
  Inflater broken(15, false);
  EXPECT_EQ(refused(hex("c104 ffffffff"), client, &broken), CloseCode::invalid_payload);
  Inflater cut(15, false);
  EXPECT_EQ(refused(hex("c104 f248cdc9"), client, &cut), CloseCode::invalid_payload);
}

TEST(MessageReader, NothingIsReadAfterClose) {
  Reading reading({.role = Role::client});
  reading.receive(hex("8101 41 8802 03e8 8101 42"));
  EXPECT_TRUE(reading.result.stopped);
  EXPECT_FALSE(reading.result.violation);
  EXPECT_EQ(reading.result.consumed, 7U);
  EXPECT_EQ(reading.collector.events.size(), 2U);
  reading.receive(hex("8101 42"));
  EXPECT_EQ(reading.collector.events.size(), 2U);
}

TEST(MessageReader, Utf8CanBeLeftToTheCaller) {
  Reading reading({.role = Role::client, .validate_utf8 = false});
  reading.receive(hex("8102 c328"));
  EXPECT_EQ(reading.collector.events, (std::vector<Event>{{Opcode::text, "\xC3\x28"}}));
}

TEST(MessageReader, InMessage) {
  StreamWriter writer(key);
  writer.message(Opcode::text, {4, 0});
  Reading reading({.role = Role::server});
  for (std::size_t i = 0; i < writer.stream.size(); ++i) {
    reading.receive(std::span(writer.stream).subspan(i, 1));
    EXPECT_EQ(reading.reader.in_message(), i + 1 < writer.stream.size()) << i;
  }
}

}  // namespace
}  // namespace wskeep::websocket
