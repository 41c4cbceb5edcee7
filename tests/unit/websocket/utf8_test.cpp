#include "websocket/utf8.hpp"

#include <gtest/gtest.h>

#include "streams.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;

// Borders of RFC 3629, and texts of the kind that the Autobahn suite sends (6.x).
const std::string_view good[] = {
    "",
    "a",
    "\x7F",
    "\xC2\x80",
    "\xDF\xBF",
    "\xE0\xA0\x80",
    "\xED\x9F\xBF",
    "\xEE\x80\x80",
    "\xEF\xBF\xBF",
    "\xF0\x90\x80\x80",
    "\xF4\x8F\xBF\xBF",
    "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5",
    "\xEF\xBF\xBE",
    "Hello-\xC2\xB5@\xC3\x9F\xC3\xB6\xC3\xA4\xC3\xBC\xC3\xA0\xC3\xA1-UTF-8!!"};

const std::string_view bad[] = {"\x80",
                                "\xBF",
                                "\xC0\x80",
                                "\xC1\xBF",
                                "\xC2",
                                "\xC2\x41",
                                "\xE0\x9F\xBF",
                                "\xE2\x82",
                                "\xE2\x28\xA1",
                                "\xED\xA0\x80",
                                "\xED\xBF\xBF",
                                "\xF0\x8F\xBF\xBF",
                                "\xF0\x9F\x98",
                                "\xF4\x90\x80\x80",
                                "\xF5\x80\x80\x80",
                                "\xF8\x88\x80\x80\x80",
                                "\xFE",
                                "\xFF",
                                "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xF4\x90\x80\x80\x65",
                                "\xCE\xBA\xED\xA0\x80\x65\x64"};

/// Feeds the text cut into pieces of `size`.
bool in_pieces(std::string_view text, std::size_t size) {
  const Bytes bytes = bytes_of(text);
  Utf8Validator validator;
  bool valid = true;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    valid =
        validator.feed(std::span(bytes).subspan(at, std::min(size, bytes.size() - at))) && valid;
  }
  return validator.finish() && valid;
}

TEST(Utf8, WholeAndCutAtEachByte) {
  const std::string padding(300, 'x');
  const std::pair<std::span<const std::string_view>, bool> cases[] = {{good, true}, {bad, false}};
  for (const auto& [texts, valid] : cases) {
    for (const std::string_view text : texts) {
      EXPECT_EQ(is_valid_utf8(bytes_of(text)), valid) << testing::PrintToString(text);
      EXPECT_EQ(is_valid_utf8(bytes_of(padding + std::string(text))), valid);
      EXPECT_EQ(is_valid_utf8(bytes_of(std::string(text) + padding)), valid);
      for (std::size_t size = 1; size <= text.size(); ++size)
        EXPECT_EQ(in_pieces(text, size), valid);
      for (std::size_t size = 290; size < 310; ++size) {
        EXPECT_EQ(in_pieces(padding + std::string(text) + "tail", size),
                  is_valid_utf8(bytes_of(std::string(text) + "tail")));
      }
    }
  }
}

/// By the definition: decodes each code point. Slow, and plainly right.
bool decodes(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80        ? 1
                             : lead >> 5U == 6  ? 2
                             : lead >> 4U == 14 ? 3
                             : lead >> 3U == 30 ? 4
                                                : 0;
    if (size == 0 || i + size > text.size()) return false;
    std::uint32_t point = size == 1 ? lead : lead & (0x7FU >> size);
    for (std::size_t k = 1; k < size; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if (next >> 6U != 2) return false;
      point = point << 6U | (next & 0x3FU);
    }
    constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < least[size] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF))
      return false;
    i += size;
  }
  return true;
}

TEST(Utf8, AllPairsAndRandomTextsAgreeWithTheDefinition) {
  for (unsigned pair = 0; pair < 65'536; ++pair) {
    const std::string text{static_cast<char>(pair >> 8U), static_cast<char>(pair & 0xFFU)};
    ASSERT_EQ(is_valid_utf8(bytes_of(text)), decodes(text)) << pair;
    ASSERT_EQ(in_pieces(text, 1), decodes(text)) << pair;
  }
  std::mt19937 random(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t i = random_below(random, 6); i > 0; --i)
      text += good[random_below(random, std::size(good))];
    if (!text.empty() && round % 2 == 0)
      text[random_below(random, text.size())] = static_cast<char>(random());
    ASSERT_EQ(is_valid_utf8(bytes_of(text)), decodes(text));
    ASSERT_EQ(in_pieces(text, 1 + random_below(random, 5)), decodes(text));
  }
}

TEST(Utf8, KnownBadBeforeTheEnd) {
  Utf8Validator validator;
  EXPECT_TRUE(validator.feed(hex("ed")));
  EXPECT_FALSE(validator.feed(hex("a0")));
  EXPECT_FALSE(validator.feed(hex("41")));
  EXPECT_FALSE(validator.finish());
  EXPECT_TRUE(validator.feed(hex("41")));
  EXPECT_TRUE(validator.finish());
}

}  // namespace
}  // namespace wskeep::websocket
