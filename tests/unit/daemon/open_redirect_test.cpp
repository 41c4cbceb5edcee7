#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/daemon/open_world.hpp"

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;

std::function<void(Peer)> redirects(const std::string& location, unsigned status = 302) {
  return says("HTTP/1.1 " + std::to_string(status) + " Elsewhere\r\nLocation: " + location +
              "\r\nContent-Length: 5\r\n\r\n");  // its body never comes
}

/// example.com redirects to other.example.
struct Redirected : World {
  Redirected() {
    connection.settings.redirects = 2;
    name({"10.0.0.1"});
    environment.names["other.example"].addresses = {"10.0.0.2"};
    environment.routes["10.0.0.1"].on_open = redirects("https://other.example/new?key=s3cret");
    environment.routes["10.0.0.2"].on_open = answers([this](const std::string& received) {
      request = received;
      return switching(received);
    });
  }
  std::string request;  ///< the last that other.example read
};

TEST(OpenRedirect, IsFollowedAsAnotherLeg) {
  for (const unsigned status : {301U, 302U, 303U, 307U, 308U}) {
    Redirected world;
    world.environment.routes["10.0.0.1"].on_open =
        redirects("https://other.example/new?key=s3cret", status);
    world.open();
    EXPECT_EQ(
        world.environment.log,
        (Log{"0 resolve example.com", "0 dial 10.0.0.1", "0 connected 10.0.0.1", "0 tls 10.0.0.1",
             "0 open 10.0.0.1", "0 resolve other.example", "0 dial 10.0.0.2",
             "0 connected 10.0.0.2", "0 tls 10.0.0.2", "0 open 10.0.0.2", "0 opened"}));
    ASSERT_EQ(world.cycle().legs.size(), 2U);
    const Leg& first = world.cycle().legs[0];
    EXPECT_FALSE(first.redirected);
    EXPECT_EQ(first.addresses.at(0).http_status, status);
    EXPECT_EQ(first.addresses.at(0).failure.error, Error::http_redirect);
    EXPECT_EQ(first.addresses.at(0).answered, 0ms);
    const Leg& second = world.cycle().legs[1];
    EXPECT_TRUE(second.redirected);
    EXPECT_EQ(second.url, "wss://other.example/new?key=***");
    EXPECT_TRUE(
        world.request.starts_with("GET /new?key=s3cret HTTP/1.1\r\nHost: other.example\r\n"));
    EXPECT_EQ(world.gate.asked, (std::vector<std::string>{"example.com", "other.example"}));
  }
}

TEST(OpenRedirect, IsNotFollowedByDefault) {
  Redirected world;
  world.connection.settings.redirects = 0;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::http_redirect);
  EXPECT_EQ(world.failure().http_status, 302U);
  EXPECT_EQ(world.cycle().legs.size(), 1U);
  const std::string& text = world.failure().failure.text;
  EXPECT_NE(text.find("wss://other.example/new?key=***"), std::string::npos) << text;
  EXPECT_NE(text.find("`redirects: 1`"), std::string::npos) << text;
  EXPECT_EQ(world.memory.addresses.size(), 0U);  // the address is a good one
}

TEST(OpenRedirect, AnotherOriginIsToldNoSecrets) {
  Redirected world;
  auto& settings = world.connection.settings;
  world.connection.urls = {config::Template("wss://me:passw0rd@example.com/")};
  settings.headers.emplace_back("X-Token", config::Template("tok3n"));
  settings.headers.emplace_back("Cookie", config::Template("a=cook1e"));
  settings.subprotocols = {"chat"};
  settings.tls.certificate = "/client.pem";
  settings.tls.key = "/client.key";
  settings.tls.server_name = "example.com";
  settings.tls.ca = "/ca.pem";
  std::vector<config::Tls> tls;
  world.environment.on_dial = [&](const auto& target) { tls.push_back(*target.tls); };
  world.open();
  EXPECT_EQ(world.opened().response.status, 101U);
  for (const char* word : {"Authorization", "X-Token", "Cookie", "tok3n", "cook1e", "passw0rd"})
    EXPECT_EQ(world.request.find(word), std::string::npos) << world.request;
  EXPECT_NE(world.request.find("Sec-WebSocket-Protocol: chat\r\n"), std::string::npos);
  ASSERT_EQ(tls.size(), 2U);
  EXPECT_EQ(tls[0], settings.tls);
  EXPECT_EQ(tls[1].certificate + tls[1].key + tls[1].server_name, "");
  EXPECT_EQ(tls[1].ca, "/ca.pem");
}

