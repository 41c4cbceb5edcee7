#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/daemon/open_world.hpp"

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;
using Source = ResolveStep::Source;

std::size_t questions(const World& world) {
  std::size_t count = 0;
  for (const std::string& line : world.environment.log)
    if (line.find(" resolve ") != std::string::npos) ++count;
  return count;
}

struct Fresh : World {
  explicit Fresh(std::chrono::seconds ttl = 60s) {
    name({"10.0.0.1", "10.0.0.2"});
    environment.names["example.com"].ttl = ttl;
    environment.names["example.com"].after = 20ms;
    environment.routes["10.0.0.1"].on_open = upgrades();
    environment.routes["10.0.0.2"].on_open = upgrades();
  }
  const ResolveStep& look_up() const { return cycle().legs.back().resolve.value(); }
};

TEST(OpenNames, AnAnswerIsRememberedForItsTimeToLive) {
  Fresh world;
  world.open();
  EXPECT_EQ(world.look_up().source, Source::asked);
  EXPECT_EQ(world.look_up().duration, 20ms);
  EXPECT_EQ(world.look_up().host, "example.com");
  world.environment.run_for(59s);
  world.open();
  EXPECT_EQ(world.look_up().source, Source::remembered);
  EXPECT_EQ(world.look_up().duration, 0ms);
  EXPECT_EQ(world.look_up().answer_count, 2U);
  EXPECT_EQ(questions(world), 1U);
  world.environment.run_for(1s);
  world.open();
  EXPECT_EQ(world.look_up().source, Source::asked);
  EXPECT_EQ(questions(world), 2U);
}

TEST(OpenNames, OneWithoutTimeToLiveIsAskedForEachTime) {
  Fresh world(0s);
  world.open();
  world.open();
  EXPECT_EQ(questions(world), 2U);
}

TEST(OpenNames, IsForgottenWhenAllItsAddressesFailed) {
  Fresh world;
  world.open();
  world.environment.routes.clear();
  world.open();
  EXPECT_EQ(world.look_up().source, Source::remembered);
  EXPECT_EQ(world.failure().failure.error, Error::connection_refused);
  world.environment.names["example.com"].addresses = {"10.0.0.9"};  // it has moved
  world.environment.routes["10.0.0.9"].on_open = upgrades();
  world.open();
  EXPECT_EQ(world.look_up().source, Source::asked);
  EXPECT_EQ(world.opened().response.status, 101U);
}

TEST(OpenNames, IsKeptWhenOnlySomeFailedOrTheAnswerWasNo) {
  Fresh world;
  world.environment.routes["10.0.0.1"] = {};
  world.environment.routes["10.0.0.1"].tcp_error = Error::connection_refused;
  world.open();
  world.environment.routes["10.0.0.2"].on_open = says("HTTP/1.1 403 No\r\n\r\n");
  world.open();
  EXPECT_EQ(world.failure().http_status, 403U);
  world.open();
  EXPECT_EQ(world.look_up().source, Source::remembered);
  EXPECT_EQ(questions(world), 1U);
}

TEST(OpenNames, IsForgottenWhenTheCycleRanOutOfTime) {
  Fresh world;
  world.open();
  world.connection.settings.timeouts.connect = 3s;
  for (auto& [address, route] : world.environment.routes) route.tcp_hangs = true;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::connect_timeout);
  world.open();
  EXPECT_EQ(world.look_up().source, Source::asked);
}

TEST(OpenNames, TheConfigurationGoesBeforeAll) {
  Fresh world;
  world.open();
  world.connection.settings.resolve = {{"other.example", 0, {"10.9.9.9"}},
                                       {"EXAMPLE.com", 80, {"10.9.9.8"}},
                                       {"EXAMPLE.com", 0, {"10.0.0.7"}},
                                       {"example.com", 443, {"10.0.0.2", "10.0.0.1", "::7"}}};
  world.connection.settings.fallback.family = config::Family::ipv4;
  world.environment.log.clear();
  world.open();
  EXPECT_EQ(world.look_up().source, Source::configuration);
  EXPECT_EQ(world.look_up().answer_count, 2U);
  EXPECT_EQ(questions(world), 0U);
  world.connection.settings.resolve.pop_back();
  world.environment.routes["10.0.0.7"].on_open = upgrades();
  world.environment.log.clear();
  world.open();
  EXPECT_EQ(world.environment.log.at(0), "20 dial 10.0.0.7");
}

TEST(OpenNames, AnOverrideOfTheOtherFamilyIsNoAddress) {
  World world;
  world.connection.settings.resolve = {{"example.com", 0, {"10.0.0.1"}}};
  world.connection.settings.fallback.family = config::Family::ipv6;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::resolve_failed);
  EXPECT_NE(world.failure().failure.text.find("`fallback.family`"), std::string::npos);
  EXPECT_EQ(world.environment.log, (Log{"0 resolve_failed"}));
}

