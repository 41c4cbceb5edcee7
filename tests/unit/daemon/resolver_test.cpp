#include "daemon/net/resolver.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/unit/daemon/real_network.hpp"
#include "tests/unit/daemon/test_name_server.hpp"

namespace wskeep::net {
namespace {

using namespace std::chrono_literals;
using config::Family;
using daemon::Endpoint;
using daemon::Error;
using daemon::Failure;
using daemon::ResolveResult;
using simulated::RealNetwork;
using simulated::TestNameServer;
using Answer = TestNameServer::Answer;
using Addresses = std::vector<std::string>;

Addresses addresses_of(const ResolveResult& result) {
  Addresses addresses;
  if (const auto* failure = std::get_if<Failure>(&result)) addresses.push_back(failure->text);
  if (const auto* resolved = std::get_if<daemon::Resolved>(&result))
    for (const Endpoint& endpoint : resolved->endpoints)
      addresses.push_back(endpoint.address().to_string());
  std::sort(addresses.begin(), addresses.end());
  return addresses;
}

Failure failure_of(const ResolveResult& result) {
  const auto* failure = std::get_if<Failure>(&result);
  return failure == nullptr ? Failure{} : *failure;
}

/// The name server of the tests: what each name is.
Answer script(const std::string& name, bool six) {
  if (name == "both.test")
    return {0, false, six ? Addresses{"2001:db8::1"} : Addresses{"192.0.2.1", "192.0.2.2"}};
  if (name == "four.test") return {0, false, six ? Addresses{} : Addresses{"192.0.2.4"}};
  if (name == "half.test") return {0, six, six ? Addresses{} : Addresses{"192.0.2.5"}};
  if (name == "short.test")
    return {0, false, {six ? "2001:db8::6" : "192.0.2.6"}, static_cast<std::uint8_t>(six ? 7 : 99)};
  if (name == "feed.search.test") return {0, false, six ? Addresses{} : Addresses{"192.0.2.8"}};
  if (name == "none.test") return {0, false, {}};
  if (name == "broken.test") return {2, false, {}};
  if (name == "silent.test") return {0, true, {}};
  if (name == "many.test") {
    Answer many;
    for (int i = 0; i < 150 && !six; ++i)
      many.addresses.push_back("198.51.100." + std::to_string(i));
    return many;
  }
  return {3, false, {}};
}

struct Names {
  TestNameServer server{&script};
  RealNetwork network{server.servers()};

