#include "websocket/in_place_parser.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "streams.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;

constexpr auto canary = std::byte{0xA5};

/// Does what the ring does: memory that grows, the parser called with what is not yet given out.
/// Checks that messages lie densely, as shortest frames, and that nothing is written behind the
/// slack.
class Region {
 public:
  explicit Region(InPlaceParser::Limits limits = {}) : parser(limits) {}

  void on_message(FrameInPlace frame) {
    const std::byte* front = memory_.data() + given_;
    Violation violation;
    FrameHeader header;
    ASSERT_EQ(parse_header({front, frame.frame_size}, Role::client, header, violation),
              HeaderStatus::complete);
    EXPECT_TRUE(header.fin);
    EXPECT_FALSE(header.rsv1);
    EXPECT_EQ(header.opcode, frame.opcode);
    EXPECT_EQ(header.size, frame.header_size);
    ASSERT_EQ(header.size + header.payload_size, frame.frame_size);
    const std::span<const std::byte> payload(front + header.size, frame.frame_size - header.size);
    events.push_back({frame.opcode, text_of(payload)});
    given_ += frame.frame_size;
  }

  void on_control(Opcode opcode, std::span<const std::byte> payload) {
    events.push_back({opcode, text_of(payload)});
  }

  InPlaceParser::Result receive(std::span<const std::byte> piece) {
    const std::size_t start = given_;
    memory_.resize(start + remaining_);
    memory_.insert(memory_.end(), piece.begin(), piece.end());
    const std::size_t size = memory_.size() - start;
    memory_.resize(memory_.size() + InPlaceParser::slack);
    memory_.resize(memory_.size() + 256, canary);
    result = parser.parse(memory_.data() + start, size, *this);
    EXPECT_TRUE(
        std::all_of(memory_.end() - 256, memory_.end(), [](std::byte b) { return b == canary; }));
    EXPECT_EQ(result.consumed, given_ - start);
    EXPECT_LE(result.consumed + result.remaining, size + InPlaceParser::slack);
    remaining_ = result.remaining;
    longest_remaining = std::max(longest_remaining, remaining_);
    return result;
  }

  void receive_in_pieces(const Bytes& stream, const std::vector<std::size_t>& cuts) {
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
      receive(std::span(stream).subspan(from, cut - from));
      from = cut;
    }
    receive(std::span(stream).subspan(from));
  }

  /// All frames given out, as they lie there.
  [[nodiscard]] Bytes given() const {
    return {memory_.begin(), memory_.begin() + static_cast<std::ptrdiff_t>(given_)};
  }

  InPlaceParser parser;
  InPlaceParser::Result result;
  std::vector<Event> events;
  std::size_t longest_remaining = 0;

 private:
  Bytes memory_;
  std::size_t given_ = 0;
  std::size_t remaining_ = 0;
};

/// What must lie in memory: each message as one bare frame, nothing between.
Bytes dense(const std::vector<Event>& events) {
  Bytes frames;
  for (const Event& event : events) {
    if (!is_control(event.opcode))
      append_frame(frames, event.opcode, bytes_of(event.payload), std::nullopt);
  }
  return frames;
}

void expect_all_read(const Region& region, const StreamWriter& expected) {
  EXPECT_EQ(region.events, expected.events);
  EXPECT_EQ(region.given(), dense(expected.events));
  EXPECT_EQ(region.result.remaining, 0U);
  EXPECT_FALSE(region.result.violation);
  EXPECT_FALSE(region.parser.in_message());
}

Violation refused(const Bytes& stream, InPlaceParser::Limits limits = {}) {
  std::optional<Violation> first;
  for (const std::size_t piece : {stream.size(), std::size_t{1}}) {
    Region region(limits);
    for (std::size_t at = 0; at < stream.size() && !region.result.stopped; at += piece) {
      region.receive(std::span(stream).subspan(at, std::min(piece, stream.size() - at)));
    }
    EXPECT_TRUE(region.result.stopped);
    EXPECT_TRUE(region.result.violation);
    const Violation violation = region.result.violation.value_or(Violation{CloseCode::normal, ""});
    if (first) {
      EXPECT_EQ(first->code, violation.code);
    }
    first = violation;
  }
  return *first;
}

