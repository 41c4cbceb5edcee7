#include "websocket/close.hpp"

#include <gtest/gtest.h>

#include "streams.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;

Bytes payload(unsigned code, std::string_view reason = {}) {
  Bytes bytes{static_cast<std::byte>(code >> 8U), static_cast<std::byte>(code & 0xFFU)};
  const Bytes text = bytes_of(reason);
  bytes.insert(bytes.end(), text.begin(), text.end());
  return bytes;
}

TEST(Close, Empty) {
  const ReceivedClose close = parse_close({});
  EXPECT_FALSE(close.violation);
  EXPECT_EQ(close.payload.code, CloseCode::no_status);
}

TEST(Close, CodeAndReason) {
  const Bytes bytes = payload(1001, "going \xE2\x82\xAC");
  const ReceivedClose close = parse_close(bytes);
  EXPECT_FALSE(close.violation);
  EXPECT_EQ(close.payload.code, CloseCode::going_away);
  EXPECT_EQ(close.payload.reason, "going \xE2\x82\xAC");
}

TEST(Close, HalfACode) {
  const ReceivedClose close = parse_close(hex("03"));
  ASSERT_TRUE(close.violation);
  EXPECT_EQ(close.violation->code, CloseCode::protocol_error);
  EXPECT_EQ(close.payload.code, CloseCode::no_status);
}

TEST(Close, EveryCode) {
  for (unsigned code = 0; code < 65'536; ++code) {
    const bool good = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                      (code >= 3000 && code < 5000);
    const Bytes bytes = payload(code, "why");
    const ReceivedClose close = parse_close(bytes);
    ASSERT_EQ(close.violation.has_value(), !good) << code;
    ASSERT_EQ(static_cast<unsigned>(close.payload.code), code);
    ASSERT_EQ(close.payload.reason, good ? "why" : "");
    if (!good) {
      ASSERT_EQ(close.violation->code, CloseCode::protocol_error);
    }
    ASSERT_EQ(is_valid_close_code(static_cast<std::uint16_t>(code)), good);
  }
}

TEST(Close, ReasonThatIsNotUtf8) {
  const Bytes bytes = payload(1000, "\xC3\x28");
  const ReceivedClose close = parse_close(bytes);
  ASSERT_TRUE(close.violation);
  EXPECT_EQ(close.violation->code, CloseCode::invalid_payload);
  EXPECT_EQ(close.payload.code, CloseCode::normal);
}

TEST(Close, ReasonIsCutBetweenCodePoints) {
  for (const std::string_view letter : {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"}) {
    for (std::size_t shift = 0; shift < 4; ++shift) {
      std::string reason(shift, '.');
      while (reason.size() < 200) reason += letter;
      Bytes bytes;
      append_close_payload(bytes, CloseCode::normal, reason);
      EXPECT_LE(bytes.size(), max_control_payload);
      EXPECT_GT(bytes.size(), max_control_payload - letter.size());
      EXPECT_FALSE(parse_close(bytes).violation);
    }
  }
  Bytes exact;
  append_close_payload(exact, CloseCode::normal, std::string(123, 'x'));
  EXPECT_EQ(exact.size(), 125U);
}

TEST(Close, NoCodeOnTheWireForThoseThatMayNotBeThere) {
  Bytes bytes;
  append_close_payload(bytes, CloseCode::no_status, "x");
  append_close_payload(bytes, CloseCode::abnormal, "x");
  EXPECT_TRUE(bytes.empty());
}

}  // namespace
}  // namespace wskeep::websocket
