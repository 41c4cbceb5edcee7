#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "streams.hpp"
#include "websocket/deflate.hpp"
#include "websocket/message_reader.hpp"
#include "websocket/utf8.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;

/// Puts parts together again, and checks that each is what it says to be.
struct Joiner {
  bool on_message(Opcode opcode, std::span<std::byte> payload) {
    EXPECT_FALSE(open);
    messages.push_back({opcode, text_of(payload)});
    sizes.push_back({payload.size()});
    return --patience != 0;
  }
  bool on_part(MessageReader::Part part, std::span<std::byte> payload) {
    EXPECT_EQ(part.first, !open);
    if (part.first) {
      messages.push_back({part.opcode, ""});
      sizes.emplace_back();
    }
    EXPECT_EQ(part.opcode, messages.back().opcode);
    if (part.opcode == Opcode::text) {
      EXPECT_TRUE(is_valid_utf8(payload));
    }
    messages.back().payload += text_of(payload);
    sizes.back().push_back(payload.size());
    open = !part.last;
    return --patience != 0;
  }
  void on_control(Opcode opcode, std::span<const std::byte> /*payload*/) {
    controls.push_back(opcode);
  }

  std::vector<Event> messages;
  std::vector<std::vector<std::size_t>> sizes;
  std::vector<Opcode> controls;
  bool open = false;
  int patience = 0;  ///< after so many it takes no more; 0: it takes all
};

/// Reads a stream in pieces of that size; a handler that takes no more is asked again.
MessageReader::Result read(MessageReader& reader, Joiner& joiner, Bytes stream, std::size_t piece,
                           int patience = 0) {
  MessageReader::Result result;
  std::span<std::byte> rest(stream);
  while (!rest.empty() && !result.stopped) {
    auto input = rest.first(std::min(piece, rest.size()));
    rest = rest.subspan(input.size());
    for (;;) {
      joiner.patience = patience;
      result = reader.read(input, joiner);
      if (result.stopped) return result;
      input = input.subspan(result.consumed);
      if (patience == 0 || joiner.patience > 0) break;
    }
    EXPECT_TRUE(input.empty());
  }
  return result;
}

MessageReader frames_reader(std::uint64_t max_message, Inflater* inflater = nullptr) {
  return MessageReader({.max_message = max_message, .form = MessageReader::Form::frames}, inflater);
}

using Sizes = std::vector<std::vector<std::size_t>>;

TEST(MessageParts, FrameThatFitsIsWhole) {
  StreamWriter writer;
  writer.message(Opcode::text, {100});
  auto reader = frames_reader(100);
  Joiner joiner;
  read(reader, joiner, writer.stream, 7);
  EXPECT_EQ(joiner.messages, writer.events);
  EXPECT_EQ(joiner.sizes, Sizes{{100}});
}

TEST(MessageParts, EachFragmentIsAPart) {
  StreamWriter writer;
  writer.message(Opcode::binary, {10, 0, 20, 30, 0});
  auto reader = frames_reader(100);
  Joiner joiner;
  read(reader, joiner, writer.stream, 7);
  EXPECT_EQ(joiner.messages, writer.events);
  // An empty one in the middle says nothing; the last ends the message.
  EXPECT_EQ(joiner.sizes, (Sizes{{10, 20, 30, 0}}));
}

TEST(MessageParts, LargeFrameIsCutAsItComes) {
  StreamWriter writer;
  writer.message(Opcode::binary, {1000});
  auto reader = frames_reader(100);
  Joiner joiner;
  read(reader, joiner, writer.stream, 300);
  EXPECT_EQ(joiner.messages, writer.events);
  EXPECT_EQ(joiner.sizes, (Sizes{{296, 300, 300, 104}}));
}

