#include "daemon/upstream/redirect.hpp"

#include <gtest/gtest.h>

#include <string>

namespace wskeep::upstream {
namespace {

using daemon::Failure;

websocket::HttpHead answer(unsigned status, const std::string& location) {
  websocket::HttpHead head;
  head.status = status;
  head.fields.emplace_back("Location", location);
  return head;
}

/// Where `location` leads from `from`, or the refusal's sentence.
std::string follow(const std::string& from, const std::string& location, std::uint32_t followed = 0,
                   std::uint32_t allowed = 5) {
  const auto way =
      follow_redirection(config::parse_url(from), answer(302, location), followed, allowed);
  if (const auto* failure = std::get_if<Failure>(&way)) {
    EXPECT_EQ(failure->error, daemon::Error::http_redirect);
    return failure->text;
  }
  const auto& url = std::get<config::Url>(way);
  EXPECT_TRUE(url.user_info.empty());
  return (url.secure ? "wss://" : "ws://") + url.authority() + url.target;
}

TEST(Redirect, IsToldByStatusAndLocation) {
  for (const unsigned status : {301U, 302U, 303U, 307U, 308U})
    EXPECT_TRUE(is_redirection(answer(status, "/")));
  for (const unsigned status : {101U, 200U, 300U, 304U, 305U, 306U, 400U})
    EXPECT_FALSE(is_redirection(answer(status, "/")));
  websocket::HttpHead without;
  without.status = 301;
  EXPECT_FALSE(is_redirection(without));
}

TEST(Redirect, AbsoluteOnesWithEitherScheme) {
  EXPECT_EQ(follow("ws://a/x", "https://b:8443/y?z=1"), "wss://b:8443/y?z=1");
  EXPECT_EQ(follow("ws://a/x", "http://b/"), "ws://b/");
  EXPECT_EQ(follow("ws://a/x", "WSS://B"), "wss://b/");
  EXPECT_EQ(follow("wss://a/x", "//b/y"), "wss://b/y");
  EXPECT_EQ(follow("wss://a/x", "https://me:s3cret@b/y#part"), "wss://b/y");
}

TEST(Redirect, RelativeOnes) {
  const std::string base = "wss://a:1/b/c/d?q";
  EXPECT_EQ(follow(base, "/x"), "wss://a:1/x");
  EXPECT_EQ(follow(base, "x"), "wss://a:1/b/c/x");
  EXPECT_EQ(follow(base, "x/y?z"), "wss://a:1/b/c/x/y?z");
  EXPECT_EQ(follow(base, "../x"), "wss://a:1/b/x");
  EXPECT_EQ(follow(base, "../../../../x"), "wss://a:1/x");
  EXPECT_EQ(follow(base, "./"), "wss://a:1/b/c/");
  EXPECT_EQ(follow(base, ".."), "wss://a:1/b/");
  EXPECT_EQ(follow(base, "?y"), "wss://a:1/b/c/d?y");
  EXPECT_EQ(follow(base, ""), "wss://a:1/b/c/d?q");
  EXPECT_EQ(follow(base, "/x?at=12:30/../"), "wss://a:1/x?at=12:30/../");
  EXPECT_EQ(follow("ws://a", "x"), "ws://a/x");
}

TEST(Redirect, AZoneIsKeptForTheSameAddress) {
  const auto from = config::parse_url("ws://[fe80::1%25eth0]/");
  for (const char* location : {"/x", "http://[fe80::1]/x"}) {
    const auto way = follow_redirection(from, answer(302, location), 0, 1);
    ASSERT_TRUE(std::holds_alternative<config::Url>(way));
    EXPECT_EQ(std::get<config::Url>(way).host, "fe80::1%eth0");
    EXPECT_TRUE(same_origin(from, std::get<config::Url>(way)));
  }
}

TEST(Redirect, NeverOutOfTls) {
  EXPECT_NE(follow("wss://a/", "http://a/x").find("leave TLS"), std::string::npos);
  EXPECT_NE(follow("wss://a/", "ws://b/x").find("leave TLS"), std::string::npos);
}

TEST(Redirect, NotWithoutBeingAllowedAndNotForEver) {
  const std::string text = follow("ws://a/", "http://me:s3cret@b/x?key=s3cret", 0, 0);
  EXPECT_NE(text.find("ws://b/x?key=***"), std::string::npos) << text;
  EXPECT_NE(text.find("`redirects: 1`"), std::string::npos) << text;
  EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
  EXPECT_EQ(follow("ws://a/", "/x", 1, 2), "ws://a/x");
  EXPECT_NE(follow("ws://a/", "/x", 2, 2).find("after 2 in a row"), std::string::npos);
}

TEST(Redirect, ToWhatIsNoWebSocketAddress) {
  for (const char* location : {"ftp://a/", "mailto:a@b", "http://", "http://a:0/", "http://a b/",
                               "http://exa\xc3\xa4mple/", "javascript:alert(1)"})
    EXPECT_NE(follow("ws://a/", location).find("no WebSocket address"), std::string::npos)
        << location;
}

TEST(Redirect, OriginsDifferByEachPart) {
  const auto origin = config::parse_url("wss://a/");
  EXPECT_TRUE(same_origin(origin, config::parse_url("wss://A:443/x")));
  for (const char* other : {"ws://a:443/", "wss://b/", "wss://a:444/"})
    EXPECT_FALSE(same_origin(origin, config::parse_url(other)));
}

}  // namespace
}  // namespace wskeep::upstream
