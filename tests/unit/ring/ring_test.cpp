#include "ring/ring.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

namespace wskeep::ring {
namespace {

/// Writes a frame of `size` bytes, all of them `fill`, as the writer does.
void append(Ring& ring, std::size_t size, unsigned char fill, std::uint64_t time_ns = 7) {
  ring.make_room(size);
  std::memset(ring.unwritten(), fill, size);
  ring.commit(1, 2, size, time_ns);
}

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(Ring, IsEmptyAtFirst) {
  const Ring ring({.history = 1000, .max_message = 100}, 42);
  EXPECT_EQ(ring.epoch(), 42U);
  EXPECT_EQ(ring.first(), 1U);
  EXPECT_EQ(ring.next(), 1U);
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.used(), 0U);
  EXPECT_EQ(ring.sequence_at(0), 1U);
}

TEST(Ring, HoldsTheLargestMessageHoweverSmallTheHistory) {
  const Ring ring({.history = 4096, .max_message = 1U << 20U}, 1);
  EXPECT_GE(ring.capacity(), (1U << 20U) + Ring::headroom);
}

TEST(Ring, KeepsWhatFits) {
  Ring ring({.history = 40960, .max_message = 100}, 1);
  for (int message = 0; message < 10; ++message)
    append(ring, 1000, static_cast<unsigned char>('a' + message));
  EXPECT_EQ(ring.first(), 1U);
  EXPECT_EQ(ring.next(), 11U);
  EXPECT_EQ(ring.used(), 10'000U);
  EXPECT_EQ(text(ring.bytes(ring.position(3), ring.position(4))), std::string(1000, 'c'));
  EXPECT_EQ(ring.entry(3).payload_size(), 998U);
  EXPECT_EQ(text(ring.payload(ring.entry(10))), std::string(998, 'j'));
}

TEST(Ring, SpansAcrossTheSeamAreContiguous) {
  Ring ring({.history = 40960, .max_message = 100}, 1);
  const std::size_t size = ring.capacity() / 3 + 1;  // the third message crosses the seam
  append(ring, size, 'a');
  append(ring, size, 'b');
  append(ring, size, 'c');
  EXPECT_EQ(ring.first(), 2U) << "the first one was overwritten";
  EXPECT_EQ(text(ring.bytes(ring.position(2), ring.end())),
            std::string(size, 'b') + std::string(size, 'c'));
}

TEST(Ring, MakeRoomForgetsOnlyWhatIsInTheWay) {
  Ring ring({.history = 40960, .max_message = 100}, 1);
  const std::size_t size = ring.capacity() / 4;
  for (int message = 0; message < 4; ++message) append(ring, size, 'x');
  EXPECT_EQ(ring.first(), 1U);
  EXPECT_EQ(ring.first_after(1), 2U);
  EXPECT_EQ(ring.first_after(size), 2U);
  EXPECT_EQ(ring.first_after(size + 1), 3U);
  ring.make_room(0);
  EXPECT_EQ(ring.first(), 1U);
  ring.make_room(ring.capacity());
  EXPECT_TRUE(ring.empty());
  EXPECT_EQ(ring.next(), 5U);
}

TEST(Ring, RoomCountsBytesAndIndexSlots) {
  Ring ring({.history = 40960, .max_message = 100}, 1);
  EXPECT_LE(ring.room(1, 0), ring.capacity());
  EXPECT_GT(ring.room(1, 0), 0U);
  append(ring, 1000, 'x');
  const std::size_t before = ring.room(1, 0);
  EXPECT_EQ(ring.room(1, 100), std::min(before, ring.capacity() - 1100));
  EXPECT_GE(ring.room(2, 0), before);
  // Whatever is received within the room, message 1 stays.
  std::size_t room = ring.room(1, 0);
  while (room >= 2) {
    append(ring, 2, 'y');
    room -= 2;
  }
  EXPECT_EQ(ring.first(), 1U);
  EXPECT_LT(ring.room(1, 0), 2U);
  append(ring, 2, 'y');
  EXPECT_EQ(ring.first(), 1U) << "one slot is for what is pending";
  EXPECT_EQ(ring.room_for_one(1), 0U);
  append(ring, 2, 'y');
  EXPECT_EQ(ring.first(), 2U) << "the index was full";
}

TEST(Ring, ManyTinyMessagesAreLimitedByTheIndex) {
  Ring ring({.history = 1U << 20U, .max_message = 100}, 1);
  for (int message = 0; message < 100'000; ++message) append(ring, 2, 'x');
  EXPECT_EQ(ring.next(), 100'001U);
  EXPECT_GT(ring.next() - ring.first(), 10'000U);
  EXPECT_EQ(ring.entry(ring.first()).position, (ring.first() - 1) * 2);
}

TEST(Ring, AgreesWithADequeOverRandomHistories) {
  std::mt19937_64 random(20260131);
  for (int round = 0; round < 50; ++round) {
    Ring ring({.history = 4096 * (1 + random() % 20), .max_message = 5000}, 1);
    struct Kept {
      Sequence sequence;
      Position position;
      std::size_t size;
      unsigned char fill;
    };
    std::deque<Kept> model;
    Position end = 0;
    for (Sequence sequence = 1; sequence <= 500; ++sequence) {
      const std::size_t size = 2 + random() % (random() % 8 == 0 ? 5000 : 90);
      const auto fill = static_cast<unsigned char>(random());
      append(ring, size, fill, sequence);
      model.push_back({sequence, end, size, fill});
      end += size;
      while (model.front().sequence < ring.first()) model.pop_front();
      ASSERT_EQ(model.front().sequence, ring.first());
      ASSERT_LE(end - model.front().position, ring.capacity());
      const Kept& probe = model[random() % model.size()];
      const Entry& entry = ring.entry(probe.sequence);
      ASSERT_EQ(entry.position, probe.position);
      ASSERT_EQ(entry.size, probe.size);
      ASSERT_EQ(entry.time_ns, probe.sequence);
      const auto bytes = ring.bytes(entry.position, entry.position + entry.size);
      ASSERT_TRUE(std::all_of(bytes.begin(), bytes.end(),
                              [&](std::byte byte) { return byte == std::byte{probe.fill}; }));
      ASSERT_EQ(ring.sequence_at(probe.position + random() % probe.size), probe.sequence);
    }
    ASSERT_EQ(ring.sequence_at(ring.end()), ring.next());
  }
}

void append_part(Ring& ring, Part part, std::size_t size = 10) {
  ring.make_room(size);
  ring.commit_part(part, 1, 2, size, 1);
}

TEST(Parts, AreNumberedAndFound) {
  Ring ring({.history = 4096, .max_message = 100}, 1);
  append_part(ring, Part::first);
  EXPECT_TRUE(ring.message_open());
  EXPECT_TRUE(ring.continues_at(2));
  append_part(ring, Part::more);
  append_part(ring, Part::last);
  EXPECT_FALSE(ring.message_open());
  EXPECT_FALSE(ring.continues_at(4));
  append(ring, 20, 1, 1);
  EXPECT_EQ(ring.begin_from(1), 1U);
  EXPECT_EQ(ring.begin_from(2), 4U);
  EXPECT_EQ(ring.begin_from(5), 5U);
  EXPECT_TRUE(ring.continues_at(2));
  EXPECT_TRUE(ring.continues_at(3));
  EXPECT_FALSE(ring.continues_at(4));
  EXPECT_EQ(ring.entry(3).opcode, 1U) << "that of the message";
}

TEST(Parts, OfAMessageThatIsBrokenOff) {
  Ring ring({.history = 4096, .max_message = 100}, 1);
  EXPECT_FALSE(ring.break_off());
  append(ring, 20, 1, 1);
  append_part(ring, Part::first);
  append_part(ring, Part::more);
  const auto broken = ring.break_off();
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->first, 2U);
  EXPECT_EQ(broken->end, 4U);
  EXPECT_EQ(ring.entry(3).broken_off, 1U);
  EXPECT_FALSE(ring.message_open());
  EXPECT_FALSE(ring.break_off()) << "once";
  ASSERT_EQ(ring.broken_off().size(), 1U);
  // They are forgotten with the messages.
  for (int i = 0; i < 100; ++i) append(ring, 2'000, 1, 1);
  append_part(ring, Part::first);
  ASSERT_TRUE(ring.break_off());
  EXPECT_EQ(ring.broken_off().size(), 1U);
}

TEST(Layout, IsWhatTheDocumentSays) {
  Memory memory(10'000, 1000);
  const auto* base = reinterpret_cast<const std::byte*>(&memory.header());
  const auto word = [&](std::size_t offset) {
    std::uint64_t value = 0;
    std::memcpy(&value, base + offset, sizeof value);
    return value;
  };
  EXPECT_EQ(std::memcmp(base, "WKSRING", 8), 0);
  EXPECT_EQ(word(8) & 0xFFFFFFFFU, 2U) << "version";
  EXPECT_EQ(word(8) >> 32U, 128U) << "bytes of the header";
  EXPECT_EQ(word(24), 1024U) << "index slots";
  EXPECT_EQ(word(32) % 4096, 0U) << "where the data begins";
  EXPECT_EQ(word(40), 12'288U) << "bytes of data";
  EXPECT_EQ(reinterpret_cast<const std::byte*>(memory.index()) - base, 128);
  EXPECT_EQ(memory.data() - base, static_cast<std::ptrdiff_t>(word(32)));
  memory.data()[5] = std::byte{99};
  EXPECT_EQ(memory.data()[12'288 + 5], std::byte{99}) << "the second mapping";
}

}  // namespace
}  // namespace wskeep::ring
