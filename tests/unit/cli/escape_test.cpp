#include "cli/escape.hpp"

#include <gtest/gtest.h>

#include <string>

namespace wskeep::cli {
namespace {

std::string kept(std::string_view text) {
  std::string output;
  append_visible(output, text, LineEnds::keep);
  return output;
}

TEST(Visible, EscapesAllThatATerminalObeys) {
  EXPECT_EQ(visible("plain é 漢 🙂"), "plain é 漢 🙂");
  EXPECT_EQ(visible("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(visible("a\r\n\tb"), "a\\r\\n\\tb");
  EXPECT_EQ(visible("\x7f"), "\\x7f");
  EXPECT_EQ(visible("csi \xC2\x9B end"), "csi \\u009b end");
  EXPECT_EQ(visible(std::string_view("\0x", 2)), "\\x00x");
}

TEST(Visible, EscapesBytesThatAreNoText) {
  EXPECT_EQ(visible("\xFF"), "\\xff");
  EXPECT_EQ(visible("a\xC3"), "a\\xc3");
  EXPECT_EQ(visible("\xE6\xBC"), "\\xe6\\xbc");
  EXPECT_EQ(visible("\xED\xA0\x80"), "\\xed\\xa0\\x80");
}

TEST(Visible, KeepsLineEndsWhereAsked) {
  EXPECT_EQ(kept("{\n\t1\r}"), "{\n\t1\\r}");
}

TEST(VisibleBytes, CanBeReadBack) {
  std::string output;
  append_visible_bytes(output, std::string_view("\0a\\\xFF\n", 5));
  EXPECT_EQ(output, "\\x00a\\\\\\xff\\x0a");
}

TEST(JsonString, EscapesWhatJsonDemands) {
  std::string output;
  append_json_string(output, "a\"b\\c\n\r\t\x01 é");
  EXPECT_EQ(output, R"("a\"b\\c\n\r\t\u0001 é")");
}

TEST(Base64, PadsAsRfc4648Shows) {
  const auto encode = [](std::string_view bytes) {
    std::string output;
    append_base64(output, bytes);
    return output;
  };
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode("\xFB\xFF\xFE"), "+//+");
}

TEST(PercentEncode, LeavesNothingThatEndsASegment) {
  EXPECT_EQ(percent_encode("trades-1._~"), "trades-1._~");
  EXPECT_EQ(percent_encode("a/b?c#d %é"), "a%2Fb%3Fc%23d%20%25%C3%A9");
}

TEST(Shorten, CountsCodePoints) {
  EXPECT_EQ(shorten("éèê", 3), "éèê");
  EXPECT_EQ(shorten("éèêë", 3), "éè…");
  EXPECT_EQ(shorten("abc", 1), "…");
  EXPECT_EQ(shorten("abc", 0), "");
  EXPECT_EQ(display_width("é漢a"), 3U);
}

}  // namespace
}  // namespace wskeep::cli
