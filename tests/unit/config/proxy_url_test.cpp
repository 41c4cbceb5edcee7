#include "config/proxy_url.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace wskeep::config {
namespace {

using Kind = ProxyUrl::Kind;

std::string error_of(const std::string& text) {
  try {
    static_cast<void>(parse_proxy_url(text));
    return "";
  } catch (const UrlError& error) {
    return error.what();
  }
}

TEST(ProxyUrl, TakesApartEachKind) {
  const std::vector<std::pair<std::string, ProxyUrl>> cases{
      {"http://proxy:3128", {Kind::http, "proxy", 3128, "", ""}},
      {"HTTPS://Proxy.Example/", {Kind::https, "proxy.example", 443, "", ""}},
      {"http://10.0.0.1/", {Kind::http, "10.0.0.1", 80, "", ""}},
      {"socks5://u:p@[2001:DB8::1]:9050", {Kind::socks5, "2001:db8::1", 9050, "u", "p"}},
      {"socks5h://proxy", {Kind::socks5, "proxy", 1080, "", ""}},
      {"http://desk%40x:a%3Ab%25@proxy", {Kind::http, "proxy", 80, "desk@x", "a:b%"}},
      {"http://user@proxy", {Kind::http, "proxy", 80, "user", ""}},
      {"http://user:@proxy", {Kind::http, "proxy", 80, "user", ""}},
      {"http://[fe80::1%25eth0]:1", {Kind::http, "fe80::1%eth0", 1, "", ""}},
  };
  for (const auto& [text, url] : cases) {
    EXPECT_EQ(parse_proxy_url(text), url) << text;
  }
}

TEST(ProxyUrl, RefusesWhatIsNone) {
  const std::string scheme =
      "the URL of a proxy begins with http://, https://, socks5:// or socks5h://";
  const std::string tail = "the URL of a proxy ends after the host and the port";
  const std::string words =
      "a SOCKS proxy takes a user and a password of 1 to 255 bytes each, or neither";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", scheme},
      {"proxy:3128", scheme},
      {"environment", scheme},
      {"socks4://proxy", scheme},
      {"ws://proxy", scheme},
      {"http://", "the host is missing"},
      {"http://u:p@", "the host is missing"},
      {"http://proxy/path", tail},
      {"http://proxy//", tail},
      {"http://proxy?a", tail},
      {"http://proxy#a", tail},
      {"http://proxy:0", "the port is a number from 1 to 65535"},
      {"http://proxy:", "the port is a number from 1 to 65535"},
      {"http://::1:80", "an IPv6 address stands in brackets: [::1]:80"},
      {"http://a b", "a URL holds no spaces or control characters: percent-encode them"},
      {"http://u:%0a@proxy", "the user and password hold no control characters"},
      {"socks5://user@proxy", words},
      {"socks5://:password@proxy", words},
      {"socks5://u:" + std::string(256, 'p') + "@proxy", words},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_EQ(error_of(text), message) << text;
  }
  EXPECT_EQ(error_of("socks5://u:" + std::string(255, 'p') + "@proxy"), "");
}

TEST(ProxyUrl, NeverRepeatsAUserOrPassword) {
  for (const std::string tail : {"h:0", "h/x", "h#", "a..b", "[x]", "h ", "%", "@h"}) {
    for (const std::string scheme : {"http", "socks5", "ftp"}) {
      const std::string error = error_of(scheme + "://somebody:hunter2@" + tail);
      EXPECT_NE(error, "") << tail;
      EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
      EXPECT_EQ(error.find("somebody"), std::string::npos) << error;
    }
  }
}

}  // namespace
}  // namespace wskeep::config