TEST(OpenRedirect, TheSameOriginIsToldThemAgain) {
  Redirected world;
  world.connection.settings.headers.emplace_back("X-Token", config::Template("tok3n"));
  world.connection.settings.authorization.bearer = config::Template("b3arer");
  std::string request;
  world.environment.routes["10.0.0.1"].on_open = answers([&](const std::string& received) {
    request = received;
    return received.starts_with("GET /ws ") ? "HTTP/1.1 307 T\r\nLocation: other\r\n\r\n"
                                            : switching(received);
  });
  world.open();
  EXPECT_EQ(world.opened().response.status, 101U);
  EXPECT_TRUE(request.starts_with("GET /other HTTP/1.1\r\n"));
  EXPECT_NE(request.find("X-Token: tok3n\r\n"), std::string::npos);
  EXPECT_NE(request.find("Authorization: Bearer b3arer\r\n"), std::string::npos);
}

TEST(OpenRedirect, BackAtTheFirstOriginTheyStayAway) {
  Redirected world;
  world.connection.settings.headers.emplace_back("X-Token", config::Template("tok3n"));
  std::vector<std::string> requests;
  world.environment.routes["10.0.0.1"].on_open = answers([&](const std::string& received) {
    requests.push_back(received);
    return requests.size() == 1 ? "HTTP/1.1 302 T\r\nLocation: //other.example/\r\n\r\n"
                                : switching(received);
  });
  world.environment.routes["10.0.0.2"].on_open = redirects("https://example.com/back");
  world.open();
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_NE(requests[0].find("tok3n"), std::string::npos);
  EXPECT_EQ(requests[1].find("tok3n"), std::string::npos);
  EXPECT_EQ(world.cycle().legs.size(), 3U);
}

TEST(OpenRedirect, LoopsEndByTheLimit) {
  Redirected world;
  world.environment.routes["10.0.0.2"].on_open = redirects("https://example.com/");
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::http_redirect);
  EXPECT_EQ(world.cycle().legs.size(), 3U);
  EXPECT_NE(world.failure().failure.text.find("after 2 in a row"), std::string::npos);
}

TEST(OpenRedirect, NeverOutOfTls) {
  Redirected world;
  world.environment.routes["10.0.0.1"].on_open = redirects("http://example.com/");
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::http_redirect);
  EXPECT_NE(world.failure().failure.text.find("leave TLS"), std::string::npos);
  EXPECT_EQ(world.cycle().legs.size(), 1U);
}

TEST(OpenRedirect, WhatItLeadsToFailsForItself) {
  Redirected world;
  world.environment.routes["10.0.0.2"].on_open = nullptr;
  world.environment.routes["10.0.0.2"].tcp_error = Error::connection_refused;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::connection_refused);
  EXPECT_EQ(world.failure().http_status, 0U);
  EXPECT_EQ(world.failure().failure.text,
            "wss://other.example/new?key=***: 10.0.0.2:443: scripted connection_refused");
}

TEST(OpenRedirect, EachStageOfEachLegMayHang) {
  for (const int leg : {0, 1}) {
    for (const int stage : {0, 1, 2, 3}) {
      SCOPED_TRACE(std::to_string(leg) + " " + std::to_string(stage));
      Redirected world;
      world.connection.settings.timeouts.connect = 30s;
      auto& route = world.environment.routes[leg == 0 ? "10.0.0.1" : "10.0.0.2"];
      if (stage == 0)
        world.environment.names[leg == 0 ? "example.com" : "other.example"].hangs = true;
      if (stage == 1) route.tcp_hangs = true;
      if (stage == 2) route.tls_hangs = true;
      if (stage == 3) route.on_open = [](const Peer&) {};
      world.open();
      EXPECT_EQ(world.failure().failure.error,
                stage == 0 ? Error::resolve_timeout : Error::address_timeout);
      EXPECT_EQ(world.cycle().ended, stage == 0 ? 5s : 10s);
      EXPECT_EQ(world.cycle().legs.size(), static_cast<std::size_t>(leg + 1));
    }
  }
}

