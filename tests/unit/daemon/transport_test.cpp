#include "daemon/net/transport.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/daemon/transport_world.hpp"

namespace wskeep::net {
namespace {

using namespace std::chrono_literals;

void write_all(RealNetwork& network, Transport& transport, std::string_view text) {
  std::span<const std::byte> data = std::as_bytes(std::span(text));
  network.run_until([&] {
    const IoResult result = transport.write(data);
    EXPECT_NE(result.status, Status::failed);
    data = data.subspan(result.bytes);
    return data.empty() || result.status == Status::failed;
  });
}

TEST(TcpTransport, CarriesBytesBothWaysAndKnowsItsAddresses) {
  const std::string large = pattern(3'000'000, 1);
  TestServer server([&](int descriptor) {
    std::string got(4, '\0');
    ::recv(descriptor, got.data(), got.size(), MSG_WAITALL);
    if (got == "ping") ::send(descriptor, large.data(), large.size(), MSG_NOSIGNAL);
  });
  RealNetwork network;
  const auto transport = transport_of(network.dial(server.port(), false, "x", {}));
  EXPECT_EQ(transport->information().remote_address, "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(network.progress.stage, daemon::DialProgress::Stage::done);
  write_all(network, *transport, "ping");
  Collector collector(*transport, 10'000);
  network.run_until([&] { return collector.end.has_value(); });
  EXPECT_TRUE(collector.received == large);
  EXPECT_EQ(collector.end->status, Status::end);
  EXPECT_EQ(collector.end->error, Error::none);
}

TEST(TcpTransport, AResetIsAFailure) {
  TestServer server([](int descriptor) {
    char byte = 0;
    ::recv(descriptor, &byte, 1, 0);  // not before the dial is over
    const linger now{1, 0};
    ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  });
  RealNetwork network;
  const auto transport = transport_of(network.dial(server.port(), false, "x", {}));
  write_all(network, *transport, "x");
  Collector collector(*transport, 100);
  network.run_until([&] { return collector.end.has_value(); });
  EXPECT_EQ(collector.end->status, Status::failed);
  EXPECT_EQ(collector.end->error, Error::connection_reset);
}

TEST(TcpTransport, AfterItsEndNoObserverIsCalled) {
  TestServer server([](int descriptor) { ::send(descriptor, "x", 1, MSG_NOSIGNAL); });
  RealNetwork network;
  struct Never final : TransportObserver {
    void on_readable() override { ADD_FAILURE(); }
    void on_writable() override { ADD_FAILURE(); }
  } never;
  auto transport = transport_of(network.dial(server.port(), false, "x", {}));
  transport->observe(&never);
  transport->want_read();
  transport->want_write();
  transport.reset();
  network.context.restart();
  network.context.run_for(100ms);
}

TEST(TcpTransport, AsksOnceHoweverOftenItIsAsked) {
  TestServer server([](int descriptor) {
    char byte = 0;
    ::recv(descriptor, &byte, 1, 0);
  });
  RealNetwork network;
  const auto transport = transport_of(network.dial(server.port(), false, "x", {}));
  Collector collector(*transport, 100);
  transport->want_write();
  transport->want_write();
  network.context.restart();
  network.context.run_for(50ms);
  EXPECT_EQ(collector.writable, 1);
  transport->shutdown();
  network.run_until([&] { return collector.end.has_value(); });
}

TEST(Dial, NobodyListens) {
  std::uint16_t port = 0;
  {
    port = TestServer([](int) {}).port();
  }
  RealNetwork network;
  EXPECT_EQ(failure_of(network.dial(port, false, "x", {})).error, Error::connection_refused);
}

TEST(Dial, CancelledItEndsAtOnce) {
  TestServer server([](int descriptor) {
    char byte = 0;
    while (::recv(descriptor, &byte, 1, 0) > 0) {
    }
  });
  RealNetwork network;
  boost::asio::cancellation_signal stop;
  const config::Tls tls = authority().client();
  daemon::Environment::DialTarget target;
  target.endpoint = {boost::asio::ip::address_v4::loopback(), server.port()};
  target.secure = true;
  target.host = "example.com";
  target.tls = &tls;
  std::optional<DialResult> result;
  boost::asio::co_spawn(network.context,
                        network.environment.dial(std::move(target), network.progress),
                        boost::asio::bind_cancellation_slot(
                            stop.slot(), [&](std::exception_ptr thrown, DialResult value) {
                              EXPECT_FALSE(thrown);
                              result = std::move(value);
                            }));
  network.context.restart();
  network.context.run_for(100ms);  // the server does not answer the handshake
  EXPECT_FALSE(result.has_value());
  EXPECT_EQ(network.progress.stage, daemon::DialProgress::Stage::tls);
  stop.emit(boost::asio::cancellation_type::terminal);
  network.run_until([&] { return result.has_value(); }, 1s);
  EXPECT_EQ(failure_of(*result).error, Error::stopped);
}

}  // namespace
}  // namespace wskeep::net