  ResolveResult ask(const std::string& host, Family family = Family::any,
                    std::chrono::milliseconds timeout = 5s) {
    const auto before = std::chrono::steady_clock::now();
    ResolveResult result = network.await(network.environment.resolve(host, 443, family, timeout));
    took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() -
                                                                 before);
    return result;
  }
  std::chrono::milliseconds took{0};
};

TEST(Resolver, BothFamilies) {
  Names names;
  EXPECT_EQ(addresses_of(names.ask("both.test")),
            (Addresses{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
  EXPECT_EQ(addresses_of(names.ask("both.test", Family::ipv4)),
            (Addresses{"192.0.2.1", "192.0.2.2"}));
  EXPECT_EQ(addresses_of(names.ask("both.test", Family::ipv6)), (Addresses{"2001:db8::1"}));
  EXPECT_EQ(addresses_of(names.ask("four.test")), (Addresses{"192.0.2.4"}));
}

TEST(Resolver, WhatIsKnownIsNotAskedFor) {
  Names names;
  EXPECT_EQ(addresses_of(names.ask("192.0.2.7")), (Addresses{"192.0.2.7"}));
  EXPECT_EQ(addresses_of(names.ask("2001:db8::7")), (Addresses{"2001:db8::7"}));
  EXPECT_EQ(addresses_of(names.ask("localhost")), (Addresses{"127.0.0.1", "::1"}));
  EXPECT_EQ(addresses_of(names.ask("A.LocalHost.", Family::ipv4)), (Addresses{"127.0.0.1"}));
  const ResolveResult zoned = names.ask("fe80::1%lo");
  ASSERT_TRUE(std::holds_alternative<daemon::Resolved>(zoned));
  EXPECT_EQ(std::get<daemon::Resolved>(zoned).endpoints[0].address().to_v6().scope_id(), 1U);
  EXPECT_EQ(failure_of(names.ask("192.0.2.7", Family::ipv6)).error, Error::resolve_failed);
  EXPECT_EQ(names.server.questions(), 0);
}

TEST(Resolver, FailuresNameTheHost) {
  Names names;
  for (const char* host : {"nobody.test", "none.test", "broken.test"}) {
    const Failure failure = failure_of(names.ask(host));
    EXPECT_EQ(failure.error, Error::resolve_failed) << host;
    EXPECT_NE(failure.text.find(host), std::string::npos) << failure.text;
    EXPECT_LT(names.took, 2s);
  }
  EXPECT_EQ(failure_of(names.ask("four.test", Family::ipv6)).error, Error::resolve_failed);
}

TEST(Resolver, ASilentServerCostsTheTimeoutAndNotMore) {
  Names names;
  const Failure failure = failure_of(names.ask("silent.test", Family::any, 700ms));
  EXPECT_EQ(failure.error, Error::resolve_timeout);
  EXPECT_NE(failure.text.find("silent.test"), std::string::npos);
  EXPECT_GE(names.took, 690ms);
  EXPECT_LT(names.took, 1500ms);
  EXPECT_GT(names.server.questions(), 2);  // it was asked again
}

TEST(Resolver, AServerSilentForOneFamilyCostsALittle) {
  Names names;
  EXPECT_EQ(addresses_of(names.ask("half.test")), (Addresses{"192.0.2.5"}));
  EXPECT_GE(names.took, Resolver::second_family - 10ms);
  EXPECT_LT(names.took, 1500ms);
}

std::chrono::seconds ttl_of(const ResolveResult& result) {
  const auto* resolved = std::get_if<daemon::Resolved>(&result);
  return resolved == nullptr ? -1s : resolved->ttl;
}

TEST(Resolver, AnAnswerHoldsAsLongAsItsShortestRecord) {
  Names names;
  EXPECT_EQ(ttl_of(names.ask("both.test")), 60s);
  EXPECT_EQ(ttl_of(names.ask("four.test")), 60s);
  EXPECT_EQ(ttl_of(names.ask("short.test")), 7s);
  EXPECT_EQ(ttl_of(names.ask("short.test", Family::ipv4)), 99s);
}

TEST(Resolver, HalfAnAnswerDoesNotHold) {
  Names names;
  EXPECT_EQ(ttl_of(names.ask("half.test")), 0s);
}

TEST(Resolver, WhatIsKnownHoldsForEver) {
  Names names;
  EXPECT_EQ(ttl_of(names.ask("192.0.2.7")), std::chrono::seconds::max());
  EXPECT_EQ(ttl_of(names.ask("localhost")), std::chrono::seconds::max());
}

TEST(Resolver, AnotherServerIsAskedForOneThatIsSilentOrBroken) {
  for (const bool silent : {false, true}) {
    const TestNameServer bad([silent](const std::string&, bool) {
      return Answer{silent ? 0 : 2, silent, {}};
    });
    const TestNameServer good(&script);
    RealNetwork network(bad.servers() + "," + good.servers());
    EXPECT_EQ(
        addresses_of(network.await(network.environment.resolve("both.test", 443, Family::any, 4s))),
        (Addresses{"192.0.2.1", "192.0.2.2", "2001:db8::1"}));
    EXPECT_GT(bad.questions(), 0);
  }
}

TEST(Resolver, SearchDomainsAreTried) {
  ::setenv("LOCALDOMAIN", "other.test search.test", 1);  // in place of resolv.conf's
  Names names;
  EXPECT_EQ(addresses_of(names.ask("feed")), (Addresses{"192.0.2.8"}));
  EXPECT_EQ(addresses_of(names.ask("feed.")).front().substr(0, 5), "feed.");  // it is whole
  ::unsetenv("LOCALDOMAIN");
}

TEST(Resolver, NoneWaitsForAnother) {
  Names names;
  std::vector<std::string> order;
  const auto start = [&](const std::string& host) {
    boost::asio::co_spawn(
        names.network.context, names.network.environment.resolve(host, 1, Family::any, 1s),
        [&order, host](std::exception_ptr, ResolveResult) { order.push_back(host); });
  };
  for (const char* host : {"silent.test", "localhost", "four.test"}) start(host);
  names.network.run_until([&] { return order.size() == 3; });
  EXPECT_EQ(order, (std::vector<std::string>{"localhost", "four.test", "silent.test"}));
}

TEST(Resolver, ManyAnswersComeOverTcpAndAreBounded) {
  Names names;
  EXPECT_EQ(addresses_of(names.ask("many.test", Family::ipv4)).size(), Resolver::max_answers);
  EXPECT_GT(names.server.stream_questions(), 0);
}

TEST(Resolver, CancelledItEndsAtOnceAndAlone) {
  Names names;
  boost::asio::cancellation_signal stop;
  std::optional<ResolveResult> cancelled;
  boost::asio::co_spawn(names.network.context,
                        names.network.environment.resolve("silent.test", 1, Family::any, 10s),
                        boost::asio::bind_cancellation_slot(
                            stop.slot(), [&](std::exception_ptr thrown, ResolveResult result) {
                              EXPECT_FALSE(thrown);
                              cancelled = std::move(result);
                            }));
  EXPECT_EQ(addresses_of(names.ask("four.test")), (Addresses{"192.0.2.4"}));
  EXPECT_FALSE(cancelled.has_value());
  stop.emit(boost::asio::cancellation_type::terminal);
  EXPECT_EQ(addresses_of(names.ask("four.test")), (Addresses{"192.0.2.4"}));
  ASSERT_TRUE(cancelled.has_value());
  EXPECT_EQ(failure_of(*cancelled).error, Error::stopped);
}

TEST(Resolver, AContextThatGoesAwayTakesTheQueryAlong) {
  const TestNameServer server(&script);
  RealNetwork network(server.servers());
  boost::asio::co_spawn(network.context,
                        network.environment.resolve("silent.test", 1, Family::any, 10s),
                        [](std::exception_ptr, const ResolveResult&) { ADD_FAILURE(); });
  network.context.run_for(50ms);
}

TEST(RealEnvironment, AnAlarmRemembersThatItWasWoken) {
  RealNetwork network;
  const auto alarm = network.environment.make_alarm();
  const auto wait = [&]() -> boost::asio::awaitable<bool> {
    alarm->wake();
    co_await alarm->wait_until(daemon::TimePoint::max());
    const auto before = network.environment.now();
    co_await alarm->wait_until(before + 30ms);
    co_return network.environment.now() >= before + 30ms;
  };
  EXPECT_TRUE(network.await(wait()));
}

TEST(RealEnvironment, ItsNumbersDiffer) {
  RealNetwork network;
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) {
    numbers.push_back(network.environment.random());
    numbers.push_back(network.environment.unpredictable() +
                      (1ULL << 33U) * static_cast<unsigned>(i));
  }
  std::sort(numbers.begin(), numbers.end());
  EXPECT_EQ(std::adjacent_find(numbers.begin(), numbers.end()), numbers.end());
}

}  // namespace
}  // namespace wskeep::net
