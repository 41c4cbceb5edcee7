#include "ipc/channel.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstring>
#include <random>
#include <string>

#include "ipc/subscriber.hpp"
#include "tests/unit/ipc/fake_upstream.hpp"
#include "websocket/frame_writer.hpp"
#include "websocket/message_reader.hpp"

namespace wskeep::ipc {
namespace {

using namespace std::chrono_literals;
using websocket::Opcode;

/// The app's end of a subscription: reads when told to, and keeps an account.
class App {
 public:
  App(FakeUpstream& upstream, Subscription subscription, int send_buffer = 0) {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair.data()), 0);
    socket_ = pair[0];
    if (send_buffer > 0)
      ::setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
    auto batches = upstream.channel().batches({}, subscription.filter, 64);
    Subscriber::start(upstream, pair[1], ClientSlot(), subscription, std::move(batches), "", {});
  }
  App(const App&) = delete;
  App& operator=(const App&) = delete;
  ~App() {
    if (socket_ >= 0) ::close(socket_);
  }

  void send(Opcode opcode, std::string_view payload) {
    std::vector<std::byte> frame;
    websocket::append_frame(
        frame, opcode, std::as_bytes(std::span(payload)),
        websocket::MaskingKey{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}});
    ASSERT_EQ(::send(socket_, frame.data(), frame.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(frame.size()));
  }

  /// At most `most` bytes; false: there is nothing to read now.
  bool read(std::size_t most = 1U << 20U) {
    std::vector<std::byte> buffer(most);
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (count == 0) ended = true;
    if (count <= 0) return false;
    const auto result =
        frames_.read(std::span(buffer).first(static_cast<std::size_t>(count)), *this);
    EXPECT_FALSE(result.violation) << result.violation->reason;
    return true;
  }

  void on_message(Opcode, std::span<std::byte> payload) {
    messages.emplace_back(reinterpret_cast<const char*>(payload.data()), payload.size());
  }
  void on_control(Opcode opcode, std::span<const std::byte> payload) {
    controls.emplace_back(
        opcode, std::string(reinterpret_cast<const char*>(payload.data()), payload.size()));
  }

  bool ended = false;
  std::vector<std::string> messages;
  std::vector<std::pair<Opcode, std::string>> controls;

 private:
  int socket_ = -1;
  websocket::MessageReader frames_{{.role = websocket::Role::client, .max_message = 1U << 24U}};
};

Channel::Options options(std::chrono::milliseconds patience = 0ms) {
  return {.shape = {.history = 65'536, .max_message = 4096}, .patience = patience};
}

class ChannelTest : public testing::Test {
 protected:
  /// Runs what is ready, and timers until then.
  void run_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "the condition did not come true";
      context_.restart();
      context_.run_for(1ms);
    }
  }
  void run_ready() {
    context_.restart();
    context_.poll();
  }

  /// Writes numbered messages while `app` reads; both go on until all have arrived.
  void flood(FakeUpstream& upstream, App& app, std::size_t count) {
    Channel& channel = upstream.channel();
    for (std::size_t written = 0; written < count;) {
      if (write(channel, std::to_string(written) + std::string(500, ' '))) {
        ++written;
        channel.deliver();
      } else {
        while (app.read()) {
        }
        const int before = upstream.resumed;
        run_until([&] { return upstream.resumed > before; });
      }
    }
    run_until([&] {
      while (app.read()) {
      }
      return app.messages.size() == count;
    });
  }

  boost::asio::io_context context_{1};
};

Subscription plain() {
  return {};
}
Subscription v1() {
  Subscription subscription;
  subscription.v1 = true;
  return subscription;
}

TEST_F(ChannelTest, APlainReaderGetsMessagesAsTheyAre) {
  FakeUpstream upstream(context_, options());
  App app(upstream, plain());
  ASSERT_TRUE(write(upstream.channel(), "one"));
  ASSERT_TRUE(write(upstream.channel(), "two"));
  upstream.channel().deliver();
  app.read();
  EXPECT_EQ(app.messages, (std::vector<std::string>{"one", "two"}));
}