TEST(OpenNames, AZoneIsOfTheAddressAlone) {
  World world;
  world.connection.urls = {config::Template("wss://[fe80::1%25eth7]:8443/")};
  world.environment.names["fe80::1%eth7"].addresses = {"fe80::1%7"};
  std::string host = "none";
  world.environment.on_dial = [&](const auto& target) {
    host = target.host;
    EXPECT_EQ(target.port, 8443);
    EXPECT_EQ(target.endpoint.address().to_v6().scope_id(), 7U);
  };
  std::string request;
  world.environment.routes["fe80::1%7"].on_open = answers([&](const std::string& received) {
    request = received;
    return switching(received);
  });
  world.open();
  EXPECT_EQ(host, "fe80::1");
  EXPECT_NE(request.find("Host: [fe80::1]:8443\r\n"), std::string::npos) << request;
}

struct Proxied : World {
  Proxied() {
    connection.settings.proxy = config::Text("http://me:s3cret@proxy.example:3128");
    environment.names["proxy.example"].addresses = {"10.1.0.1", "10.1.0.2"};
    environment.names["proxy.example"].after = 10ms;
    for (const char* address : {"10.1.0.1", "10.1.0.2"}) {
      auto& route = environment.routes[address];
      route.tcp = 10ms;
      route.proxy = 30ms;
      route.tls = 50ms;
      route.on_open = upgrades();
    }
  }
};

TEST(OpenProxy, ItsNameIsLookedUpAndItsAddressesRace) {
  Proxied world;
  world.environment.routes["10.1.0.1"].tcp_error = Error::connection_refused;
  world.environment.on_dial = [&](const auto& target) {
    EXPECT_EQ(target.host, "example.com");
    EXPECT_EQ(target.port, 443);
    EXPECT_EQ(target.endpoint.port(), 3128);
    EXPECT_TRUE(target.secure);
    ASSERT_NE(target.proxy, nullptr);
    EXPECT_EQ(target.proxy->user, "me");
    EXPECT_EQ(target.proxy->password, "s3cret");
    EXPECT_EQ(target.proxy_tls, &world.connection.settings.proxy_tls);
    EXPECT_EQ(target.user_timeout, 30s);
    EXPECT_EQ(target.probe_after, 15s);
  };
  world.open();
  EXPECT_EQ(world.environment.log,
            (Log{"0 resolve proxy.example", "10 dial 10.1.0.1", "20 connection_refused 10.1.0.1",
                 "20 dial 10.1.0.2", "30 connected 10.1.0.2", "30 proxy 10.1.0.2 to example.com",
                 "60 tls 10.1.0.2", "110 open 10.1.0.2", "110 opened"}));
  const Leg& leg = world.cycle().legs.at(0);
  EXPECT_EQ(leg.url, "wss://example.com/ws");
  EXPECT_EQ(leg.proxy, "http://proxy.example:3128");
  EXPECT_EQ(leg.resolve->host, "proxy.example");
  const AddressStep& step = leg.addresses.at(1);
  EXPECT_EQ(step.connected, 30ms);
  EXPECT_EQ(step.proxied, 60ms);
  EXPECT_EQ(step.secured, 110ms);
  EXPECT_EQ(world.gate.asked, (std::vector<std::string>{"example.com", "example.com"}));
}

TEST(OpenProxy, OneThatHangsIsFollowedByTheNext) {
  for (const bool in_tls : {false, true}) {
    Proxied world;
    auto& route = world.environment.routes["10.1.0.1"];
    (in_tls ? route.tls_hangs : route.proxy_hangs) = true;
    world.open();
    EXPECT_EQ(world.opened().response.status, 101U);
    const AddressStep& step = world.cycle().legs.at(0).addresses.at(0);
    EXPECT_EQ(step.failure.error, Error::address_timeout);
    EXPECT_EQ(step.reached, in_tls ? Stage::tls : Stage::proxy);
    EXPECT_EQ(step.proxied.has_value(), in_tls);
  }
}

TEST(OpenProxy, CredentialsThatItDoesNotWantAreNotTakenToAll) {
  Proxied world;
  world.environment.routes["10.1.0.1"].proxy_error = Error::proxy_unauthorized;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::proxy_unauthorized);
  EXPECT_EQ(world.cycle().legs.at(0).addresses.size(), 1U);
  EXPECT_TRUE(world.failure().failure.text.starts_with("10.1.0.1:3128: "));
}

TEST(OpenProxy, ASettingThatCannotBeReadEndsTheCycle) {
  Proxied world;
  world.connection.urls.emplace_back("wss://other.example/");
  world.connection.settings.proxy = config::Text("http://me:${file:/nonexistent}@proxy.example:1");
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::configuration);
  EXPECT_EQ(world.environment.log, (Log{"0 configuration"}));
}

TEST(OpenProxy, WithoutOneNothingIsSaidOfIt) {
  World world;
  world.name({"10.0.0.1"});
  world.connection.settings.timeouts.receive = 500ms;
  world.environment.routes["10.0.0.1"].on_open = upgrades();
  world.environment.on_dial = [](const auto& target) {
    EXPECT_EQ(target.proxy, nullptr);
    EXPECT_EQ(target.proxy_tls, nullptr);
    EXPECT_EQ(target.probe_after, 1s);
  };
  world.open();
  EXPECT_TRUE(world.cycle().legs.at(0).proxy.empty());
  EXPECT_FALSE(world.cycle().legs.at(0).addresses.at(0).proxied.has_value());
}

}  // namespace
}  // namespace wskeep::upstream