TEST(InPlaceParser, WholeMessagesAreNotTouched) {
  StreamWriter writer;
  writer.message(Opcode::text, {5});
  writer.message(Opcode::binary, {70'000});
  writer.message(Opcode::text, {0});
  Region region;
  region.receive(writer.stream);
  expect_all_read(region, writer);
  EXPECT_EQ(region.given(), writer.stream);
}

TEST(InPlaceParser, ShortStreamsAtEverySplit) {
  std::mt19937 random(7);
  for (int round = 0; round < 60; ++round) {
    const StreamWriter writer = random_stream(random, 3, false);
    for (std::size_t cut = 0; cut <= writer.stream.size(); ++cut) {
      Region region;
      region.receive_in_pieces(writer.stream, {cut});
      expect_all_read(region, writer);
      if (HasFailure()) FAIL() << "round " << round << " cut " << cut;
    }
  }
}

TEST(InPlaceParser, ByteByByte) {
  std::mt19937 random(8);
  for (int round = 0; round < 30; ++round) {
    const StreamWriter writer = random_stream(random, 6, false);
    Region region;
    for (const std::byte& byte : writer.stream) region.receive({&byte, 1});
    expect_all_read(region, writer);
  }
}

TEST(InPlaceParser, ThousandsOfStreamsAtRandomSplits) {
  std::mt19937 random(9);
  for (int round = 0; round < 4000; ++round) {
    const bool large = round % 40 == 0;
    const StreamWriter writer = random_stream(random, 1 + random_below(random, 8), large);
    std::vector<std::size_t> cuts(random_below(random, 6));
    for (std::size_t& cut : cuts) cut = random_below(random, writer.stream.size() + 1);
    std::ranges::sort(cuts);
    Region region;
    region.receive_in_pieces(writer.stream, cuts);
    expect_all_read(region, writer);
    if (HasFailure()) FAIL() << "round " << round;
  }
}

// Each of these messages needs 4 bytes more as one frame than it took as two, and they come in one
// call.
TEST(InPlaceParser, LongerHeadersRunIntoTheUnread) {
  StreamWriter writer;
  for (int i = 0; i < 7; ++i) writer.message(Opcode::binary, {65'535, 1});
  writer.message(Opcode::text, {3});
  ASSERT_LE(writer.stream.size(), InPlaceParser::max_input);
  Region region;
  region.receive(writer.stream);
  expect_all_read(region, writer);
  EXPECT_GT(region.given().size(), writer.stream.size());
}

TEST(InPlaceParser, WhatTheSlackCannotHoldWaitsForTheNextCall) {
  StreamWriter writer;
  for (int i = 0; i < 40; ++i) writer.message(Opcode::binary, {65'535, 1});
  Region region;
  region.receive(writer.stream);
  EXPECT_LT(region.events.size(), 40U);
  EXPECT_TRUE(region.parser.in_message());
  for (int i = 0; i < 5; ++i) region.receive({});
  expect_all_read(region, writer);
}

TEST(InPlaceParser, GrowthOfSixBytesAfterTheHoleWasClosed) {
  StreamWriter writer;
  writer.message(Opcode::binary, {100, 65'500, 30});
  writer.message(Opcode::text, {10});
  for (std::size_t tail = 0; tail < 60; ++tail) {
    Region region;
    region.receive_in_pieces(writer.stream, {writer.stream.size() - tail});
    expect_all_read(region, writer);
  }
}

TEST(InPlaceParser, InMessage) {
  StreamWriter writer;
  writer.message(Opcode::text, {4, 4});
  Region region;
  EXPECT_FALSE(region.parser.in_message());
  for (std::size_t i = 0; i < writer.stream.size(); ++i) {
    region.receive(std::span(writer.stream).subspan(i, 1));
    EXPECT_EQ(region.parser.in_message(), i + 1 < writer.stream.size()) << i;
  }
}

TEST(InPlaceParser, AnythingAfterCloseIsIgnored) {
  StreamWriter writer;
  writer.message(Opcode::text, {5});
  writer.control(Opcode::close, "\x03\xE8");
  const std::vector<Event> expected = writer.events;
  writer.message(Opcode::text, {6});
  Region region;
  EXPECT_TRUE(region.receive(writer.stream).stopped);
  EXPECT_FALSE(region.result.violation);
  EXPECT_EQ(region.events, expected);
  region.receive(writer.stream);
  EXPECT_EQ(region.events, expected);
}

TEST(InPlaceParser, MessagesBeforeAViolationAreGivenOut) {
  Bytes stream = hex("8101 41 8101 42 8301 43");
  Region region;
  region.receive(stream);
  EXPECT_EQ(region.events, (std::vector<Event>{{Opcode::text, "A"}, {Opcode::text, "B"}}));
  ASSERT_TRUE(region.result.violation);
  EXPECT_EQ(region.result.violation->code, CloseCode::protocol_error);
  EXPECT_FALSE(region.parser.in_message());
}

TEST(InPlaceParser, ProtocolErrors) {
  const char* const streams[] = {
      "8181 01020304 40",  // masked by a server
      "c101 41",
      "a101 41",
      "9101 41",  // RSV1 without an extension, RSV2, RSV3
      "8300",
      "8400",
      "8700",
      "8b00",
      "8f00",  // reserved opcodes
      "0900",
      "0a00",
      "0800",  // fragmented control frames
      "897e 007e",
      "8a7f",  // control frames over 125 bytes
      "8000",
      "0001 41",  // continuation of nothing
      "0101 41 8101 42",
      "0101 41 0201 42",  // a new message within another one
      "817e 007d",
      "827f 000000000000ffff",  // lengths not minimal
      "827f 8000000000000000",  // top bit
  };
  for (const char* stream : streams) {
    EXPECT_EQ(refused(hex(stream)).code, CloseCode::protocol_error) << stream;
  }
}

TEST(InPlaceParser, TextThatIsNotUtf8) {
  EXPECT_EQ(refused(hex("8102 c328")).code, CloseCode::invalid_payload);
  EXPECT_EQ(refused(hex("8101 e2")).code, CloseCode::invalid_payload);
  EXPECT_EQ(refused(hex("0101 e2 8001 82")).code, CloseCode::invalid_payload);
  Region region;
  region.receive(hex("0101 e2 0001 82 8001 ac 8202 c328"));
  EXPECT_EQ(region.events,
            (std::vector<Event>{{Opcode::text, "\xE2\x82\xAC"}, {Opcode::binary, "\xC3\x28"}}));
  EXPECT_FALSE(region.result.stopped);
}

TEST(InPlaceParser, SizeIsJudgedBeforeThePayloadComes) {
  const InPlaceParser::Limits limits{.max_message = 1000};
  EXPECT_EQ(refused(hex("827e 03e9"), limits).code, CloseCode::message_too_big);
  EXPECT_EQ(refused(hex("827f 7fffffffffffffff"), limits).code, CloseCode::message_too_big);
  StreamWriter parts;
  parts.frame(Opcode::binary, Bytes(600), false);
  parts.frame(Opcode::continuation, Bytes(401), false);
  parts.stream.resize(parts.stream.size() - 401);
  EXPECT_EQ(refused(parts.stream, limits).code, CloseCode::message_too_big);
  StreamWriter exact;
  exact.message(Opcode::binary, {600, 400});
  Region region(limits);
  region.receive(exact.stream);
  expect_all_read(region, exact);
}

TEST(InPlaceParser, FloodsAreBounded) {
  StreamWriter pings;
  for (int i = 0; i < 100'000; ++i) pings.control(Opcode::ping, "");
  pings.message(Opcode::text, {7});
  Region region;
  region.receive(pings.stream);
  expect_all_read(region, pings);

  Bytes empties = hex("0100");
  for (int i = 0; i < 100'000; ++i)
    append_frame(empties, Opcode::continuation, {}, std::nullopt, false, false);
  Region flooded;
  flooded.receive(empties);
  ASSERT_TRUE(flooded.result.violation);
  EXPECT_EQ(flooded.result.violation->code, CloseCode::policy_violation);
}

TEST(InPlaceParser, RemainingStaysWithinItsBound) {
  const InPlaceParser::Limits limits{.max_message = 70'000};
  StreamWriter writer;
  writer.frame(Opcode::binary, Bytes(70'000), false);
  writer.control(Opcode::ping, std::string(125, 'x'));
  Region region(limits);
  for (std::size_t at = 0; at < writer.stream.size(); at += 11) {
    region.receive(
        std::span(writer.stream).subspan(at, std::min<std::size_t>(11, writer.stream.size() - at)));
  }
  EXPECT_FALSE(region.result.stopped);
  EXPECT_GE(region.longest_remaining, limits.max_message);
  EXPECT_LE(region.longest_remaining, limits.max_message + InPlaceParser::max_overhead);
}

}  // namespace
}  // namespace wskeep::websocket
