#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/daemon/open_world.hpp"

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;

TEST(OpenHttp, AnAnswerDrippedByteByByteHasTheAddressDeadline) {
  World world;
  world.name({"10.0.0.1"});
  world.connection.urls = {config::Template("ws://example.com/")};
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

TEST(OpenHttp, EarlyBytesAreKept) {
  World world;
  world.name({"10.0.0.1"});
  const std::string frames("\x81\x02hi\x81", 5);
  world.environment.routes["10.0.0.1"].on_open =
      answers([&](const std::string& request) { return switching(request) + frames; });
  world.open();
  const auto& early = world.opened().early_bytes;
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(early.data()), early.size()), frames);
}

TEST(OpenHttp, TheRequestIsWhatTheConfigurationSays) {
  World world;
  world.connection.urls = {config::Template("ws://me:s3cret@example.com:8080/path?q=1")};
  world.name({"10.0.0.1"});
  world.connection.settings.headers.emplace_back("X-One", config::Template("1"));
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

TEST(OpenHttp, TheConfigurationsOwnAuthorizationWins) {
  World world;
  world.connection.urls = {config::Template("ws://me:s3cret@example.com/")};
  world.connection.settings.headers.emplace_back("authorization", config::Template("Bearer t"));
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

TEST(OpenHttp, EachAttemptHasAKeyOfItsOwn) {
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

TEST(OpenHttp, WhatTheConfigurationNamesIsReadAtEachAttempt) {
  const std::string file = ::testing::TempDir() + "/wskeep_open_test_token";
  World world;
  world.name({"10.0.0.1"});
  world.connection.settings.headers.emplace_back("X-Token",
                                                 config::Template("${file:" + file + "}"));
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

TEST(OpenHttp, RefusalsAreTold) {
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
      {"HTTP/1.1 301 Moved\r\nLocation: https://other/?a=secret\r\n\r\n",
       Error::http_redirect,
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
    EXPECT_EQ(world.cycle().legs.at(0).addresses.size() == 2, refusal.next_address);
    EXPECT_EQ(world.failure().failure.text.find("secret"), std::string::npos);
    EXPECT_LE(world.cycle().ended, 1000ms);  // a body without an end is not waited for
  }
}

TEST(OpenHttp, ARefusalsBodyIsQuotedCleanly) {
  World world;
  world.name({"10.0.0.1"});
  world.environment.routes["10.0.0.1"].on_open =
      says("HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nbad\x1b[31m\nkey");
  world.open();
  EXPECT_EQ(world.failure().failure.text,
            "10.0.0.1:443: the server answered 403 Forbidden: bad [31m key");
}

TEST(OpenHttp, WhatAServerSaysBackOfOurSecretsIsHidden) {
  World world;
  world.connection.urls = {config::Template("ws://me:pass%20word@example.com/p?key=q%2Ftoken")};
  world.connection.settings.headers.emplace_back("X-Token",
                                                 config::Template("Token header-secret"));
  world.name({"10.0.0.1"});
  std::string said;
  world.environment.routes["10.0.0.1"].on_open = answers([&](const std::string& request) {
    const std::string body = said + request;
    return "HTTP/1.1 403 " + said + "\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  });
  const std::vector<std::string> secrets{"pass word", "q%2Ftoken", "q/token", "header-secret",
                                         "bWU6cGFzcyB3b3Jk"};
  for (const std::string& secret : secrets) {
    for (const std::size_t padding : {0U, 152U, 155U}) {  // also across the cut
      said = std::string(padding, 'x') + secret;
      world.open();
      const std::string& text = world.failure().failure.text;
      EXPECT_EQ(world.failure().http_status, 403U);
      EXPECT_NE(text.find(padding > 0 ? "xxx" : "***"), std::string::npos) << text;
      for (const std::string& other : secrets)
        EXPECT_EQ(text.find(other.substr(0, 4)), std::string::npos) << text;
      EXPECT_EQ(world.cycle().failure.text, text);
    }
  }
}

TEST(OpenHttp, ASecretThatAnAnswerWasCutOffInIsHidden) {
  World world;
  world.connection.urls = {config::Template("ws://example.com/")};
  world.connection.settings.authorization.bearer = config::Template("abcdefghijkl");
  world.name({"10.0.0.1"});
  world.environment.routes["10.0.0.1"].on_open =
      says("HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\nnot abcdefgh");
  world.open();
  EXPECT_EQ(world.failure().failure.text, "10.0.0.1:80: the server answered 401 No: not ***");
}

TEST(OpenHttp, WhatWasNotAskedForIsRefused) {
  for (const char* header :
       {"Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Extensions: permessage-deflate\r\n"}) {
    World world;
    world.name({"10.0.0.1"});
    world.environment.routes["10.0.0.1"].on_open =
        answers([&](const std::string& request) { return switching(request, header); });
    world.open();
    EXPECT_EQ(world.failure().failure.error, Error::upgrade_invalid);
    EXPECT_EQ(world.failure().http_status, 101U);
  }
}

TEST(OpenHttp, InterimAnswersAreSkippedButNotWithoutEnd) {
  World world;
  world.name({"10.0.0.1"});
  std::size_t interim = 3;
  world.environment.routes["10.0.0.1"].on_open = answers([&](const std::string& request) {
    std::string answer;
    for (std::size_t i = 0; i < interim; ++i) answer += "HTTP/1.1 103 Early Hints\r\n\r\n";
    return answer + switching(request);
  });
  world.open();
  EXPECT_EQ(world.opened().response.status, 101U);
  interim = 100;
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::http_invalid);
}

TEST(OpenHttp, CookiesAreNotKept) {
  World world;
  world.name({"10.0.0.1"});
  std::string request;
  world.environment.routes["10.0.0.1"].on_open = answers([&](const std::string& received) {
    request = received;
    return switching(received, "Set-Cookie: session=abcdef\r\nX-Other: 1\r\n");
  });
  world.open();
  EXPECT_EQ(world.opened().response.find("set-cookie"), nullptr);
  EXPECT_NE(world.opened().response.find("x-other"), nullptr);
  world.open();
  EXPECT_EQ(request.find("ookie"), std::string::npos);
}

TEST(OpenHttp, CredentialsAreReadAtEachAttempt) {
  const std::string file = ::testing::TempDir() + "/wskeep_open_test_credentials";
  World world;
  world.name({"10.0.0.1"});
  std::string request;
  world.environment.routes["10.0.0.1"].on_open = answers([&](const std::string& received) {
    request = received;
    return switching(received);
  });
  auto& authorization = world.connection.settings.authorization;
  authorization.bearer = config::Template("${file:" + file + "}");
  for (const char* token : {"first", "second"}) {
    std::ofstream(file) << token << "\n";
    world.open();
    EXPECT_NE(request.find("Authorization: Bearer " + std::string(token) + "\r\n"),
              std::string::npos);
  }
  std::ofstream(file) << "\n";
  world.open();
  EXPECT_EQ(world.failure().failure.error, Error::configuration);
  EXPECT_NE(world.failure().failure.text.find("authorization.bearer"), std::string::npos);
  authorization.bearer = {};
  authorization.basic = config::Template("me:${file:" + file + "}");
  std::ofstream(file) << "s3cret\n";
  world.open();
  EXPECT_NE(request.find("Authorization: Basic bWU6czNjcmV0\r\n"), std::string::npos);
  std::remove(file.c_str());
}

TEST(OpenHttp, AnEndlessBodyIsBounded) {
  World world;
  world.name({"10.0.0.1"});
  world.environment.routes["10.0.0.1"].on_open =
      says("HTTP/1.1 403 No\r\n\r\n" + std::string(1'000'000, 'x'));
  world.open();
  EXPECT_EQ(world.failure().http_status, 403U);
  EXPECT_LT(world.failure().failure.text.size(), 300U);
}

TEST(OpenHttp, ServersThatEndInsteadOfAnswering) {
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

TEST(OpenHttp, ARequestThatIsTakenInPiecesArrivesWhole) {
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

}  // namespace
}  // namespace wskeep::upstream
