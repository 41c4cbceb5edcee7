#include "daemon/net/proxy_dialogue.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <vector>

#include "daemon/net/proxy_connect.hpp"

namespace wskeep::net {
namespace {

using daemon::Error;
using daemon::Failure;
using daemon::Proxy;
using namespace std::string_literals;

Proxy proxy_of(Proxy::Kind kind, const std::string& user = {}, const std::string& password = {}) {
  return {kind, "proxy", 3128, user, password};
}

/// What a proxy says; and, for each time that it is waited for, what it was sent before.
struct Talk {
  std::vector<std::string> sent;
  std::size_t used = 0;  ///< of the answer
  bool over = false;
  Failure failure;
};

/// The proxy says `answer`, in pieces of at most `piece` bytes. Never reads beyond what is wanted,
/// so `used` tells where the tunnel begins.
Talk talk(const Proxy& proxy, const std::string& answer, std::size_t piece,
          const std::string& host = "example.com", std::uint16_t port = 443) {
  const auto dialogue = make_proxy_dialogue(proxy, host, port);
  Talk talk;
  while (!dialogue->result() && talk.used < answer.size()) {
    if (!dialogue->to_send().empty()) {
      talk.sent.emplace_back(dialogue->to_send());
      dialogue->sent();
      EXPECT_TRUE(dialogue->to_send().empty());
    }
    EXPECT_GE(dialogue->wanted(), 1U);
    const std::string next = answer.substr(talk.used, std::min(piece, dialogue->wanted()));
    talk.used += next.size();
    dialogue->received(std::as_bytes(std::span(next)));
  }
  talk.over = dialogue->result().has_value();
  if (talk.over) talk.failure = *dialogue->result();
  return talk;
}

/// The end of it, which must not depend on how the answer is cut.
Talk talk_in_every_way(const Proxy& proxy, const std::string& answer) {
  Talk whole = talk(proxy, answer, answer.size());
  for (std::size_t piece = 1; piece < 12; ++piece) {
    const Talk cut = talk(proxy, answer, piece);
    EXPECT_EQ(cut.over, whole.over) << piece;
    EXPECT_EQ(cut.failure.error, whole.failure.error) << piece;
    EXPECT_EQ(cut.failure.text, whole.failure.text) << piece;
    EXPECT_EQ(cut.sent, whole.sent) << piece;
    if (whole.failure.error == Error::none) {
      EXPECT_EQ(cut.used, whole.used) << piece;
    }
  }
  return whole;
}

// -- HTTP CONNECT

TEST(ProxyConnect, AsksForTheHostAndItsPort) {
  const Talk plain = talk(proxy_of(Proxy::Kind::http), "x", 1);
  EXPECT_EQ(plain.sent, (std::vector<std::string>{
                            "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n"}));
  const Talk ipv6 = talk(proxy_of(Proxy::Kind::https), "x", 1, "fe80::1%eth0", 80);
  EXPECT_EQ(
      ipv6.sent,
      (std::vector<std::string>{"CONNECT [fe80::1]:80 HTTP/1.1\r\nHost: [fe80::1]:80\r\n\r\n"}));
}

TEST(ProxyConnect, NamesUserAndPassword) {
  for (const auto& [user, password, encoded] : std::vector<std::array<std::string, 3>>{
           {"Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
           {"user", "", "dXNlcjo="},
           {"u", "p:q", "dTpwOnE="},
           {"ab", "cdefgh", "YWI6Y2RlZmdo"}}) {
    const Talk said = talk(proxy_of(Proxy::Kind::http, user, password), "x", 1);
    ASSERT_EQ(said.sent.size(), 1U);
    EXPECT_EQ(said.sent[0],
              "CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n"
              "Proxy-Authorization: Basic " +
                  encoded + "\r\n\r\n");
  }
}

TEST(ProxyConnect, WhatFollowsTheAnswerIsLeftToTheTunnel) {
  const std::vector<std::string> answers{
      "HTTP/1.1 200 Connection established\r\n\r\n",
      "HTTP/1.0 200 OK\r\nProxy-agent: tinyproxy/1.11.1\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",  // RFC 9110, 9.3.6: to be ignored
      "HTTP/1.1 204 No Content\r\nVia: 1.1 proxy\r\nX: a\r\n b\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
      "HTTP/1.1 200 \r\nA: \r\r\n\r\n",
  };
  for (const std::string& answer : answers) {
    SCOPED_TRACE(answer);
    const Talk said = talk_in_every_way(proxy_of(Proxy::Kind::http), answer + "\r\n\r\ntunnel");
    EXPECT_TRUE(said.over);
    if (answer.find("\r\r\n") != std::string::npos) continue;  // refused or not, it does not hang
    EXPECT_EQ(said.failure.error, Error::none) << said.failure.text;
    EXPECT_EQ(said.used, answer.size());
  }
}

TEST(ProxyConnect, ARefusalIsToldInTheProxysWords) {
  struct Case {
    std::string answer;
    std::string user;
    Error error;
    std::string said;
  };
  const std::vector<Case> table{
      {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", "",
       Error::proxy_unauthorized,
       "it wants a user and password: 407 Proxy Authentication Required"},
      {"HTTP/1.1 407 No\r\n\r\n", "user", Error::proxy_unauthorized,
       "it does not accept the user and password: 407 No"},
      {"HTTP/1.1 401 Unauthorized\r\n\r\n", "user", Error::proxy_unauthorized,
       "it does not accept the user and password: 401 Unauthorized"},
      {"HTTP/1.1 403 Filtered\r\nContent-Length: 1000\r\n\r\n<html>", "", Error::proxy_refused,
       "it refused to connect us: 403 Filtered"},
      {"HTTP/1.0 502 \r\n\r\n", "", Error::proxy_refused, ": 502"},
      {"HTTP/1.1 503 caf\xc3\xa9\r\n\r\n", "", Error::proxy_refused, "503 caf??"},
      {"HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n", "", Error::proxy_refused, "302"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "", Error::proxy_refused, "101"},
  };
  for (const Case& one : table) {
    SCOPED_TRACE(one.answer);
    const Talk said =
        talk_in_every_way(proxy_of(Proxy::Kind::http, one.user, "secret"), one.answer);
    EXPECT_EQ(said.failure.error, one.error);
    EXPECT_NE(said.failure.text.find(one.said), std::string::npos) << said.failure.text;
    EXPECT_EQ(said.failure.text.find("secret"), std::string::npos);
  }
}

TEST(ProxyConnect, WhatIsNoHttpIsToldAtOnce) {
  for (const std::string& answer : std::vector<std::string>{
           "SSH-2.0-OpenSSH_9\r\n", "\x05", "\x15\x03\x03", "HTTP/2 200\r\n\r\n",
           "HTTP/1.1 200 OK\n\n", "HTTP/1.1 two\r\n\r\n", "\r\n\r\n", "220 ready\r\n"}) {
    SCOPED_TRACE(answer);
    const Talk said = talk(proxy_of(Proxy::Kind::http), answer, 1);
    EXPECT_TRUE(said.over);
    EXPECT_EQ(said.failure.error, Error::proxy_protocol) << said.failure.text;
    EXPECT_NE(said.failure.text.find("not an HTTP proxy"), std::string::npos) << said.failure.text;
  }
}

TEST(ProxyConnect, AnEndlessAnswerIsCutOff) {
  std::string head = "HTTP/1.1 200 OK\r\nX: ";
  const std::string endless = head + std::string(100'000, 'x');
  Talk said = talk(proxy_of(Proxy::Kind::http), endless, 4);
  EXPECT_EQ(said.failure.error, Error::proxy_protocol);
  EXPECT_NE(said.failure.text.find("longer than 8192"), std::string::npos) << said.failure.text;
  EXPECT_LE(said.used, ConnectDialogue::max_head + 4);

  std::string interim;
  for (int i = 0; i < 1000; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
  said = talk(proxy_of(Proxy::Kind::http), interim, 4);
  EXPECT_TRUE(said.over);
  EXPECT_EQ(said.failure.error, Error::proxy_protocol);

  head += std::string(ConnectDialogue::max_head - head.size() - 4, 'x') + "\r\n\r\n";
  EXPECT_EQ(talk(proxy_of(Proxy::Kind::http), head, 4).failure.error, Error::none);
}

// -- SOCKS5

const std::string bound_ipv4 = "\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90"s;
const std::string request_for_name = "\x05\x01\x00\x03\x0b"s + "example.com" + "\x01\xbb"s;

TEST(ProxySocks5, NamesAreLeftToTheProxyAndAddressesSentAsSuch) {
  struct Case {
    std::string host;
    std::string request;
  };
  const std::vector<Case> table{
      {"example.com", request_for_name},
      {"127.0.0.1", "\x05\x01\x00\x01\x7f\x00\x00\x01\x01\xbb"s},
      {"::1", "\x05\x01\x00\x04"s + std::string(15, '\0') + "\x01\x01\xbb"s},
      {"fe80::2%eth0", "\x05\x01\x00\x04\xfe\x80"s + std::string(13, '\0') + "\x02\x01\xbb"s},
  };
  for (const Case& one : table) {
    SCOPED_TRACE(one.host);
    const Talk said =
        talk(proxy_of(Proxy::Kind::socks5), "\x05\x00"s + bound_ipv4, 100, one.host, 443);
    EXPECT_EQ(said.sent, (std::vector<std::string>{"\x05\x01\x00"s, one.request}));
    EXPECT_EQ(said.failure.error, Error::none) << said.failure.text;
  }
}

TEST(ProxySocks5, TheReplyIsReadToItsEndAndNoFurther) {
  const std::vector<std::string> replies{
      bound_ipv4,
      "\x05\x00\x00\x04"s + std::string(16, '\xAA') + "\x00\x50"s,
      "\x05\x00\x00\x03\x05host!\x00\x50"s,
      "\x05\x00\x00\x03\x00\x00\x00"s,
      "\x05\x00\x00\x03\xff"s + std::string(257, 'n'),
      "\x05\x00\x7f\x01\x00\x00\x00\x00\x00\x00"s,  // a reserved byte that is not zero
  };
  for (const std::string& reply : replies) {
    const std::string answer = "\x05\x00"s + reply;
    const Talk said = talk_in_every_way(proxy_of(Proxy::Kind::socks5), answer + "tunnel");
    EXPECT_TRUE(said.over);
    EXPECT_EQ(said.failure.error, Error::none) << said.failure.text;
    EXPECT_EQ(said.used, answer.size());
    for (std::size_t cut = 0; cut < answer.size(); ++cut)
      EXPECT_FALSE(talk(proxy_of(Proxy::Kind::socks5), answer.substr(0, cut), 3).over) << cut;
  }
}

TEST(ProxySocks5, UserAndPassword) {
  const Proxy proxy = proxy_of(Proxy::Kind::socks5, "me", "secret");
  const std::vector<std::string> sent{"\x05\x02\x00\x02"s, "\x01\x02me\x06secret"s,
                                      request_for_name};
  for (const char version : {'\x01', '\x05'}) {
    const Talk said = talk_in_every_way(proxy, "\x05\x02"s + version + "\0"s + bound_ipv4);
    EXPECT_EQ(said.sent, sent);
    EXPECT_EQ(said.failure.error, Error::none) << said.failure.text;
  }
  // A proxy that needs no password is not told it.
  const Talk open = talk_in_every_way(proxy, "\x05\x00"s + bound_ipv4);
  EXPECT_EQ(open.sent, (std::vector<std::string>{sent[0], request_for_name}));
  EXPECT_EQ(open.failure.error, Error::none) << open.failure.text;
}

TEST(ProxySocks5, RefusedCredentials) {
  struct Case {
    std::string user;
    std::string answer;
    std::string said;
  };
  const std::vector<Case> table{
      {"me", "\x05\x02\x01\x01"s, "does not accept the user and password"},
      {"me", "\x05\x02\x01\xff"s, "does not accept the user and password"},
      {"me", "\x05\xff"s, "does not take a user and password"},
      {"", "\x05\xff"s, "wants a user and password"},
  };
  for (const Case& one : table) {
    const Talk said =
        talk_in_every_way(proxy_of(Proxy::Kind::socks5, one.user, "secret"), one.answer);
    EXPECT_EQ(said.failure.error, Error::proxy_unauthorized);
    EXPECT_NE(said.failure.text.find(one.said), std::string::npos) << said.failure.text;
    EXPECT_EQ(said.failure.text.find("secret"), std::string::npos);
  }
}

TEST(ProxySocks5, EveryReplyHasItsSentence) {
  std::vector<std::string> texts;
  for (int reply = 1; reply < 256; ++reply) {
    const std::string answer = "\x05\x00\x05"s + static_cast<char>(reply);
    const Talk said = talk_in_every_way(proxy_of(Proxy::Kind::socks5), answer);
    EXPECT_TRUE(said.over) << "what follows a refusal is not waited for";
    EXPECT_EQ(said.failure.error, Error::proxy_refused);
    EXPECT_NE(said.failure.text.find("(reply " + std::to_string(reply) + ")"), std::string::npos);
    EXPECT_EQ(said.failure.text.find("unknown reply") != std::string::npos, reply > 8);
    texts.push_back(said.failure.text);
  }
  EXPECT_NE(texts[4].find("refused the connection"), std::string::npos) << texts[4];
}

TEST(ProxySocks5, WhatIsNoSocks5IsToldAtOnce) {
  const std::vector<std::string> answers{
      "HT",                         // an HTTP proxy
      "\x04\x5a"s,                  // SOCKS4
      "\x05\x02"s,                  // a method that was not offered
      "\x05\x01"s,                  // GSSAPI
      "\x05\x00\x04\x00"s,          // another version in the reply
      "\x05\x00\x05\x00\x00\x02"s,  // an address of no known type
      "\x05\x00\x05\x00\x00\x00"s,
  };
  for (const std::string& answer : answers) {
    const Talk said = talk_in_every_way(proxy_of(Proxy::Kind::socks5), answer);
    EXPECT_TRUE(said.over);
    EXPECT_EQ(said.failure.error, Error::proxy_protocol) << said.failure.text;
  }
  const Talk said =
      talk_in_every_way(proxy_of(Proxy::Kind::socks5, "me", "secret"), "\x05\x02\x48\x00"s);
  EXPECT_EQ(said.failure.error, Error::proxy_protocol) << said.failure.text;
}

TEST(ProxySocks5, WhatDoesNotFitIsNotSent) {
  const std::string longest(255, 'x');
  EXPECT_FALSE(make_proxy_dialogue(proxy_of(Proxy::Kind::socks5, longest, longest), longest, 1)
                   ->result()
                   .has_value());
  for (const auto& [user, password, host] : std::vector<std::array<std::string, 3>>{
           {longest + "x", "p", "h"}, {"u", longest + "x", "h"}, {"u", "p", longest + "x"}}) {
    const auto dialogue =
        make_proxy_dialogue(proxy_of(Proxy::Kind::socks5, user, password), host, 1);
    ASSERT_TRUE(dialogue->result().has_value());
    EXPECT_EQ(dialogue->result()->error, Error::configuration);
    EXPECT_TRUE(dialogue->to_send().empty());
  }
}

}  // namespace
}  // namespace wskeep::net
