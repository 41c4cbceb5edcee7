// How old what is handed to local apps is: Channel::DeliveryLag.

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "ipc/subscriber.hpp"
#include "tests/unit/ipc/fake_upstream.hpp"

namespace wskeep::ipc {
namespace {

using namespace std::chrono_literals;

class DeliveryLagTest : public testing::Test {
 protected:
  ~DeliveryLagTest() override {
    for (const int socket : sockets_) ::close(socket);
  }

  /// The app's end of its socket, which has room for little.
  int subscribe(Subscription::From from = Subscription::From::newest) {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
    const int least = 1;
    ::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    Subscription subscription;
    subscription.from = from;
    Subscriber::start(upstream_, pair[1], ClientSlot(), subscription, channel().batches(), "", {});
    sockets_.push_back(pair[0]);
    return pair[0];
  }

  Channel& channel() { return upstream_.channel(); }

  /// A message that was received so long ago.
  void commit(std::chrono::nanoseconds age, std::size_t size = 100) {
    const auto received = std::chrono::system_clock::now().time_since_epoch() - age;
    const std::vector<std::byte> payload(size);
    std::vector<std::byte> frame;
    websocket::append_frame(frame, websocket::Opcode::binary, payload, std::nullopt);
    ring::Ring& ring = channel().ring();
    channel().claim(frame.size());
    std::memcpy(ring.unwritten(), frame.data(), frame.size());
    ring.commit(2, static_cast<std::uint8_t>(frame.size() - size), frame.size(),
                static_cast<std::uint64_t>(
                    std::chrono::duration_cast<std::chrono::nanoseconds>(received).count()));
  }

  /// The app reads all that there is, and the channel goes on, until `bytes` have come.
  void read(int socket, std::size_t bytes) {
    std::vector<std::byte> buffer(65'536);
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (bytes > 0) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
      if (count > 0) bytes -= std::min(bytes, static_cast<std::size_t>(count));
      context_.restart();
      context_.poll();
    }
  }

  std::uint64_t count() {
    if (channel().delivery_lag() == nullptr) return 0;
    const auto& counts = channel().delivery_lag()->counts();
    return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
  }
  std::chrono::nanoseconds sum() { return channel().delivery_lag()->sum(); }

  boost::asio::io_context context_{1};
  FakeUpstream upstream_{
      context_, {.shape = {.history = 1U << 20U, .max_message = 1U << 18U}, .patience = 0ms}};
  std::vector<int> sockets_;
};

TEST_F(DeliveryLagTest, ABatchIsItsOldestMessageHoweverManyTakeIt) {
  for (int app = 0; app < 3; ++app) subscribe();
  commit(3s);
  commit(1s);
  channel().deliver();
  EXPECT_EQ(count(), 1U);
  EXPECT_GE(sum(), 3s);
  channel().deliver();
  EXPECT_EQ(count(), 1U) << "there was nothing new";
  commit(2s);
  channel().deliver();
  EXPECT_EQ(count(), 2U);
  EXPECT_GE(sum(), 5s);
}

TEST_F(DeliveryLagTest, WithoutAnAppNothingIsHandedOver) {
  commit(1s);
  channel().deliver();
  subscribe();
  channel().announce("{}");
  EXPECT_EQ(count(), 0U);
}

TEST_F(DeliveryLagTest, OneThatIsWaitedForCountsWhenItHasTaken) {
  const int app = subscribe();
  commit(5s, 200'000);
  channel().deliver();
  EXPECT_EQ(count(), 0U) << "it does not fit";
  read(app, 200'000);
  EXPECT_EQ(count(), 1U);
  EXPECT_GE(sum(), 5s);
}

TEST_F(DeliveryLagTest, WhatWasBeforeItIsNotLate) {
  commit(1h, 200'000);
  channel().deliver();
  const int app = subscribe(Subscription::From::oldest);
  commit(0s, 200'000);
  channel().deliver();
  read(app, 400'000);
  EXPECT_EQ(count(), 1U);
  EXPECT_LT(sum(), 30min);
}

TEST_F(DeliveryLagTest, AJumpOfTheWallClockIsAnHourAtMost) {
  subscribe();
  commit(24h * 365);
  channel().deliver();
  commit(-24h * 365);
  channel().deliver();
  EXPECT_EQ(count(), 2U);
  EXPECT_EQ(sum(), 1h);
}

}  // namespace
}  // namespace wskeep::ipc
