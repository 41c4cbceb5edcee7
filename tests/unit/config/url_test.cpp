#include "config/url.hpp"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <vector>

namespace wskeep::config {
namespace {

std::string error_of(const std::string& text) {
  try {
    static_cast<void>(parse_url(text));
    return "";
  } catch (const UrlError& error) {
    return error.what();
  }
}

TEST(Url, TakesApartTheUsualForm) {
  const Url url = parse_url("wss://stream.example.com:8443/ws/a?b=c");
  EXPECT_TRUE(url.secure);
  EXPECT_EQ(url.host, "stream.example.com");
  EXPECT_EQ(url.port, 8443);
  EXPECT_EQ(url.target, "/ws/a?b=c");
  EXPECT_EQ(url.user_info, "");
}

TEST(Url, FillsInPortAndTarget) {
  EXPECT_EQ(parse_url("ws://a").port, 80);
  EXPECT_EQ(parse_url("wss://a").port, 443);
  EXPECT_EQ(parse_url("ws://a").target, "/");
  EXPECT_EQ(parse_url("ws://a?b/c@d").target, "/?b/c@d");
}

TEST(Url, IgnoresCaseOfSchemeAndHostButNotOfTarget) {
  const Url url = parse_url("WSS://Example.COM/Path");
  EXPECT_TRUE(url.secure);
  EXPECT_EQ(url.host, "example.com");
  EXPECT_EQ(url.target, "/Path");
}

TEST(Url, TakesAddresses) {
  EXPECT_EQ(parse_url("ws://127.0.0.1:1/").host, "127.0.0.1");
  EXPECT_EQ(parse_url("ws://[::1]/").host, "::1");
  EXPECT_EQ(parse_url("ws://[2001:DB8::1]:65535/").host, "2001:db8::1");
  EXPECT_EQ(parse_url("ws://[fe80::1%25eth0]/").host, "fe80::1%eth0");
  EXPECT_EQ(parse_url("ws://[fe80::1%eth0]/").host, "fe80::1%eth0");
}

TEST(Url, TakesNamesThatContainersHave) {
  EXPECT_EQ(parse_url("ws://my_service-1.").host, "my_service-1.");
  EXPECT_EQ(parse_url("ws://1.example").host, "1.example");
}

TEST(Url, AuthorityIsTheHostHeader) {
  EXPECT_EQ(parse_url("ws://a:80/").authority(), "a");
  EXPECT_EQ(parse_url("wss://a:80/").authority(), "a:80");
  EXPECT_EQ(parse_url("wss://u:p@a:443/").authority(), "a");
  EXPECT_EQ(parse_url("ws://[::1]:9000/").authority(), "[::1]:9000");
  EXPECT_EQ(parse_url("ws://[fe80::1%25eth0]/").authority(), "[fe80::1]");
}

TEST(Url, DecodesUserInfo) {
  EXPECT_EQ(parse_url("ws://u:p@h/").user_info, "u:p");
  EXPECT_EQ(parse_url("ws://u%40x:p%3a%2F@h/").user_info, "u@x:p:/");
  EXPECT_EQ(parse_url("ws://u@h/").user_info, "u");
}

TEST(Url, SaysWhatIsWrong) {
  const std::string scheme = "a URL begins with ws:// or wss://";
  const std::string name =
      "the host is not a name (labels of 1 to 63 letters, digits, '-' and '_') nor an address "
      "(IPv6 in brackets)";
  const std::string port = "the port is a number from 1 to 65535";
  const std::string ascii =
      "a URL is ASCII: write a host name in punycode (xn--...), other characters percent-encoded";
  const std::string space = "a URL holds no spaces or control characters: percent-encode them";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", scheme},
      {"example.com", scheme},
      {"ws:/a", scheme},
      {"ftp://a", scheme},
      {"HTTP://a", scheme + ", not with http://"},
      {"https://a", scheme + ", not with https://"},
      {"ws://", "the host is missing"},
      {"ws:///path", "the host is missing"},
      {"ws://:80/", "the host is missing"},
      {"ws://a..b/", name},
      {"ws://.a/", name},
      {"ws://a%20b/", name},
      {"ws://a\\b/", name},
      {"ws://" + std::string(64, 'a') + "/", name},
      {"ws://a:/", port},
      {"ws://a:0/", port},
      {"ws://a:65536/", port},
      {"ws://a:+80/", port},
      {"ws://a:80x/", port},
      {"ws://::1/", "an IPv6 address stands in brackets: [::1]:80"},
      {"ws://[::1/", "the bracket of an IPv6 address is not closed"},
      {"ws://[::1]80/", "only ':PORT' can follow the bracket of an IPv6 address"},
      {"ws://[1.2.3.4]/", "what stands in brackets is not an IPv6 address"},
      {"ws://[]/", "what stands in brackets is not an IPv6 address"},
      {"ws://[fe80::1%]/", "the zone of an IPv6 address is the name of a network interface"},
      {"ws://[fe80::1%a b]/", space},
      {"ws://1.2.3/", "the host is not an IPv4 address: four numbers from 0 to 255"},
      {"ws://1.2.3.256/", "the host is not an IPv4 address: four numbers from 0 to 255"},
      {"ws://a/#b", "a WebSocket URL has no fragment: write '#' as %23"},
      {"ws://a/b c", space},
      {" ws://a/", space},
      {"ws://a/\n", space},
      {std::string("ws://a/\0", 8), space},
      {"ws://a/\x7f", space},
      {"ws://ex\xc3\xa4mple/", ascii},
      {"ws://@a/", "nothing stands before '@': USER:PASSWORD@HOST, or HOST alone"},
      {"ws://a@b@c/", "write '@' in the user or password as %40"},
      {"ws://a%3Ab:c@d/", "a user name holds no colon"},
      {"ws://a:%0d@b/", "the user and password hold no control characters"},
      {"ws://a:%4@b/", "'%' in the user or password is not followed by two hexadecimal digits"},
      {"ws://a:%zz@b/", "'%' in the user or password is not followed by two hexadecimal digits"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(error_of(text), message) << text;
  }
}

TEST(Url, NeverRepeatsAPassword) {
  for (const std::string tail : {"h:0/", "h/#", "a..b/", "[x]/", "h/ ", "%"}) {
    const std::string error = error_of("ws://user:hunter2@" + tail);
    EXPECT_NE(error, "") << tail;
    EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace wskeep::config
