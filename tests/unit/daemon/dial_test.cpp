#include "daemon/net/dial.hpp"

#include <gtest/gtest.h>
#include <netinet/tcp.h>

#include <array>
#include <atomic>
#include <vector>

#include "tests/unit/daemon/proxy_world.hpp"

namespace wskeep::net {
namespace {

using namespace std::chrono_literals;
using Kind = Proxy::Kind;

TEST(Dial, TheKernelIsToldHowLongToWait) {
  TestServer server([](int descriptor) { ProxyPeer{descriptor, nullptr}.wait_for_end(); });
  RealNetwork network;
  const auto option = [](const Transport& transport, int level, int name) {
    int value = -1;
    socklen_t size = sizeof value;
    ::getsockopt(transport.descriptor(), level, name, &value, &size);
    return value;
  };
  ProxiedDial dial(Kind::http, server.port(), false);
  dial.target.proxy = nullptr;
  const auto plain = transport_of(dial.run(network));
  EXPECT_EQ(option(*plain, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(*plain, SOL_SOCKET, SO_KEEPALIVE), 0);
  EXPECT_EQ(option(*plain, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);

  dial.target.user_timeout = 12'345ms;
  dial.target.probe_after = 29'500ms;
  const auto told = transport_of(dial.run(network));
  EXPECT_EQ(option(*told, IPPROTO_TCP, TCP_NODELAY), 1);
  EXPECT_EQ(option(*told, IPPROTO_TCP, TCP_USER_TIMEOUT), 12'345);
  EXPECT_EQ(option(*told, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option(*told, IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(option(*told, IPPROTO_TCP, TCP_KEEPINTVL), 10);
  EXPECT_EQ(option(*told, IPPROTO_TCP, TCP_KEEPCNT), 3);

  dial.target.user_timeout = std::chrono::hours(24 * 365);
  dial.target.probe_after = std::chrono::hours(24 * 365);
  const auto longest = transport_of(dial.run(network));
  EXPECT_GT(option(*longest, IPPROTO_TCP, TCP_USER_TIMEOUT), 1'000'000'000);
  EXPECT_EQ(option(*longest, IPPROTO_TCP, TCP_KEEPIDLE), 32'767);

  dial.target.probe_after = 1ms;
  const auto shortest = transport_of(dial.run(network));
  EXPECT_EQ(option(*shortest, IPPROTO_TCP, TCP_KEEPIDLE), 1);
  EXPECT_EQ(option(*shortest, IPPROTO_TCP, TCP_KEEPINTVL), 1);
}

TEST(Dial, TheKernelGivesUpAPeerThatNeverReads) {
  std::atomic<bool> over{false};
  TestServer server([&](int) {
    while (!over) ::usleep(1000);
  });
  RealNetwork network;
  ProxiedDial dial(Kind::http, server.port(), false);
  dial.target.proxy = nullptr;
  dial.target.user_timeout = 100ms;
  const auto transport = transport_of(dial.run(network));
  const std::vector<std::byte> bytes(1'000'000);
  while (transport->write(bytes).status == Status::done) {
  }
  Collector collector(*transport, 100);
  network.run_until([&] { return collector.end.has_value(); });
  EXPECT_EQ(collector.end->error, Error::send_timeout) << error_name(collector.end->error);
  over = true;
}

TEST(Dial, HandshakesTakeTurns) {
  TestServer server([](int descriptor) { ProxyPeer{descriptor, nullptr}.wait_for_end(); });
  boost::asio::io_context context{1};
  TlsContexts contexts;
  RealEnvironment environment(context, contexts, {}, 2);
  const config::Tls tls = authority().client();
  daemon::Environment::DialTarget target;
  target.endpoint = {boost::asio::ip::address_v4::loopback(), server.port()};
  target.secure = true;
  target.host = "example.com";
  target.tls = &tls;
  std::array<DialProgress, 5> progress;
  std::array<boost::asio::cancellation_signal, 5> stop;
  int ended = 0;
  for (std::size_t i = 0; i < progress.size(); ++i)
    boost::asio::co_spawn(
        context, environment.dial(target, progress[i]),
        boost::asio::bind_cancellation_slot(
            stop[i].slot(), [&](const std::exception_ptr&, const DialResult&) { ++ended; }));
  const auto end = std::chrono::steady_clock::now() + 20s;
  const auto all_there = [&] {
    return environment.handshakes().under_way() + environment.handshakes().waiting() ==
           progress.size();
  };
  while (!all_there() && std::chrono::steady_clock::now() < end) context.run_one_for(100ms);
  EXPECT_EQ(environment.handshakes().under_way(), 2U);
  EXPECT_EQ(environment.handshakes().waiting(), 3U);
  for (auto& one : stop) one.emit(boost::asio::cancellation_type::terminal);
  while (ended < 5 && std::chrono::steady_clock::now() < end) context.run_one_for(100ms);
  EXPECT_EQ(environment.handshakes().under_way(), 0U);
  EXPECT_EQ(environment.handshakes().waiting(), 0U);
}

}  // namespace
}  // namespace wskeep::net