TEST(MessageParts, OfALargerMessageAllIsHandedOnAtOnce) {
  StreamWriter writer(MaskingKey{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
  writer.message(Opcode::binary, {40, 40, 40, 10});
  MessageReader reader(
      {.role = Role::server, .max_message = 100, .form = MessageReader::Form::large_in_parts});
  Joiner joiner;
  read(reader, joiner, writer.stream, 10'000);
  EXPECT_EQ(joiner.messages, writer.events);
  EXPECT_EQ(joiner.sizes, (Sizes{{120, 10}}));
}

TEST(MessageParts, OfASmallerMessageNothingIsHandedOnBeforeItsEnd) {
  StreamWriter writer(MaskingKey{});
  writer.message(Opcode::binary, {40, 40, 20});
  MessageReader reader(
      {.role = Role::server, .max_message = 100, .form = MessageReader::Form::large_in_parts});
  Joiner joiner;
  Bytes stream = writer.stream;
  stream.pop_back();
  read(reader, joiner, stream, 10'000);
  EXPECT_TRUE(joiner.messages.empty());
  EXPECT_TRUE(reader.in_message());
}

TEST(MessageParts, TextIsCutBetweenCodePoints) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "a\u00e9\u20ac\U0001F600";
  for (std::size_t piece = 1; piece < 12; ++piece) {
    StreamWriter writer;
    // Two fragments that are cut within a code point, the second of them larger than fits.
    writer.frame(Opcode::text, bytes_of(text.substr(0, 49)), false);
    writer.frame(Opcode::continuation, bytes_of(text.substr(49, 300)), false);
    writer.frame(Opcode::continuation, bytes_of(text.substr(349)), true);
    auto reader = frames_reader(60);
    Joiner joiner;
    const auto result = read(reader, joiner, writer.stream, piece);
    EXPECT_FALSE(result.stopped) << piece;
    ASSERT_EQ(joiner.messages.size(), 1U);
    EXPECT_EQ(joiner.messages[0].payload, text);
    EXPECT_FALSE(joiner.open);
  }
}

TEST(MessageParts, BadTextIsRefusedWhereverItIs) {
  for (const std::string_view bad : {"\xff", "\xe2\x82", "\xed\xa0\x80"}) {
    StreamWriter writer;
    writer.frame(Opcode::text, bytes_of("good"), false);
    writer.frame(Opcode::continuation, bytes_of(bad), true);
    auto reader = frames_reader(60);
    Joiner joiner;
    const auto result = read(reader, joiner, writer.stream, 1000);
    ASSERT_TRUE(result.violation);
    EXPECT_EQ(result.violation->code, CloseCode::invalid_payload);
    EXPECT_TRUE(joiner.open);
  }
}

TEST(MessageParts, ControlFramesStandWithin) {
  StreamWriter writer;
  writer.message(Opcode::text, {10, 20}, true);
  auto reader = frames_reader(60);
  Joiner joiner;
  read(reader, joiner, writer.stream, 3);
  EXPECT_EQ(joiner.controls, std::vector<Opcode>{Opcode::ping});
  EXPECT_EQ(joiner.messages.back(), writer.events.back());
}

TEST(MessageParts, RandomStreamsComeOutAsTheyWent) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const StreamWriter writer = random_stream(random, 6, true);
    auto reader = frames_reader(1 + random_below(random, 70'000));
    Joiner joiner;
    read(reader, joiner, writer.stream, 1 + random_below(random, 100'000),
         static_cast<int>(random_below(random, 4)));
    std::vector<Event> expected;
    std::ranges::copy_if(writer.events, std::back_inserter(expected),
                         [](const Event& event) { return !is_control(event.opcode); });
    EXPECT_EQ(joiner.messages, expected);
  }
}

TEST(MessageParts, RandomMaskedStreamsLikewise) {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    const StreamWriter writer = random_stream(
        random, 6, true, MaskingKey{std::byte{9}, std::byte{8}, std::byte{7}, std::byte{6}});
    MessageReader reader({.role = Role::server,
                          .max_message = 1 + random_below(random, 70'000),
                          .form = MessageReader::Form::large_in_parts});
    Joiner joiner;
    read(reader, joiner, writer.stream, 1 + random_below(random, 100'000),
         static_cast<int>(random_below(random, 4)));
    std::vector<Event> expected;
    std::ranges::copy_if(writer.events, std::back_inserter(expected),
                         [](const Event& event) { return !is_control(event.opcode); });
    EXPECT_EQ(joiner.messages, expected);
  }
}

/// A message of `text`, compressed in pieces, each of which is a frame.
void append_compressed(StreamWriter& writer, Deflater& deflater, std::string_view text,
                       std::size_t piece) {
  bool first = true;
  do {
    const std::string_view part = text.substr(0, piece);
    text.remove_prefix(part.size());
    Bytes output;
    EXPECT_TRUE(deflater.compress_part(bytes_of(part), text.empty(), output));
    writer.frame(first ? Opcode::text : Opcode::continuation, output, text.empty(), first);
    first = false;
  } while (!text.empty());
}

TEST(MessageParts, InflatesPartByPart) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919 % 1000) + "\u20ac";
  const std::string bomb(3'000'000, 'x');
  for (const bool forget : {false, true}) {
    for (const std::size_t piece : {std::size_t{50}, std::size_t{4096}, text.size()}) {
      for (const int patience : {0, 1, 3}) {
        StreamWriter writer;
        Deflater deflater(15, forget);
        append_compressed(writer, deflater, "small", 100);
        append_compressed(writer, deflater, text, piece);
        append_compressed(writer, deflater, bomb, bomb.size());
        append_compressed(writer, deflater, "", 100);
        append_compressed(writer, deflater, "end", 100);
        Inflater inflater(15, forget);
        auto reader = frames_reader(10'000, &inflater);
        Joiner joiner;
        const auto result = read(reader, joiner, writer.stream, 5000, patience);
        EXPECT_FALSE(result.violation);
        ASSERT_EQ(joiner.messages.size(), 5U);
        EXPECT_EQ(joiner.messages[0].payload, "small");
        EXPECT_TRUE(joiner.messages[1].payload == text);
        EXPECT_TRUE(joiner.messages[2].payload == bomb);
        EXPECT_EQ(joiner.messages[3].payload, "");
        EXPECT_EQ(joiner.messages[4].payload, "end");
        for (const auto& sizes : joiner.sizes) {
          for (const std::size_t size : sizes) EXPECT_LE(size, 10'000U);
        }
      }
    }
  }
}

TEST(MessageParts, BrokenCompressionIsRefused) {
  StreamWriter writer;
  writer.frame(Opcode::text, bytes_of("\x07\xff\xff"), true, true);
  Inflater inflater(15, false);
  auto reader = frames_reader(100, &inflater);
  Joiner joiner;
  const auto result = read(reader, joiner, writer.stream, 100);
  ASSERT_TRUE(result.violation);
  EXPECT_EQ(result.violation->code, CloseCode::invalid_payload);
}

}  // namespace
}  // namespace wskeep::websocket
