#include "websocket/upgrade.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "streams.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;

// RFC 6455, sections 1.2 and 1.3.
constexpr std::string_view rfc_key = "dGhlIHNhbXBsZSBub25jZQ==";
constexpr std::string_view rfc_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

UpgradeRequest sample_request() {
  UpgradeRequest request;
  request.host = "server.example.com";
  request.target = "/chat";
  request.subprotocols = {"chat", "superchat"};
  request.key = rfc_key;
  return request;
}

HttpHead sample_response() {
  HttpHead head;
  head.status = 101;
  head.reason = "Switching Protocols";
  head.fields = {{"Upgrade", "WebSocket"},
                 {"Connection", "keep-alive, upgrade"},
                 {"Sec-WebSocket-Accept", std::string(rfc_accept)}};
  return head;
}

void set(HttpHead& head, std::string_view name, const std::string& value) {
  std::erase_if(head.fields, [&](const auto& field) { return field.first == name; });
  if (!value.empty()) head.fields.emplace_back(name, value);
}

HttpHead parsed(HttpReader::Kind kind, const std::string& text) {
  HttpReader reader(kind, {});
  EXPECT_EQ(reader.read(bytes_of(text)).status, HttpReader::Status::complete);
  return reader.head();
}

TEST(Upgrade, KeyAndAcceptOfTheRfc) {
  const Bytes nonce = bytes_of("the sample nonce");
  EXPECT_EQ(make_key(std::span<const std::byte, 16>(nonce)), rfc_key);
  EXPECT_EQ(compute_accept(rfc_key), rfc_accept);
}

TEST(Upgrade, Request) {
  UpgradeRequest request = sample_request();
  request.headers = {{"Authorization", "Bearer x"}};
  request.compression.emplace();
  EXPECT_EQ(write_upgrade_request(request),
            "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: "
            "Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: chat, superchat\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
            "Authorization: Bearer x\r\n\r\n");
  request.headers = {{"host", "other"}};
  const HttpHead head = parsed(HttpReader::Kind::request, write_upgrade_request(request));
  EXPECT_EQ(head.values("Host"), std::vector<std::string_view>{"other"});
}

TEST(Upgrade, RequestsThatMustNotBeSent) {
  const auto refuses = [](auto change) {
    UpgradeRequest request = sample_request();
    change(request);
    EXPECT_THROW(static_cast<void>(write_upgrade_request(request)), std::invalid_argument);
  };
  refuses([](UpgradeRequest& r) { r.headers = {{"X", "a\r\nY: b"}}; });
  refuses([](UpgradeRequest& r) { r.headers = {{"X", "a\nb"}}; });
  refuses([](UpgradeRequest& r) { r.headers = {{"X", std::string("a\0b", 3)}}; });
  refuses([](UpgradeRequest& r) { r.headers = {{"X: Y", "a"}}; });
  refuses([](UpgradeRequest& r) { r.headers = {{"SEC-websocket-key", "a"}}; });
  refuses([](UpgradeRequest& r) { r.headers = {{"Connection", "close"}}; });
  refuses([](UpgradeRequest& r) { r.target = "/a b"; });
  refuses([](UpgradeRequest& r) { r.target = ""; });
  refuses([](UpgradeRequest& r) { r.host = "a\r\nb"; });
  refuses([](UpgradeRequest& r) { r.subprotocols = {"a b"}; });
  refuses([](UpgradeRequest& r) { r.subprotocols = {"a", "a"}; });
}

TEST(Upgrade, AcceptedResponses) {
  HttpHead response = sample_response();
  UpgradeResult result = check_upgrade_response(sample_request(), response);
  EXPECT_TRUE(result.accepted) << result.text;
  EXPECT_EQ(result.subprotocol, "");
  response.fields.emplace_back("Sec-WebSocket-Protocol", "superchat");
  response.fields.emplace_back("Sec-WebSocket-Extensions",
                               "permessage-deflate; server_max_window_bits=10");
  UpgradeRequest request = sample_request();
  request.compression.emplace();
  result = check_upgrade_response(request, response);
  EXPECT_TRUE(result.accepted) << result.text;
  EXPECT_EQ(result.subprotocol, "superchat");
  ASSERT_TRUE(result.compression);
  EXPECT_EQ(result.compression->server_max_window_bits, 10);
}

