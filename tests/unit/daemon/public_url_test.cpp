#include "daemon/upstream/public_url.hpp"

#include <gtest/gtest.h>

namespace wskeep::upstream {
namespace {

TEST(PublicUrl, WhatIsNoSecretStays) {
  for (const char* url : {"wss://example.com/ws", "ws://[fe80::1%25eth0]:80/a@b/c", "wss://a",
                          "ws://a:1/?", "wss://${env:HOST}/${file:/etc/path}", "${env:URL}", ""})
    EXPECT_EQ(public_url(url), url);
}

TEST(PublicUrl, UserAndPasswordDoNot) {
  EXPECT_EQ(public_url("wss://me:s3cret@example.com/ws"), "wss://example.com/ws");
  EXPECT_EQ(public_url("wss://me@example.com:1"), "wss://example.com:1");
  EXPECT_EQ(public_url("wss://me:a@b@example.com?x"), "wss://example.com?***");
  EXPECT_EQ(public_url("wss://me:s3cret@"), "wss://");
  EXPECT_EQ(public_url("${env:SCHEME}://me:s3cret@a/b"), "${env:SCHEME}://a/b");
  EXPECT_EQ(public_url("ws://${env:ME}:${file:/run/a@b}@host/"), "ws://host/");
  EXPECT_EQ(public_url("me:s3cret@host/path"), "host/path");
}

TEST(PublicUrl, NorWhatStandsInTheQuery) {
  EXPECT_EQ(public_url("wss://a/b?token=s3cret&x=&y"), "wss://a/b?token=***&x=&***");
  EXPECT_EQ(public_url("wss://a?k=${env:KEY}&l=x${env:KEY}"), "wss://a?k=${env:KEY}&l=***");
  EXPECT_EQ(public_url("wss://a?f=${file:/a?b&c=d}${env:X};e=f"),
            "wss://a?f=${file:/a?b&c=d}${env:X};e=***");
  EXPECT_EQ(public_url("wss://a?k=pa$${ss}word"), "wss://a?k=***");
  EXPECT_EQ(public_url("/relative?key=s3cret"), "/relative?key=***");
  EXPECT_EQ(public_url("https://a/b#access_token=s3cret"), "https://a/b");
}

}  // namespace
}  // namespace wskeep::upstream
