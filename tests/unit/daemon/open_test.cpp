#include "daemon/upstream/open.hpp"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <fstream>
#include <string>
#include <vector>

#include "daemon/upstream/address_memory.hpp"
#include "daemon/upstream/backoff.hpp"
#include "daemon/upstream/timeline.hpp"
#include "tests/unit/daemon/simulated_environment.hpp"
#include "websocket/upgrade.hpp"

namespace wskeep::upstream {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using daemon::Error;
using simulated::Peer;
using Log = std::vector<std::string>;

std::string accept_of(const std::string& request) {
  const std::string name = "Sec-WebSocket-Key: ";
  const std::size_t begin = request.find(name) + name.size();
  return websocket::compute_accept(request.substr(begin, request.find("\r\n", begin) - begin));
}

std::string switching(const std::string& request, const std::string& more = "") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         accept_of(request) + "\r\n" + more + "\r\n";
}

/// A peer that answers a whole request with what `answer` makes of it.
std::function<void(Peer)> answers(std::function<std::string(const std::string&)> answer) {
  return [answer = std::move(answer)](Peer peer) {
    peer.on_received([peer, answer]() mutable {
      if (peer.received().ends_with("\r\n\r\n")) peer.send(answer(peer.take()));
    });
  };
}

std::function<void(Peer)> upgrades() {
  return answers([](const std::string& request) { return switching(request); });
}

std::function<void(Peer)> says(const std::string& text) {
  return answers([text](const std::string&) { return text; });
}

/// One connection in a simulated world.
struct World {
  World() {
    connection.name = "test";
    connection.url = config::Text("wss://example.com/ws");
  }

  void name(std::vector<std::string> addresses) {
    environment.names["example.com"].addresses = std::move(addresses);
  }

  void start() {
    result.reset();
    asio::co_spawn(
        environment.executor(), open_session(environment, connection, memory, timeline),
        asio::bind_cancellation_slot(stop.slot(), [this](std::exception_ptr thrown, OpenResult r) {
          if (thrown) std::rethrow_exception(thrown);
          environment.note(
              std::holds_alternative<Opened>(r)
                  ? "opened"
                  : std::string(daemon::error_name(std::get<OpenFailure>(r).failure.error)));
          result = std::move(r);
        }));
  }
  void open() {
    start();
    environment.run();
    ASSERT_TRUE(result.has_value());
  }
  const OpenFailure& failure() const { return std::get<OpenFailure>(result.value()); }
  const Opened& opened() const { return std::get<Opened>(result.value()); }
  const Cycle& cycle() const { return timeline.cycles().back(); }

  config::Connection connection;
  AddressMemory memory;
  Timeline timeline;
  asio::cancellation_signal stop;
  simulated::Environment environment;  // behind all that its coroutines refer to
  std::optional<OpenResult> result;
};

TEST(Open, TheUsualWay) {
  World world;
  world.environment.names["example.com"] = {{"10.0.0.1"}, 20ms};
  auto& route = world.environment.routes["10.0.0.1"];
  route.tcp = 30ms;
  route.tls = 50ms;
  route.on_open = upgrades();
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve example.com", "20 dial 10.0.0.1", "50 connected 10.0.0.1",
                 "50 tls 10.0.0.1", "100 open 10.0.0.1", "100 opened"}));
  EXPECT_EQ(world.opened().response.status, 101U);
  const AddressStep& step = world.cycle().addresses.at(0);
  EXPECT_EQ(step.started, 20ms);
  EXPECT_EQ(step.connected, 50ms);
  EXPECT_EQ(step.secured, 100ms);
  EXPECT_EQ(step.answered, 100ms);
  EXPECT_EQ(step.reached, Stage::open);
  EXPECT_EQ(world.cycle().resolve->duration, 20ms);
  EXPECT_EQ(world.cycle().ended, 100ms);
  EXPECT_EQ(world.cycle().failure.error, Error::none);
}

