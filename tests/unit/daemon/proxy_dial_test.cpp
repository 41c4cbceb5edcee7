#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "daemon/net/dial.hpp"
#include "tests/unit/daemon/proxy_world.hpp"

namespace wskeep::net {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;
using Kind = Proxy::Kind;
using Stage = DialProgress::Stage;

const std::string connected = "HTTP/1.1 200 Connection established\r\nVia: 1.1 test\r\n\r\n";

/// Lets the client through, in the language of its kind, dripping; false: it spoke another.
bool let_through(const ProxyPeer& peer, Kind kind) {
  if (kind != Kind::socks5) {
    const bool asked = peer.read_head().starts_with("CONNECT example.com:443 HTTP/1.1\r\n");
    peer.drip(connected);
    return asked;
  }
  const bool greeted = peer.read(3) == "\x05\x01\x00"s;
  peer.drip("\x05\x00"s);
  const bool asked = peer.read(18) == "\x05\x01\x00\x03\x0b"s + "example.com" + "\x01\xbb"s;
  peer.drip("\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50"s);
  return greeted && asked;
}

/// Sends back what it receives, in pieces of many sizes, until `size` bytes are back.
void echo(const ProxyPeer& peer, std::size_t size) {
  std::string buffer(20'000, '\0');
  std::size_t done = 0;
  std::size_t step = 1;
  while (done < size) {
    const auto room = static_cast<int>(std::min(step, buffer.size()));
    const auto got = peer.ssl != nullptr
                         ? SSL_read(peer.ssl, buffer.data(), room)
                         : static_cast<int>(::recv(peer.descriptor, buffer.data(),
                                                   static_cast<std::size_t>(room), 0));
    if (got <= 0) return;
    peer.send(buffer.substr(0, static_cast<std::size_t>(got)));
    done += static_cast<std::size_t>(got);
    step = step * 3 % 19'997;
  }
}

/// Writes all of it and reads it back, both at once.
void expect_echo(RealNetwork& network, Transport& transport, const std::string& sent) {
  Collector collector(transport, 10'000);
  std::span<const std::byte> data = std::as_bytes(std::span(sent));
  transport.want_write();
  int writable = -1;
  network.run_until([&] {
    // Once for each time that it is writable, so that it is the transport that tells.
    if (!data.empty() && writable != collector.writable) {
      const IoResult result = transport.write(data);
      EXPECT_NE(result.status, Status::failed) << error_name(result.error);
      data = data.subspan(result.bytes);
      writable = collector.writable;
      transport.want_write();
    }
    return collector.received.size() >= sent.size() || collector.end.has_value();
  });
  EXPECT_TRUE(collector.received == sent) << collector.received.size();
}

struct Route {
  Kind kind;
  bool secure;
};

class ProxyRoute : public testing::TestWithParam<Route> {};

INSTANTIATE_TEST_SUITE_P(All, ProxyRoute,
                         testing::Values(Route{Kind::http, false}, Route{Kind::http, true},
                                         Route{Kind::https, false}, Route{Kind::https, true},
                                         Route{Kind::socks5, false}, Route{Kind::socks5, true}),
                         [](const auto& route) {
                           const char* kind = route.param.kind == Kind::http    ? "Http"
                                              : route.param.kind == Kind::https ? "Https"
                                                                                : "Socks5";
                           return std::string(kind) + (route.param.secure ? "Wss" : "Ws");
                         });

TEST_P(ProxyRoute, CarriesBytesBothWays) {
  const auto [kind, secure] = GetParam();
  const std::string sent = pattern(2'000'000, 7);
  const TestTls tls = authority().tls("good");
  std::atomic<int> asked{0};
  TestServer server([&, kind = kind, secure = secure](int descriptor) {
    const Ssl outer = kind == Kind::https ? tls.accept(descriptor) : nullptr;
    const ProxyPeer peer{descriptor, outer.get()};
    if (let_through(peer, kind)) ++asked;
    if (!secure) {
      echo(peer, sent.size());
      if (outer) SSL_shutdown(outer.get());
      return;
    }
    const Ssl inner = outer ? accept_within(tls, outer.get()) : tls.accept(descriptor);
    if (!inner) return;
    echo({descriptor, inner.get()}, sent.size());
    SSL_shutdown(inner.get());
    if (outer) SSL_shutdown(outer.get());
  });
  RealNetwork network;
  for (int round = 0; round < 2; ++round) {
    ProxiedDial dial(kind, server.port(), secure);
    const auto transport = transport_of(dial.run(network));
    EXPECT_EQ(dial.progress.stage, Stage::done);
    EXPECT_GE(dial.progress.proxied, dial.progress.connected);
    if (secure) {
      EXPECT_GE(dial.progress.secured, dial.progress.proxied);
    }
    EXPECT_EQ(transport->information().remote_address,
              "127.0.0.1:" + std::to_string(server.port()));
    EXPECT_EQ(transport->information().tls_version.empty(), !secure && kind != Kind::https);
    EXPECT_EQ(transport->information().resumed, round == 1 && (secure || kind == Kind::https));
    expect_echo(network, *transport, sent);
    EXPECT_EQ(asked, round + 1);
    if (!secure) continue;
    Collector collector(*transport, 100);
    network.run_until([&] { return collector.end.has_value(); });
    EXPECT_EQ(collector.end->status, Status::end);
    EXPECT_EQ(collector.end->error, Error::none) << error_name(collector.end->error);
  }
}

TEST(ProxyDial, ATlsWithinTlsThatIsCutOffIsTruncated) {
  const TestTls tls = authority().tls("good");
  for (const bool outer_says_so : {false, true}) {
    TestServer server([&](int descriptor) {
      const Ssl outer = tls.accept(descriptor);
      let_through({descriptor, outer.get()}, Kind::https);
      const Ssl inner = accept_within(tls, outer.get());
      if (inner) SSL_write(inner.get(), "half", 4);
      if (outer_says_so) SSL_shutdown(outer.get());
      ::shutdown(descriptor, SHUT_WR);
      ProxyPeer{descriptor, nullptr}.wait_for_end();
    });
    RealNetwork network;
    ProxiedDial dial(Kind::https, server.port(), true);
    const auto transport = transport_of(dial.run(network));
    Collector collector(*transport, 100);
    network.run_until([&] { return collector.end.has_value(); });
    EXPECT_EQ(collector.received, "half");
    EXPECT_EQ(collector.end->status, Status::end);
    EXPECT_EQ(collector.end->error, Error::tls_truncated);
    transport->shutdown();
  }
}

TEST(ProxyDial, OurEndOfTlsWithinTlsIsOrderly) {
  const TestTls tls = authority().tls("good");
  std::vector<int> ends;
  {
    TestServer server([&](int descriptor) {
      const Ssl outer = tls.accept(descriptor);
      let_through({descriptor, outer.get()}, Kind::https);
      const Ssl inner = accept_within(tls, outer.get());
      char byte = 0;
      for (SSL* ssl : {inner.get(), outer.get()}) {
        const int got = SSL_read(ssl, &byte, 1);
        ends.push_back(SSL_get_error(ssl, got));
      }
    });
    RealNetwork network;
    ProxiedDial dial(Kind::https, server.port(), true);
    const auto transport = transport_of(dial.run(network));
    transport->shutdown();
  }
  EXPECT_EQ(ends, (std::vector<int>{SSL_ERROR_ZERO_RETURN, SSL_ERROR_ZERO_RETURN}));
}

TEST(ProxyDial, CredentialsAreSent) {
  std::string request;
  {
    TestServer server([&](int descriptor) {
      const ProxyPeer peer{descriptor, nullptr};
      request = peer.read_head();
      peer.send(connected);
      peer.wait_for_end();
    });
    RealNetwork network;
    ProxiedDial dial(Kind::http, server.port(), false);
    dial.proxy.user = "me";
    dial.proxy.password = "secret";
    EXPECT_EQ(failure_of(dial.run(network)).error, Error::none);
  }
  EXPECT_NE(request.find("\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n"), std::string::npos);
}

TEST(ProxyDial, WhatAProxyCanAnswer) {
  struct Case {
    Kind kind;
    std::string answer;
    Error error;
    std::string said;
  };
  const std::vector<Case> table{
      {Kind::http, "HTTP/1.1 403 Filtered\r\n\r\n", Error::proxy_refused, "403 Filtered"},
      {Kind::http, "HTTP/1.1 407 Who\r\n\r\n", Error::proxy_unauthorized, "407 Who"},
      {Kind::http, "SSH-2.0-OpenSSH_9\r\n", Error::proxy_protocol, "not an HTTP proxy"},
      {Kind::http, connected + "x", Error::proxy_protocol, "sent more than"},
      {Kind::http, "HTTP/1.1 200", Error::connection_closed, "closed the connection"},
      {Kind::http, "", Error::connection_closed, "closed the connection"},
      {Kind::https, "HTTP/1.1 403 Filtered\r\n\r\n", Error::proxy_refused, "403 Filtered"},
      {Kind::https, connected + "x", Error::proxy_protocol, "sent more than"},
      {Kind::https, "", Error::connection_closed, "closed the connection"},
      {Kind::socks5, "\x05\xff"s, Error::proxy_unauthorized, "user and password"},
      {Kind::socks5, "\x05\x00\x05\x02"s, Error::proxy_refused, "(reply 2)"},
      {Kind::socks5, "HTTP/1.1 400 Bad Request\r\n\r\n", Error::proxy_protocol, "SOCKS5"},
      {Kind::socks5, "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00x"s, Error::proxy_protocol,
       "sent more than"},
      {Kind::socks5, "\x05\x00"s, Error::connection_closed, "closed the connection"},
  };
  const TestTls tls = authority().tls("good");
  for (const Case& one : table) {
    SCOPED_TRACE(one.answer);
    TestServer server([&](int descriptor) {
      const Ssl outer = one.kind == Kind::https ? tls.accept(descriptor) : nullptr;
      const ProxyPeer peer{descriptor, outer.get()};
      if (one.kind != Kind::socks5) peer.read_head();
      peer.send(one.answer);
      ::shutdown(descriptor, SHUT_WR);
      ProxyPeer{descriptor, nullptr}.wait_for_end();
    });
    RealNetwork network;
    ProxiedDial dial(one.kind, server.port(), true);
    const Failure failure = failure_of(dial.run(network));
    EXPECT_EQ(failure.error, one.error) << failure.text;
    EXPECT_TRUE(failure.text.starts_with("proxy 127.0.0.1:" + std::to_string(server.port()) + ": "))
        << failure.text;
    EXPECT_NE(failure.text.find(one.said), std::string::npos) << failure.text;
    EXPECT_EQ(dial.progress.stage, Stage::proxy);
  }
}

TEST(ProxyDial, AProxyThatResets) {
  TestServer server([](int descriptor) {
    ProxyPeer{descriptor, nullptr}.read_head();
    const linger now{1, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  });
  RealNetwork network;
  ProxiedDial dial(Kind::http, server.port(), true);
  const Failure failure = failure_of(dial.run(network));
  EXPECT_EQ(failure.error, Error::connection_reset);
  EXPECT_NE(failure.text.find("reset the connection"), std::string::npos) << failure.text;
}

TEST(ProxyDial, AProxyThatIsNotThere) {
  std::uint16_t port = 0;
  {
    port = TestServer([](int) {}).port();
  }
  RealNetwork network;
  ProxiedDial dial(Kind::socks5, port, true);
  dial.proxy.host = "::1";
  const Failure failure = failure_of(dial.run(network));
  EXPECT_EQ(failure.error, Error::connection_refused);
  EXPECT_TRUE(failure.text.starts_with("proxy [::1]:" + std::to_string(port) + ": TCP: "))
      << failure.text;
  EXPECT_EQ(dial.progress.stage, Stage::tcp);
}

TEST(ProxyDial, CertificatesOfTheProxyAndOfTheServerAreToldApart) {
  const TestTls good = authority().tls("good");
  const TestTls expired = authority().tls("expired");
  for (const bool proxy_is_good : {false, true}) {
    std::atomic<int> requests{0};
    TestServer server([&](int descriptor) {
      const Ssl outer = (proxy_is_good ? good : expired).accept(descriptor);
      if (!outer) return;
      const ProxyPeer peer{descriptor, outer.get()};
      if (!peer.read_head().empty()) ++requests;
      peer.send(connected);
      const Ssl inner = accept_within(expired, outer.get());
      EXPECT_FALSE(inner);
    });
    RealNetwork network;
    ProxiedDial dial(Kind::https, server.port(), true);
    dial.proxy_tls.server_name = "example.com";
    const Failure failure = failure_of(dial.run(network));
    EXPECT_EQ(failure.error, Error::certificate_expired) << failure.text;
    const std::string where = "proxy 127.0.0.1:" + std::to_string(server.port()) + ": ";
    EXPECT_TRUE(failure.text.starts_with(proxy_is_good ? "behind " + where : where))
        << failure.text;
    EXPECT_EQ(dial.progress.stage, proxy_is_good ? Stage::tls : Stage::proxy);
    EXPECT_EQ(requests, proxy_is_good ? 1 : 0) << "nothing is told to a proxy that is not trusted";
  }
}

TEST(ProxyDial, AServerWithinTlsThatSpeaksNoTls) {
  const TestTls tls = authority().tls("good");
  TestServer server([&](int descriptor) {
    const Ssl outer = tls.accept(descriptor);
    const ProxyPeer peer{descriptor, outer.get()};
    let_through(peer, Kind::https);
    peer.read(1);
    peer.send("HTTP/1.1 400 Bad Request\r\n\r\n");
    peer.wait_for_end();
  });
  RealNetwork network;
  ProxiedDial dial(Kind::https, server.port(), true);
  const Failure failure = failure_of(dial.run(network));
  EXPECT_EQ(failure.error, Error::tls_protocol);
  EXPECT_NE(failure.text.find("does not speak TLS"), std::string::npos) << failure.text;
}

TEST(ProxyDial, TheAlertThatWeSendThroughTlsDoesNotHideWhy) {
  const TestTls tls = authority().tls("good");
  TestServer server([&](int descriptor) {
    const Ssl outer = tls.accept(descriptor);
    const ProxyPeer peer{descriptor, outer.get()};
    let_through(peer, Kind::https);
    peer.read(1);
    peer.send("\x16\x03\x03\x00\x04\x0e\x00\x00\x00"s);  // ServerHelloDone, before anything else
    peer.wait_for_end();
  });
  RealNetwork network;
  ProxiedDial dial(Kind::https, server.port(), true);
  const Failure failure = failure_of(dial.run(network));
  EXPECT_EQ(failure.error, Error::tls_protocol);
  EXPECT_NE(failure.text.find("unexpected message"), std::string::npos) << failure.text;
}

/// Stands where the test wants it to.
struct Hang {
  Kind kind;
  std::string answer;  ///< before it says nothing more
  bool tls_first;
  Stage stage;
};

TEST(ProxyDial, CancelledItEndsAtOnceWhereverItIs) {
  const std::vector<Hang> table{
      {Kind::http, "", false, Stage::proxy},
      {Kind::http, "HTTP/1.1 2", false, Stage::proxy},
      {Kind::http, connected, false, Stage::tls},
      {Kind::https, "", false, Stage::proxy},
      {Kind::https, "", true, Stage::proxy},
      {Kind::https, "HTTP/1.1 2", true, Stage::proxy},
      {Kind::https, connected, true, Stage::tls},
      {Kind::socks5, "", false, Stage::proxy},
      {Kind::socks5, "\x05\x00\x05"s, false, Stage::proxy},
      {Kind::socks5, "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"s, false, Stage::tls},
  };
  const TestTls tls = authority().tls("good");
  int number = 0;
  for (const Hang& one : table) {
    SCOPED_TRACE(++number);
    std::atomic<bool> said{false};
    TestServer server([&](int descriptor) {
      const Ssl outer = one.tls_first ? tls.accept(descriptor) : nullptr;
      const ProxyPeer peer{descriptor, outer.get()};
      if (one.kind != Kind::socks5 && (one.tls_first || one.kind == Kind::http)) peer.read_head();
      if (!one.answer.empty()) peer.send(one.answer);
      said = true;
      peer.wait_for_end();
    });
    RealNetwork network;
    ProxiedDial dial(one.kind, server.port(), true);
    dial.start(network);
    network.run_until([&] { return said && dial.progress.stage == one.stage; });
    network.context.restart();
    network.context.run_for(20ms);
    EXPECT_FALSE(dial.result.has_value());
    EXPECT_EQ(dial.progress.stage, one.stage);
    dial.stop.emit(boost::asio::cancellation_type::terminal);
    network.run_until([&] { return dial.result.has_value(); });
    EXPECT_EQ(failure_of(*dial.result).error, Error::stopped);
  }
}

}  // namespace
}  // namespace wskeep::net