TEST_F(ChannelTest, AV1ReaderGetsHelloThenNumberedMessagesAndEventsInOrder) {
  FakeUpstream upstream(context_, options());
  App app(upstream, v1());
  ASSERT_TRUE(write(upstream.channel(), "one"));
  upstream.channel().announce("{\"event\":\"disconnected\"}");
  ASSERT_TRUE(write(upstream.channel(), "two"));
  upstream.channel().deliver();
  app.read();
  ASSERT_EQ(app.messages.size(), 4U);
  EXPECT_NE(app.messages[0].find("\"event\":\"hello\""), std::string::npos);
  EXPECT_NE(app.messages[0].find("\"next\":1"), std::string::npos);
  EXPECT_EQ(app.messages[1], "1 1\none");
  EXPECT_EQ(app.messages[2], "{\"event\":\"disconnected\"}");
  EXPECT_EQ(app.messages[3], "2 1\ntwo");
}

TEST_F(ChannelTest, OneThatIsGoneWhileItIsSentTheNewestMessageIsLetGo) {
  // A fault that was: an encoded reader stands behind a batch before that is sent, and one whose
  // socket then turned out to be closed was asked for its place although it was gone.
  FakeUpstream upstream(context_, options());
  auto app = std::make_unique<App>(upstream, v1());
  App other(upstream, v1());
  run_ready();
  app.reset();
  ASSERT_TRUE(write(upstream.channel(), "one"));
  upstream.channel().deliver();
  EXPECT_EQ(upstream.channel().readers(), 1U);
  other.read();
  EXPECT_EQ(other.messages.back(), "1 1\none");
}

TEST_F(ChannelTest, AReaderInTheWayIsWaitedForThenLapped) {
  FakeUpstream upstream(context_, options(50ms));
  App idle(upstream, plain(), 4096);
  const std::string payload(1000, 'x');
  Channel& channel = upstream.channel();
  while (write(channel, payload)) channel.deliver();
  EXPECT_EQ(channel.statistics().stalls, 1U);
  EXPECT_EQ(channel.statistics().lost_messages, 0U);
  run_until([&] { return upstream.resumed > 0; });
  EXPECT_TRUE(write(channel, payload)) << "its patience is spent";
  for (int message = 0; message < 200; ++message)
    ASSERT_TRUE(write(channel, payload)) << "it holds nobody now";
  EXPECT_GE(channel.statistics().stalled, 12ms) << "a quarter, for it has never read";
  run_until([&] {
    idle.read();
    return idle.ended || !idle.controls.empty();
  });
  ASSERT_EQ(idle.controls.size(), 1U);
  EXPECT_EQ(idle.controls[0].first, Opcode::close);
  const std::uint64_t lost = channel.statistics().lost_messages;
  EXPECT_EQ(idle.controls[0].second.substr(2), "lost " + std::to_string(lost) + " messages");
  EXPECT_EQ(idle.messages.size() + lost, channel.ring().first() - 1)
      << "all else was delivered whole";
}