TEST(Open, DeadAddressesAreJoinedByTheNext) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.environment.routes["10.0.0.1"].tcp_hangs = true;
  world.environment.routes["10.0.0.2"].tcp = 10ms;
  world.environment.routes["10.0.0.2"].tcp_error = Error::connection_refused;
  world.environment.routes["10.0.0.3"].tcp = 5ms;
  world.environment.routes["10.0.0.3"].on_open = upgrades();
  world.open();
  EXPECT_EQ(
      world.environment.log,
      (Log{"0 resolve example.com", "0 dial 10.0.0.1", "250 dial 10.0.0.2",
           "260 connection_refused 10.0.0.2", "260 dial 10.0.0.3", "265 connected 10.0.0.3",
           "265 tls 10.0.0.3", "265 open 10.0.0.3", "265 cancel dial 10.0.0.1", "265 opened"}));
  EXPECT_EQ(world.cycle().addresses.at(0).failure.error, Error::stopped);
  EXPECT_EQ(world.cycle().addresses.at(1).failure.error, Error::connection_refused);
}

TEST(Open, OneThatHangsInTlsIsFollowedAfterItsDeadlineByTheReserve) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.environment.routes["10.0.0.1"].tcp = 300ms;
  world.environment.routes["10.0.0.1"].tls_hangs = true;
  world.environment.routes["10.0.0.2"].tcp = 200ms;
  world.environment.routes["10.0.0.2"].on_open = upgrades();
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve example.com", "0 dial 10.0.0.1", "250 dial 10.0.0.2",
                 "300 connected 10.0.0.1", "300 tls 10.0.0.1", "450 connected 10.0.0.2",
                 "10000 cancel tls 10.0.0.1", "10000 tls 10.0.0.2", "10000 open 10.0.0.2",
                 "10000 opened"}));
  EXPECT_EQ(world.cycle().addresses.at(0).failure.error, Error::address_timeout);
  EXPECT_EQ(world.cycle().addresses.at(0).reached, Stage::tls);
}

TEST(Open, OneThatHangsInHttpIsFollowedAfterItsDeadline) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2"});
  world.environment.routes["10.0.0.1"].on_open = [](Peer) {};
  world.environment.routes["10.0.0.2"].on_open = upgrades();
  world.open();
  EXPECT_EQ(
      world.environment.log,
      (Log{"0 resolve example.com", "0 dial 10.0.0.1", "0 connected 10.0.0.1", "0 tls 10.0.0.1",
           "0 open 10.0.0.1", "10000 dial 10.0.0.2", "10000 connected 10.0.0.2",
           "10000 tls 10.0.0.2", "10000 open 10.0.0.2", "10000 opened"}));
}

TEST(Open, AnAnswerDrippedByteByByteHasTheAddressDeadline) {
  World world;
  world.name({"10.0.0.1"});
  world.connection.url = config::Text("ws://example.com/");
  std::optional<Peer> peer;
  world.environment.routes["10.0.0.1"].on_open = [&](Peer p) { peer = p; };
  world.start();
  for (int i = 0; i < 30 && !world.result; ++i) {
    world.environment.run_for(i == 0 ? 0ms : 400ms);
    peer->send("H");
  }
  world.environment.run();
  EXPECT_EQ(world.failure().failure.error, Error::http_invalid);  // "HH" is no HTTP
  World slow;
  slow.name({"10.0.0.1"});
  slow.environment.routes["10.0.0.1"].on_open = [&](Peer p) { peer = p; };
  slow.start();
  const std::string answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n";
  slow.environment.run_for(0ms);
  for (int i = 0; !slow.result; ++i) {
    ASSERT_LT(i, 40);
    peer->send(answer.substr(static_cast<std::size_t>(i), 1));
    slow.environment.run_for(400ms);
  }
  EXPECT_EQ(slow.failure().failure.error, Error::address_timeout);
  EXPECT_EQ(slow.cycle().ended, 10s);
  EXPECT_TRUE(peer->closed());
}