TEST(Upgrade, RefusedResponses) {
  const auto refusal = [](auto change) {
    HttpHead response = sample_response();
    change(response);
    const UpgradeResult result = check_upgrade_response(sample_request(), response);
    EXPECT_FALSE(result.accepted);
    EXPECT_NE(result.text, "");
    return result;
  };
  EXPECT_EQ(refusal([](HttpHead& h) { h.status = 200; }).error, UpgradeError::not_101);
  EXPECT_EQ(refusal([](HttpHead& h) {
              h.status = 403;
              h.reason = "Forbidden";
            }).text,
            "HTTP status 403 Forbidden");
  for (const char* value : {"", "h2c", "websocket, h2c", "websockets"}) {
    EXPECT_EQ(refusal([&](HttpHead& h) { set(h, "Upgrade", value); }).error,
              UpgradeError::bad_upgrade_header)
        << value;
  }
  for (const char* value : {"", "close", "upgraded"}) {
    EXPECT_EQ(refusal([&](HttpHead& h) { set(h, "Connection", value); }).error,
              UpgradeError::bad_connection_header);
  }
  for (const char* value : {"", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo"}) {
    EXPECT_EQ(refusal([&](HttpHead& h) { set(h, "Sec-WebSocket-Accept", value); }).error,
              UpgradeError::bad_accept);
  }
  EXPECT_EQ(
      refusal([](HttpHead& h) { h.fields.emplace_back("Sec-WebSocket-Accept", rfc_accept); }).error,
      UpgradeError::bad_accept);
  for (const char* value : {"mqtt", "CHAT", "chat, superchat"}) {
    EXPECT_EQ(refusal([&](HttpHead& h) { set(h, "Sec-WebSocket-Protocol", value); }).error,
              UpgradeError::unexpected_subprotocol);
  }
  const UpgradeResult twice = refusal([](HttpHead& h) {
    h.fields.emplace_back("Sec-WebSocket-Protocol", "chat");
    h.fields.emplace_back("Sec-WebSocket-Protocol", "chat");
  });
  EXPECT_EQ(twice.error, UpgradeError::unexpected_subprotocol);
  EXPECT_EQ(
      refusal([](HttpHead& h) { set(h, "Sec-WebSocket-Extensions", "permessage-deflate"); }).error,
      UpgradeError::unexpected_extension);
}

TEST(Upgrade, ExtensionNotWithinTheOffer) {
  UpgradeRequest request = sample_request();
  request.compression = DeflateParameters{.server_max_window_bits = 10};
  HttpHead response = sample_response();
  set(response, "Sec-WebSocket-Extensions", "permessage-deflate; server_max_window_bits=12");
  const UpgradeResult result = check_upgrade_response(request, response);
  EXPECT_EQ(result.error, UpgradeError::unexpected_extension);
  EXPECT_NE(result.text.find("server_max_window_bits=12"), std::string::npos);
}

TEST(Upgrade, ServerTakesWhatTheClientWrites) {
  UpgradeRequest request = sample_request();
  request.compression.emplace();
  const HttpHead head = parsed(HttpReader::Kind::request, write_upgrade_request(request));
  const UpgradeCheck check = check_upgrade_request(head);
  ASSERT_TRUE(check.ok) << check.text;
  EXPECT_EQ(check.status, 101U);
  EXPECT_EQ(check.key, rfc_key);
  EXPECT_EQ(check.subprotocols, request.subprotocols);
  const std::string answer = write_upgrade_response(check.key, "chat", "permessage-deflate");
  const UpgradeResult result =
      check_upgrade_response(request, parsed(HttpReader::Kind::response, answer));
  EXPECT_TRUE(result.accepted) << result.text;
  EXPECT_EQ(result.subprotocol, "chat");
  EXPECT_TRUE(result.compression);
}

TEST(Upgrade, ServerRefuses) {
  const HttpHead good = parsed(HttpReader::Kind::request, write_upgrade_request(sample_request()));
  const auto refusal = [&](auto change) {
    HttpHead head = good;
    change(head);
    const UpgradeCheck check = check_upgrade_request(head);
    EXPECT_FALSE(check.ok);
    EXPECT_NE(check.text, "");
    return check;
  };
  const UpgradeCheck method = refusal([](HttpHead& h) { h.method = "POST"; });
  EXPECT_EQ(method.status, 405U);
  EXPECT_EQ(method.headers.at(0).first, "Allow");
  EXPECT_EQ(refusal([](HttpHead& h) { h.version = 10; }).status, 400U);
  EXPECT_EQ(refusal([](HttpHead& h) { set(h, "Upgrade", ""); }).status, 400U);
  EXPECT_EQ(refusal([](HttpHead& h) { set(h, "Connection", "close"); }).status, 400U);
  for (const char* key : {"", "short==", "dGhlIHNhbXBsZSBub25jZQ=A", "dGhlIHNhbXBsZSBub25j*Q=="}) {
    EXPECT_EQ(refusal([&](HttpHead& h) { set(h, "Sec-WebSocket-Key", key); }).status, 400U) << key;
  }
  EXPECT_EQ(
      refusal([](HttpHead& h) { h.fields.emplace_back("Sec-WebSocket-Key", rfc_key); }).status,
      400U);
  EXPECT_EQ(refusal([](HttpHead& h) { set(h, "Sec-WebSocket-Protocol", "a b"); }).status, 400U);
  for (const char* version : {"", "8", "013"}) {
    const UpgradeCheck check =
        refusal([&](HttpHead& h) { set(h, "Sec-WebSocket-Version", version); });
    EXPECT_EQ(check.status, 426U);
    EXPECT_EQ(check.headers,
              (std::vector<std::pair<std::string, std::string>>{{"Sec-WebSocket-Version", "13"}}));
  }
}

}  // namespace
}  // namespace wskeep::websocket