TEST(OpenRedirect, TheCyclesTimeIsForAllLegs) {
  Redirected world;
  world.connection.settings.timeouts.connect = 8s;
  world.environment.routes["10.0.0.1"].tls = 5s;
  world.environment.routes["10.0.0.2"].tls = 5s;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::connect_timeout);
  EXPECT_EQ(world.cycle().ended, 8s);
}

/// Two URLs, the first of which redirects to one whose first address is dead; all through every
/// stage, by a proxy too.
struct Story : World {
  explicit Story(bool proxied) {
    auto& settings = connection.settings;
    settings.redirects = 1;
    settings.timeouts.connect = 40s;
    connection.urls = {config::Template("wss://a/"), config::Template("wss://b/"),
                       config::Template("wss://c/")};
    if (proxied) settings.proxy = config::Text("http://proxy:1");
    auto& names = environment.names;
    names["a"] = {{"10.0.0.1"}, 10ms};
    names["b"] = {{"10.0.0.2", "10.0.0.3"}, 10ms};
    names["c"] = {{"10.0.0.5", "10.0.0.6"}, 10ms};
    names["proxy"] = {{"10.0.0.1", "10.0.0.3", "10.0.0.6"}, 10ms};
    names["elsewhere"] = {{"10.0.0.4"}, 10ms};
    names["b"].ttl = names["proxy"].ttl = 60s;
    auto& routes = environment.routes;
    routes["10.0.0.1"].on_open = redirects("https://elsewhere/");
    routes["10.0.0.2"].tcp_hangs = true;
    routes["10.0.0.3"].tls_hangs = true;
    routes["10.0.0.4"].on_open = says("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    routes["10.0.0.5"].tls_error = Error::tls_protocol;
    routes["10.0.0.6"].on_open = upgrades();
    for (auto& [address, route] : routes) {
      route.tcp = 5ms;
      route.proxy = 5ms;
      route.tls = 20ms;
    }
  }
  void expect_all_ended() const {
    for (const Leg& leg : cycle().legs)
      for (const AddressStep& step : leg.addresses) EXPECT_TRUE(step.ended.has_value());
    EXPECT_LE(cycle().ended, connection.settings.timeouts.connect);
  }
};

TEST(OpenRedirect, CancelledAtAnyStepOfAnyLegItStopsAtOnce) {
  for (const bool proxied : {false, true}) {
    Story whole(proxied);
    whole.open();
    if (!proxied) {
      ASSERT_TRUE(std::holds_alternative<Opened>(*whole.result));
      EXPECT_EQ(whole.cycle().legs.size(), 4U);
    }
    const std::uint64_t operations = whole.environment.operations();
    ASSERT_GT(operations, 30U);
    for (std::uint64_t n = 1; n <= operations; ++n) {
      SCOPED_TRACE(n);
      Story story(proxied);
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
      if (std::holds_alternative<OpenFailure>(*story.result) && n < operations - 3) {
        EXPECT_EQ(story.failure().failure.error, Error::stopped);
        EXPECT_EQ(story.environment.log.back(), std::to_string(when->count()) + " stopped");
      }
      story.expect_all_ended();
    }
  }
}

TEST(OpenRedirect, WhateverFailsInAnyLegItEndsInTime) {
  for (const bool proxied : {false, true}) {
    Story whole(proxied);
    whole.open();
    for (std::uint64_t n = 1; n <= whole.environment.operations(); ++n) {
      SCOPED_TRACE(n);
      Story story(proxied);
      story.environment.on_operation = [&](std::uint64_t number) { return number != n; };
      story.open();
      story.expect_all_ended();
    }
  }
}

}  // namespace
}  // namespace wskeep::upstream