TEST(Open, AllDeadEndsInBoundedTime) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"});
  for (int i = 1; i <= 6; ++i)
    world.environment.routes["10.0.0." + std::to_string(i)].tcp_hangs = true;
  world.open();
  EXPECT_EQ(world.environment.log.back(), "11000 address_timeout");
  EXPECT_EQ(world.cycle().addresses.size(), 5U);  // fallback.addresses
  EXPECT_EQ(world.memory.size(), 5U);
}

TEST(Open, TheWholeCycleHasADeadline) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2"});
  world.connection.settings.timeouts.connect = 3s;
  world.environment.routes["10.0.0.1"].tcp_hangs = true;
  world.environment.routes["10.0.0.2"].tls_hangs = true;
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve example.com", "0 dial 10.0.0.1", "250 dial 10.0.0.2",
                 "250 connected 10.0.0.2", "250 tls 10.0.0.2", "3000 cancel dial 10.0.0.1",
                 "3000 cancel tls 10.0.0.2", "3000 connect_timeout"}));
}

TEST(Open, TheFailureThatCameFarthestIsTold) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.environment.routes["10.0.0.1"].on_open = says("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  world.environment.routes["10.0.0.2"].tls_error = Error::certificate_expired;
  world.open();  // .3 refuses
  EXPECT_EQ(world.failure().failure.error, Error::http_status);
  EXPECT_EQ(world.failure().http_status, 502U);
  EXPECT_NE(world.failure().failure.text.find("10.0.0.1:443"), std::string::npos);
  EXPECT_EQ(world.cycle().addresses.size(), 3U);
}

TEST(Open, TheLastGoodAddressIsTriedFirst) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2"});
  world.environment.routes["10.0.0.2"].on_open = upgrades();
  world.open();
  world.environment.routes["10.0.0.1"].on_open = upgrades();
  world.environment.log.clear();
  world.open();
  EXPECT_EQ(world.environment.log.at(1), "0 dial 10.0.0.2");
}

TEST(Open, NamesThatFail) {
  for (const bool hangs : {false, true}) {
    World world;
    world.environment.names["example.com"].error = Error::resolve_failed;
    world.environment.names["example.com"].hangs = hangs;
    world.open();
    EXPECT_EQ(world.environment.log.back(), hangs ? "5000 resolve_timeout" : "0 resolve_failed");
    EXPECT_EQ(world.cycle().resolve->failure.error, world.failure().failure.error);
    EXPECT_EQ(world.cycle().ended, hangs ? 5s : 0s);
  }
}

TEST(Open, EarlyBytesAreKept) {
  World world;
  world.name({"10.0.0.1"});
  const std::string frames("\x81\x02hi\x81", 5);
  world.environment.routes["10.0.0.1"].on_open =
      answers([&](const std::string& request) { return switching(request) + frames; });
  world.open();
  const auto& early = world.opened().early_bytes;
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(early.data()), early.size()), frames);
}

TEST(Open, TheRequestIsWhatTheConfigurationSays) {
  World world;
  world.connection.url = config::Text("ws://me:s3cret@example.com:8080/path?q=1");
  world.name({"10.0.0.1"});
  world.connection.settings.headers.emplace_back("X-One", config::Text("1"));
  world.connection.settings.subprotocols = {"a", "b"};
  world.connection.settings.compression = true;
  std::string request;
  world.environment.routes["10.0.0.1"].on_open = answers([&](const std::string& received) {
    request = received;
    return switching(
        received,
        "Sec-WebSocket-Protocol: b\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n");
  });
  world.open();
  EXPECT_TRUE(request.starts_with("GET /path?q=1 HTTP/1.1\r\nHost: example.com:8080\r\n"));
  EXPECT_NE(request.find("Authorization: Basic bWU6czNjcmV0\r\n"), std::string::npos);
  EXPECT_NE(request.find("X-One: 1\r\n"), std::string::npos);
  EXPECT_EQ(world.opened().subprotocol, "b");
  ASSERT_TRUE(world.opened().compression.has_value());
  EXPECT_TRUE(world.opened().compression->server_no_context_takeover);
  for (const std::string& line : world.environment.log)
    EXPECT_EQ(line.find("tls"), std::string::npos) << line;
}

