#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

#include "config/characters.hpp"
#include "config/header.hpp"
#include "config/listen.hpp"
#include "config/suggest.hpp"

namespace wskeep::config {
namespace {

TEST(Suggest, FindsWhatIsClose) {
  constexpr std::array<std::string_view, 4> names{"connect", "close", "warning", "url"};
  EXPECT_EQ(closest("conect", names), "connect");
  EXPECT_EQ(closest("Connect", names), "connect");
  EXPECT_EQ(closest("cnonect", names), "connect");
  EXPECT_EQ(closest("clsoe", names), "close");
  EXPECT_EQ(closest("warn", names), "warning");
  EXPECT_EQ(closest("uri", names), "url");
}

TEST(Suggest, SaysNothingWhenNothingIsClose) {
  constexpr std::array<std::string_view, 3> names{"connect", "close", "url"};
  for (const std::string_view wrong : {"", "x", "proxy", "abc", "ul_r"}) {
    EXPECT_EQ(closest(wrong, names), "") << wrong;
  }
  EXPECT_EQ(closest(std::string(1000, 'c'), names), "");
}

TEST(Listen, TakesAddressAndPort) {
  EXPECT_EQ(parse_listen("127.0.0.1:9464").address, "127.0.0.1");
  EXPECT_EQ(parse_listen("127.0.0.1:9464").port, 9464);
  EXPECT_EQ(parse_listen("[::]:1").address, "::");
  EXPECT_EQ(parse_listen("[::]:65535").port, 65535);
}

TEST(Listen, RefusesAnythingElse) {
  for (const std::string_view text :
       {"", "9464", ":9464", "localhost:9464", "::1:9464", "[]:1", "[127.0.0.1]:1", "1.2.3:4",
        "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:1x",
        "127.0.0.1 :1"}) {
    EXPECT_THROW(static_cast<void>(parse_listen(text)), ListenError) << text;
  }
}

TEST(Header, NamesAreTokensThatAreNotOurs) {
  EXPECT_EQ(header_name_error("X-Api_Key!"), "");
  EXPECT_EQ(header_name_error("Hosting"), "");
  for (const std::string_view name :
       {"Host", "CONNECTION", "upgrade", "Content-Length", "transfer-encoding", "Sec-WebSocket-Key",
        "sec-websocket-x"}) {
    EXPECT_EQ(header_name_error(name), "is a header that wskeep writes itself") << name;
  }
  for (const std::string_view name : {"", "a b", "a:", "a\r\nb", "\xc3\xa4", "(a)"}) {
    EXPECT_EQ(header_name_error(name),
              "is not the name of a header; allowed: letters, digits and any of !#$%&'*+-.^_`|~")
        << name;
  }
}

TEST(Header, ValuesEndNoLine) {
  EXPECT_EQ(header_value_error("Bearer a\tb"), "");
  EXPECT_EQ(header_value_error(""), "");
  for (const std::string_view value : {std::string_view("a\r\nb"), std::string_view("a\n"),
                                       std::string_view("a\0b", 3), std::string_view("\x7f")}) {
    EXPECT_EQ(header_value_error(value),
              "the value of a header holds no line ends or other control characters");
  }
}

TEST(Characters, FindsTheFirstByteThatIsNotText) {
  for (const std::string_view good :
       {"", "a\tb\r\n", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(first_not_text(good), good.size()) << good;
  }
  const std::string_view truncated = "ab\xe2\x82";
  EXPECT_EQ(first_not_text(truncated), 2U);
  for (const std::string_view bad :
       {std::string_view("\0", 1), std::string_view("\x7f"), std::string_view("\x80"),
        std::string_view("\xc0\x80"), std::string_view("\xc1\xbf"),
        std::string_view("\xe0\x80\x80"), std::string_view("\xed\xa0\x80"),
        std::string_view("\xf0\x80\x80\x80"), std::string_view("\xf4\x90\x80\x80"),
        std::string_view("\xff\xfe"), std::string_view("\xc3(")}) {
    EXPECT_EQ(first_not_text(bad), 0U);
  }
}

}  // namespace
}  // namespace wskeep::config