TEST_F(ChannelTest, AReaderThatReadsIsWaitedForAsOftenAsItTakes) {
  FakeUpstream upstream(context_, options(10s));
  App app(upstream, plain());
  flood(upstream, app, 20'000);
  EXPECT_EQ(upstream.channel().statistics().lost_messages, 0U);
  EXPECT_GT(upstream.channel().statistics().stalls, 10U);
  for (std::size_t message = 0; message < app.messages.size(); ++message) {
    ASSERT_EQ(std::stoul(app.messages[message]), message);
  }
}

TEST_F(ChannelTest, OneThatHasReadIsWaitedForInFull) {
  FakeUpstream upstream(context_, options(80ms));
  App app(upstream, plain());
  flood(upstream, app, 1'000);
  const auto stalled_before = upstream.channel().statistics().stalled;
  const std::string payload(1000, 'x');
  while (write(upstream.channel(), payload)) upstream.channel().deliver();
  const int before = upstream.resumed;
  run_until([&] { return upstream.resumed > before; });
  EXPECT_TRUE(write(upstream.channel(), payload));
  EXPECT_GE(upstream.channel().statistics().stalled - stalled_before, 80ms);
}

TEST_F(ChannelTest, OneThatDoesNotReadSpendsNobodyElsesPatience) {
  FakeUpstream upstream(context_, options(2s));
  App app(upstream, plain());
  flood(upstream, app, 1'000);
  const auto before = upstream.channel().statistics().stalled;
  App idle(upstream, plain(), 4096);
  app.messages.clear();
  flood(upstream, app, 5'000);
  const auto stalled = upstream.channel().statistics().stalled - before;
  EXPECT_GE(stalled, 500ms) << "a quarter of the patience";
  EXPECT_LT(stalled, 2s) << "it has not read a ring's worth, however late it came";
  EXPECT_EQ(upstream.channel().statistics().gaps, 0U) << "the idle one is not told before it reads";
  EXPECT_TRUE(app.controls.empty());
}

TEST_F(ChannelTest, AMessageLargerThanTheIndexCouldHoldInTinyOnesFits) {
  // A fault that was: the front part of a large message was counted as many small ones, and its end
  // never admitted.
  Channel::Options large = options();
  large.shape.max_message = 1U << 20U;
  FakeUpstream upstream(context_, large);
  App app(upstream, plain());
  Channel& channel = upstream.channel();
  std::size_t pending = 0;
  while (pending < (1U << 20U)) {
    const std::size_t granted = channel.admit(65'536, pending);
    ASSERT_GT(granted, 0U) << pending;
    pending += granted;
  }
  EXPECT_TRUE(write(channel, std::string(1U << 20U, 'x')));
}

TEST_F(ChannelTest, ACaughtUpReaderIsInNobodysWayHoweverSmallTheRing) {
  Channel::Options small = options(10s);
  small.shape.history = 4096;
  small.shape.max_message = 1;
  FakeUpstream upstream(context_, small);
  App app(upstream, plain());
  EXPECT_GT(upstream.channel().admit(1U << 20U, 0), 0U);
  EXPECT_EQ(upstream.channel().statistics().stalls, 0U);
}

TEST_F(ChannelTest, WaitingInVainIsATenthOfTheTimeAtMost) {
  PatienceCredit credit(100ms);
  auto now = std::chrono::steady_clock::time_point(1h);
  std::chrono::nanoseconds waited{0};
  const auto begin = now;
  while (now - begin < 100s) {
    const auto available = credit.available(now);
    now += available;
    credit.spend(available);
    waited += available;
    now += 1ms;
  }
  EXPECT_LE(waited, 100ms + 100s / 10);
  EXPECT_GE(waited, 5s);
}

TEST_F(ChannelTest, PublishingIsPassedOnWithItsOutcome) {
  FakeUpstream upstream(context_, options());
  App app(upstream, v1());
  app.send(Opcode::text, "id-1\nhello");
  run_until([&] { return !upstream.published.empty(); });
  EXPECT_EQ(upstream.published[0], (std::pair<Opcode, std::string>(Opcode::text, "hello")));
  EXPECT_GT(upstream.flushed, 0);
  upstream.observers[0].first.lock()->on_written(upstream.observers[0].second);
  upstream.rejects = true;
  app.send(Opcode::binary, "id-2\nhello");
  run_until([&] {
    app.read();
    return app.messages.size() >= 3;
  });
  EXPECT_EQ(app.messages[1], "{\"event\":\"sent\",\"id\":\"id-1\"}");
  EXPECT_EQ(
      app.messages[2],
      "{\"event\":\"failed\",\"id\":\"id-2\",\"outcome\":\"rejected\",\"error\":\"not_connected\","
      "\"message\":"
      "\"upstream is not connected\"}");
}

TEST_F(ChannelTest, APlainPublisherThatCannotBeServedIsClosed) {
  FakeUpstream upstream(context_, options());
  upstream.rejects = true;
  App app(upstream, plain());
  app.send(Opcode::text, "hello");
  run_until([&] {
    app.read();
    return app.ended;
  });
  ASSERT_EQ(app.controls.size(), 1U);
  EXPECT_EQ(app.controls[0].second, "\x03\xF5upstream is not connected");
}

TEST_F(ChannelTest, APublisherIsNotReadWhileUpstreamIsFull) {
  FakeUpstream upstream(context_, options());
  upstream.accepts = false;
  App app(upstream, plain());
  app.send(Opcode::text, "one");
  app.send(Opcode::text, "two");
  for (int turn = 0; turn < 20; ++turn) run_ready();
  EXPECT_LE(upstream.published.size(), 1U);
  upstream.accepts = true;
  upstream.channel().publishers_may_go_on();
  run_until([&] { return upstream.published.size() == 2; });
  EXPECT_EQ(upstream.published[1].second, "two");
}

TEST_F(ChannelTest, PingsAreAnsweredAndBadFramesClose) {
  FakeUpstream upstream(context_, options());
  App app(upstream, plain());
  app.send(Opcode::ping, "abc");
  run_until([&] {
    app.read();
    return app.controls.size() == 1;
  });
  EXPECT_EQ(app.controls[0], (std::pair<Opcode, std::string>(Opcode::pong, "abc")));
  app.send(Opcode::text, "\xFF");
  run_until([&] {
    app.read();
    return app.controls.size() == 2;
  });
  EXPECT_EQ(app.controls[1].second.substr(0, 2), "\x03\xEF");
}

/// What a reader received and what it was told that it lost must be all that was sent, each once,
/// in order.
void check_account(const std::vector<std::string>& messages, ring::Sequence next) {
  ring::Sequence expected = 0;
  for (const std::string& message : messages) {
    if (message[0] == '{') {
      const auto event = boost::json::parse(message).as_object();
      if (event.at("event") == "hello") {
        expected = event.at("next").to_number<ring::Sequence>();
      } else if (event.at("event") == "gap") {
        ASSERT_EQ(event.at("from").to_number<ring::Sequence>(), expected);
        expected = event.at("to").to_number<ring::Sequence>() + 1;
      }
    } else {
      ASSERT_EQ(std::stoull(message), expected);
      ASSERT_EQ(std::stoull(message.substr(message.find('\n') + 1)), expected)
          << "another message's payload";
      ++expected;
    }
  }
  ASSERT_EQ(expected, next);
}

TEST_F(ChannelTest, EveryAccountIsExactOverRandomSchedules) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Channel::Options small = options();
    small.shape.history = 4096 * (1 + random() % 8);
    small.batch_bytes = 1000;
    FakeUpstream upstream(context_, small);
    Channel& channel = upstream.channel();
    std::vector<std::unique_ptr<App>> apps;
    for (int app = 0; app < 4; ++app) apps.push_back(std::make_unique<App>(upstream, v1(), 4096));
    for (int step = 0; step < 2000; ++step) {
      const std::size_t burst = random() % 20;
      for (std::size_t message = 0; message < burst; ++message) {
        const std::string number = std::to_string(channel.ring().next());
        ASSERT_TRUE(write(
            channel, number + " " + std::string(random() % (random() % 10 == 0 ? 4000 : 50), '.')));
      }
      channel.deliver();
      if (random() % 50 == 0) channel.announce("{\"event\":\"disconnected\"}");
      apps[random() % apps.size()]->read(1 + random() % 20'000);
      if (random() % 3 == 0) run_ready();
    }
    run_until([&] {
      run_ready();
      bool progress = false;
      for (const auto& app : apps) progress = app->read() || progress;
      return !progress;
    });
    for (const auto& app : apps) check_account(app->messages, channel.ring().next());
    EXPECT_GT(channel.statistics().lost_messages, 0U) << "the schedule lapped nobody";
  }
}

TEST_F(ChannelTest, PlainReadersThatSkipGetWholeMessagesOnly) {
  for (unsigned seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    Channel::Options small = options();
    small.shape.history = 4096;
    FakeUpstream upstream(context_, small);
    Channel& channel = upstream.channel();
    Subscription skip = plain();
    skip.gap = config::Gap::skip;
    App app(upstream, skip, 4096);
    for (int step = 0; step < 1500; ++step) {
      for (std::size_t message = random() % 20; message > 0; --message) {
        const std::string number = std::to_string(channel.ring().next());
        ASSERT_TRUE(write(channel, number + std::string(random() % 3000, '.') + "!"));
      }
      channel.deliver();
      app.read(1 + random() % 20'000);
      if (random() % 3 == 0) run_ready();
      if (random() % 40 == 0) app.send(Opcode::ping, "p");
    }
    run_until([&] {
      run_ready();
      return !app.read();
    });
    std::uint64_t last = 0;
    for (const std::string& message : app.messages) {
      const std::uint64_t number = std::stoull(message);
      ASSERT_GT(number, last);
      ASSERT_EQ(message.back(), '!');
      last = number;
    }
    EXPECT_EQ(last + 1, channel.ring().next());
    EXPECT_EQ(app.messages.size() + channel.statistics().lost_messages, channel.ring().next() - 1);
    EXPECT_GT(channel.statistics().lost_messages, 0U);
  }
}

}  // namespace
}  // namespace wskeep::ipc