TEST(Open, TheConfigurationsOwnAuthorizationWins) {
  World world;
  world.connection.url = config::Text("ws://me:s3cret@example.com/");
  world.connection.settings.headers.emplace_back("authorization", config::Text("Bearer t"));
  world.name({"10.0.0.1"});
  std::string request;
  world.environment.routes["10.0.0.1"].on_open = answers([&](const std::string& received) {
    request = received;
    return switching(received);
  });
  world.open();
  EXPECT_NE(request.find("authorization: Bearer t\r\n"), std::string::npos);
  EXPECT_EQ(request.find("Basic"), std::string::npos);
}

TEST(Open, EachAttemptHasAKeyOfItsOwn) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2"});
  std::vector<std::string> accepts;
  for (const char* address : {"10.0.0.1", "10.0.0.2"})
    world.environment.routes[address].on_open = answers([&](const std::string& request) {
      accepts.push_back(accept_of(request));
      return std::string("HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n");
    });
  world.open();
  ASSERT_EQ(accepts.size(), 2U);
  EXPECT_NE(accepts[0], accepts[1]);
}

TEST(Open, WhatTheConfigurationNamesIsReadAtEachAttempt) {
  const std::string file = ::testing::TempDir() + "/wskeep_open_test_token";
  World world;
  world.name({"10.0.0.1"});
  world.connection.settings.headers.emplace_back("X-Token", config::Text("${file:" + file + "}"));
  world.environment.routes["10.0.0.1"].on_open = upgrades();
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::configuration);
  EXPECT_EQ(world.environment.log, (Log{"0 configuration"}));  // nobody was asked anything
  std::ofstream(file) << "abc\n";
  world.open();
  EXPECT_EQ(world.opened().response.status, 101U);
  std::ofstream(file) << "a\nb";  // a line break within a header
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::configuration);
  EXPECT_EQ(world.failure().failure.text.find("a\nb"), std::string::npos);
  std::remove(file.c_str());
}

struct Refusal {
  std::string answer;
  Error error;
  unsigned status;
  std::optional<std::chrono::seconds> retry_after;
  bool next_address;  ///< whether another address was tried
};

