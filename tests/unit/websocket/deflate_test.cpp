#include "websocket/deflate.hpp"

#include <gtest/gtest.h>

#include "streams.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;

constexpr std::size_t limit = 1U << 20U;

std::string inflated(Inflater& inflater, std::span<const std::byte> payload,
                     std::size_t piece = limit) {
  Bytes output;
  for (std::size_t at = 0; at < payload.size(); at += piece) {
    const auto violation =
        inflater.feed(payload.subspan(at, std::min(piece, payload.size() - at)), output, limit);
    if (violation) return violation->reason;
  }
  const auto violation = inflater.finish(output, limit);
  return violation ? violation->reason : text_of(output);
}

Bytes deflated(Deflater& deflater, std::string_view text) {
  Bytes output;
  EXPECT_TRUE(deflater.compress(bytes_of(text), output));
  return output;
}

// RFC 7692, section 7.2.3.
TEST(Deflate, ExamplesOfTheRfc) {
  Inflater inflater(15, false);
  EXPECT_EQ(inflated(inflater, hex("f2 48 cd c9 c9 07 00")), "Hello");
  EXPECT_EQ(inflated(inflater, hex("f2 00 11 00 00")), "Hello");  // shares the window
  EXPECT_EQ(inflated(inflater, hex("00 05 00 fa ff 48 65 6c 6c 6f 00")),
            "Hello");                                                      // not compressed
  EXPECT_EQ(inflated(inflater, hex("f3 48 cd c9 c9 07 00 00")), "Hello");  // BFINAL
  EXPECT_EQ(inflated(inflater, hex("f2 48 05 00 00 00 ff ff ca c9 c9 07 00")),
            "Hello");  // two blocks
  EXPECT_EQ(inflated(inflater, hex("00")), "");
  EXPECT_EQ(inflated(inflater, hex("f2 00 11 00 00")), "Hello");

  Deflater deflater(15, false);
  EXPECT_EQ(deflated(deflater, "Hello"), hex("f2 48 cd c9 c9 07 00"));
  EXPECT_EQ(deflated(deflater, "Hello"), hex("f2 00 11 00 00"));
  EXPECT_EQ(deflated(deflater, ""), hex("00"));
  Deflater forgetful(15, true);
  EXPECT_EQ(deflated(forgetful, "Hello"), hex("f2 48 cd c9 c9 07 00"));
  EXPECT_EQ(deflated(forgetful, "Hello"), hex("f2 48 cd c9 c9 07 00"));
}

TEST(Deflate, WindowSurvivesAFinalBlock) {
  Inflater inflater(15, false);
  EXPECT_EQ(inflated(inflater, hex("f3 48 cd c9 c9 07 00 00")), "Hello");
  EXPECT_EQ(inflated(inflater, hex("f2 00 11 00 00")), "Hello");
  EXPECT_EQ(inflated(inflater, hex("f3 48 cd c9 c9 07 00")),
            "Hello");  // and nothing behind it, as some send
  EXPECT_EQ(inflated(inflater, hex("f2 00 11 00 00")), "Hello");
}

std::string sample(std::mt19937& random, std::size_t size) {
  std::string text;
  while (text.size() < size) text += "price:" + std::to_string(random() % 5000) + ",";
  text.resize(size);
  return text;
}

// The window of the peer is exactly as agreed here, so that a distance too far fails: it gets its
// input in pieces of a byte.
TEST(Deflate, AllWindowBits) {
  std::mt19937 random(11);
  for (int bits = 8; bits <= 15; ++bits) {
    for (const bool forget : {false, true}) {
      Deflater deflater(bits, forget);
      Inflater inflater(bits, forget);
      for (const std::size_t size : {1U, 0U, 100U, 300U, 16'384U, 100'000U, 5U, 0U, 0U, 70'000U}) {
        const std::string text = sample(random, size);
        ASSERT_EQ(inflated(inflater, deflated(deflater, text), 1), text)
            << bits << " " << forget << " " << size;
      }
    }
  }
}

TEST(Deflate, IncompressibleDataOfEverySizeNearABlock) {
  std::mt19937 random(12);
  Deflater deflater(15, false);
  Inflater inflater(15, false);
  for (std::size_t size = 16'340; size < 16'400; ++size) {
    std::string text(size, ' ');
    for (char& letter : text) letter = static_cast<char>(random());
    ASSERT_EQ(inflated(inflater, deflated(deflater, text)), text) << size;
  }
}

TEST(Deflate, LimitIsExact) {
  const std::string text(100'000, 'z');
  Deflater deflater(15, true);
  const Bytes payload = deflated(deflater, text);
  for (const std::size_t allowed : {text.size(), text.size() - 1}) {
    Inflater inflater(15, true);
    Bytes output;
    auto violation = inflater.feed(payload, output, allowed);
    if (!violation) violation = inflater.finish(output, allowed);
    EXPECT_EQ(violation.has_value(), allowed < text.size());
    EXPECT_LE(output.size(), allowed);
    if (violation) {
      EXPECT_EQ(violation->code, CloseCode::message_too_big);
    }
  }
}

TEST(Deflate, MemoryStaysFlatUnderABomb) {
  Deflater deflater(15, true);
  Bytes payload;
  ASSERT_TRUE(deflater.compress(Bytes(64U << 20U), payload));
  ASSERT_LT(payload.size() * 900, 64U << 20U);
  Inflater inflater(15, true);
  Bytes output;
  const auto violation = inflater.feed(payload, output, 10'000);
  ASSERT_TRUE(violation);
  EXPECT_EQ(violation->code, CloseCode::message_too_big);
  EXPECT_LE(output.capacity(), 20'000U);
}

TEST(Deflate, BrokenData) {
  for (const char* payload :
       {"ff ff ff ff", "00 05 00 fa fe 48", "f2 48 cd", "00 06 00 f9 ff 48", "f2 00 11 00 00"}) {
    Inflater inflater(15, false);
    Bytes output;
    auto violation = inflater.feed(hex(payload), output, limit);
    if (!violation) violation = inflater.finish(output, limit);
    ASSERT_TRUE(violation) << payload;
    EXPECT_EQ(violation->code, CloseCode::invalid_payload);
  }
}

// However it is cut: too much, and broken behind that, is too much.
TEST(Deflate, LimitIsJudgedBeforeWhatIsBrokenBehindIt) {
  Deflater deflater(15, true);
  Bytes payload = deflated(deflater, std::string(5000, 'z'));
  payload.insert(payload.end(), 8, std::byte{0xFF});
  for (const std::size_t piece : {payload.size(), std::size_t{1}}) {
    Inflater inflater(15, true);
    Bytes output;
    std::optional<Violation> violation;
    for (std::size_t at = 0; at < payload.size() && !violation; at += piece) {
      violation = inflater.feed(std::span(payload).subspan(at, piece), output, 4096);
    }
    ASSERT_TRUE(violation);
    EXPECT_EQ(violation->code, CloseCode::message_too_big);
  }
}

TEST(Deflate, ForgetsWhereAgreed) {
  Inflater inflater(15, true);
  EXPECT_EQ(inflated(inflater, hex("f2 48 cd c9 c9 07 00")), "Hello");
  EXPECT_NE(inflated(inflater, hex("f2 00 11 00 00")), "Hello");
}

}  // namespace
}  // namespace wskeep::websocket