TEST(Open, RefusalsAreTold) {
  const std::vector<Refusal> table{
      {"HTTP/1.1 401 Unauthorized\r\n\r\n", Error::http_unauthorized, 401, {}, false},
      {"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope",
       Error::http_unauthorized,
       403,
       {},
       false},
      {"HTTP/1.1 404 Not Found\r\n\r\n", Error::http_status, 404, {}, false},
      {"HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n",
       Error::http_status,
       200,
       {},
       true},
      {"HTTP/1.1 301 Moved\r\nLocation: https://other/?secret=1\r\n\r\n",
       Error::http_status,
       301,
       {},
       false},
      {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 17\r\n\r\n", Error::http_too_many_requests,
       429, 17s, false},
      {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 99999999999999\r\n\r\n",
       Error::http_too_many_requests, 429, 3600s, false},
      {"HTTP/1.1 503 Busy\r\nRetry-After: Thu, 01 Jan 2026 00:01:30 GMT\r\nContent-Length: "
       "0\r\n\r\n",
       Error::http_unavailable, 503, 90s, true},
      {"HTTP/1.1 503 Busy\r\nRetry-After: Mon, 01 Jan 2018 00:00:00 GMT\r\n\r\n",
       Error::http_unavailable, 503, 0s, true},
      {"HTTP/1.1 503 Busy\r\nRetry-After: soon\r\n\r\n", Error::http_unavailable, 503, {}, true},
      {"HTTP/1.1 500 Oops\r\n\r\n", Error::http_status, 500, {}, true},
      {"SSH-2.0-OpenSSH_9.2\r\n", Error::http_invalid, 0, {}, true},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
       Error::upgrade_invalid,
       101,
       {},
       true},
      {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: "
       "Upgrade\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
       Error::upgrade_invalid,
       101,
       {},
       true},
      {"HTTP/1.1 101 S\r\nX: " + std::string(9000, 'x') + "\r\n\r\n",
       Error::http_invalid,
       0,
       {},
       true},
  };
  for (const Refusal& refusal : table) {
    SCOPED_TRACE(refusal.answer.substr(0, 80));
    World world;
    world.name({"10.0.0.1", "10.0.0.2"});
    world.environment.routes["10.0.0.1"].on_open = says(refusal.answer);
    world.open();
    EXPECT_EQ(world.failure().failure.error, refusal.error);
    EXPECT_EQ(world.failure().http_status, refusal.status);
    EXPECT_EQ(world.failure().retry_after, refusal.retry_after);
    EXPECT_EQ(world.cycle().addresses.size() == 2, refusal.next_address);
    EXPECT_EQ(world.failure().failure.text.find("secret"), std::string::npos);
    EXPECT_LE(world.cycle().ended, 1000ms);  // a body without an end is not waited for
  }
}

TEST(Open, ARefusalsBodyIsQuotedCleanly) {
  World world;
  world.name({"10.0.0.1"});
  world.environment.routes["10.0.0.1"].on_open =
      says("HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nbad\x1b[31m\nkey");
  world.open();
  EXPECT_EQ(world.failure().failure.text,
            "10.0.0.1:443: the server answered 403 Forbidden: bad [31m key");
}

TEST(Open, AnEndlessBodyIsBounded) {
  World world;
  world.name({"10.0.0.1"});
  world.environment.routes["10.0.0.1"].on_open =
      says("HTTP/1.1 403 No\r\n\r\n" + std::string(1'000'000, 'x'));
  world.open();
  EXPECT_EQ(world.failure().http_status, 403U);
  EXPECT_LT(world.failure().failure.text.size(), 300U);
}

TEST(Open, ServersThatEndInsteadOfAnswering) {
  for (const Error how : {Error::none, Error::tls_truncated, Error::connection_reset,
                          Error::client_certificate_required}) {
    World world;
    world.name({"10.0.0.1"});
    world.environment.routes["10.0.0.1"].on_open = [how](Peer peer) {
      if (how == Error::none || how == Error::tls_truncated)
        peer.end(how);
      else
        peer.reset(how);
    };
    world.open();
    const bool orderly = how == Error::none || how == Error::tls_truncated;
    EXPECT_EQ(world.failure().failure.error, orderly ? Error::connection_closed : how);
  }
}

TEST(Open, ARequestThatIsTakenInPiecesArrivesWhole) {
  World world;
  world.name({"10.0.0.1"});
  std::string request;
  world.environment.routes["10.0.0.1"].on_open = [&](Peer peer) {
    peer.set_room(7);
    peer.set_read_limit(1);
    peer.on_received([&request, peer]() mutable {
      request += peer.take();
      if (request.ends_with("\r\n\r\n")) peer.send(switching(request) + "x");
    });
  };
  world.open();
  EXPECT_TRUE(world.opened().early_bytes.empty());  // it was read only as far as the 101 goes
}

/// The same story, with every kind of step, told until it ends or is cut off.
struct Story : World {
  Story() {
    name({"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"});
    environment.names["example.com"].after = 10ms;
    environment.routes["10.0.0.1"].tcp_hangs = true;
    environment.routes["10.0.0.2"].tls_hangs = true;
    environment.routes["10.0.0.2"].tcp = 5ms;
    environment.routes["10.0.0.3"].on_open = says("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    environment.routes["10.0.0.4"].on_open = upgrades();
    environment.routes["10.0.0.4"].tls = 20ms;
  }
};

TEST(Open, CancelledAtAnyStepItStopsAtOnce) {
  Story whole;
  whole.open();
  ASSERT_TRUE(std::holds_alternative<Opened>(*whole.result));
  const std::uint64_t operations = whole.environment.operations();
  ASSERT_GT(operations, 20U);
  for (std::uint64_t n = 1; n <= operations; ++n) {
    SCOPED_TRACE(n);
    Story story;
    std::optional<std::chrono::milliseconds> when;
    story.environment.on_operation = [&](std::uint64_t number) {
      if (number == n) {
        when = story.environment.elapsed();
        asio::post(story.environment.context,
                   [&] { story.stop.emit(asio::cancellation_type::terminal); });
      }
      return true;
    };
    story.open();
    if (std::holds_alternative<OpenFailure>(*story.result)) {
      EXPECT_EQ(story.failure().failure.error, Error::stopped);
      EXPECT_EQ(story.environment.log.back(), std::to_string(when->count()) + " stopped");
    } else {
      EXPECT_GE(n, operations - 3);  // it was open already
    }
    for (const AddressStep& step : story.cycle().addresses) EXPECT_TRUE(step.ended.has_value());
  }
}

TEST(Open, WhateverFailsItEndsInTime) {
  Story whole;
  whole.open();
  for (std::uint64_t n = 1; n <= whole.environment.operations(); ++n) {
    SCOPED_TRACE(n);
    Story story;
    story.environment.on_operation = [&](std::uint64_t number) { return number != n; };
    story.open();
    EXPECT_LE(story.cycle().ended, story.connection.settings.timeouts.connect);
    for (const AddressStep& step : story.cycle().addresses) EXPECT_TRUE(step.ended.has_value());
  }
}

TEST(Open, AContextThatGoesAwayTakesEverythingAlong) {
  Story story;
  story.start();
  story.environment.run_for(300ms);
  EXPECT_FALSE(story.result.has_value());
}

asio::awaitable<void> keep_trying(World& world, std::uint64_t& cycles, daemon::TimePoint until) {
  Backoff backoff(world.connection.settings.reconnect);
  while (world.environment.now() < until) {
    const OpenResult result =
        co_await open_session(world.environment, world.connection, world.memory, world.timeline);
    EXPECT_TRUE(std::holds_alternative<OpenFailure>(result));
    ++cycles;
    (void)co_await world.environment.sleep(backoff.next(world.environment.random()));
  }
}

TEST(Open, ThreeDaysOfFailingCyclesStayBounded) {
  World world;
  world.name({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.environment.keep_log = false;
  world.environment.routes["10.0.0.2"].tcp = 20ms;
  world.environment.routes["10.0.0.2"].tls_error = Error::tls_protocol;
  world.environment.routes["10.0.0.3"].on_open = says("HTTP/1.1 503 Busy\r\n\r\n");
  std::uint64_t cycles = 0;
  asio::co_spawn(world.environment.executor(),
                 keep_trying(world, cycles, world.environment.now() + 72h),
                 [](std::exception_ptr thrown) {
                   if (thrown) std::rethrow_exception(thrown);
                 });
  const auto before = std::chrono::steady_clock::now();
  world.environment.run();
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(world.environment.elapsed(), 72h);
  EXPECT_GT(cycles, 72U * 3600 / 30);
  EXPECT_LT(cycles, 72U * 3600 / 10);
  EXPECT_EQ(world.timeline.count(), cycles);
  EXPECT_LE(world.timeline.cycles().size(), 8U);
  EXPECT_LT(took, 10s);  // under a second without sanitizers
}

}  // namespace
}  // namespace wskeep::upstream
