#include "websocket/frame.hpp"

#include <gtest/gtest.h>

#include "streams.hpp"

namespace wskeep::websocket {
namespace {

using namespace test;

constexpr MaskingKey key{std::byte{0x37}, std::byte{0xFA}, std::byte{0x21}, std::byte{0x3D}};

// RFC 6455, section 5.7.
TEST(Frame, ExamplesOfTheRfc) {
  Bytes out;
  append_frame(out, Opcode::text, bytes_of("Hello"), std::nullopt);
  EXPECT_EQ(out, hex("81 05 48 65 6c 6c 6f"));
  out.clear();
  append_frame(out, Opcode::text, bytes_of("Hello"), key);
  EXPECT_EQ(out, hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"));
  out.clear();
  append_frame(out, Opcode::text, bytes_of("Hel"), std::nullopt, false, false);
  append_frame(out, Opcode::continuation, bytes_of("lo"), std::nullopt);
  EXPECT_EQ(out, hex("01 03 48 65 6c 80 02 6c 6f"));
  out.clear();
  append_frame(out, Opcode::ping, bytes_of("Hello"), std::nullopt);
  EXPECT_EQ(out, hex("89 05 48 65 6c 6c 6f"));
  out.clear();
  append_frame(out, Opcode::binary, Bytes(256), std::nullopt);
  EXPECT_EQ(Bytes(out.begin(), out.begin() + 4), hex("82 7e 01 00"));
  out.clear();
  append_frame(out, Opcode::binary, Bytes(65'536), std::nullopt, true);
  EXPECT_EQ(Bytes(out.begin(), out.begin() + 10), hex("c2 7f 00 00 00 00 00 01 00 00"));
}

TEST(Frame, HeadersAreReadBackAsTheyWereWritten) {
  for (const std::uint64_t size :
       {0ULL, 125ULL, 126ULL, 65'535ULL, 65'536ULL, 0x7FFF'FFFF'FFFF'FFFFULL}) {
    for (const bool masked : {false, true}) {
      FrameHeader written;
      written.opcode = Opcode::binary;
      written.fin = masked;
      written.rsv1 = !masked;
      written.masked = masked;
      written.mask = masked ? key : MaskingKey{};
      written.payload_size = size;
      std::array<std::byte, max_header_size> bytes{};
      const std::size_t length = write_header(bytes.data(), written);
      EXPECT_EQ(length, header_size(size, masked));
      const Role role = masked ? Role::server : Role::client;
      FrameHeader read;
      Violation violation;
      for (std::size_t part = 0; part < length; ++part) {
        EXPECT_EQ(parse_header(std::span(bytes).first(part), role, read, violation),
                  HeaderStatus::incomplete);
      }
      ASSERT_EQ(parse_header(bytes, role, read, violation), HeaderStatus::complete);
      EXPECT_EQ(read.opcode, written.opcode);
      EXPECT_EQ(read.fin, written.fin);
      EXPECT_EQ(read.rsv1, written.rsv1);
      EXPECT_EQ(read.masked, written.masked);
      EXPECT_EQ(read.mask, written.mask);
      EXPECT_EQ(read.size, length);
      EXPECT_EQ(read.payload_size, size);
    }
  }
}

// All 65,536 fronts of a header, against the table in section 5.2.
TEST(Frame, EveryFirstTwoBytes) {
  for (unsigned front = 0; front < 65'536; ++front) {
    const unsigned opcode = front >> 8U & 0x0FU;
    const unsigned length = front & 0x7FU;
    const bool known = opcode <= 2 || (opcode >= 8 && opcode <= 10);
    const bool whole = (front & 0x8000U) != 0;
    const bool masked = (front & 0x80U) != 0;
    const bool good =
        known && (front & 0x3000U) == 0 && !masked && (opcode < 8 || (whole && length <= 125));
    const Bytes bytes{static_cast<std::byte>(front >> 8U), static_cast<std::byte>(front & 0xFFU)};
    FrameHeader header;
    Violation violation{CloseCode::normal, ""};
    const HeaderStatus status = parse_header(bytes, Role::client, header, violation);
    if (good) {
      ASSERT_EQ(status, length < 126 ? HeaderStatus::complete : HeaderStatus::incomplete)
          << std::hex << front;
    } else {
      ASSERT_EQ(status, HeaderStatus::invalid) << std::hex << front;
      ASSERT_EQ(violation.code, CloseCode::protocol_error);
    }
  }
}

TEST(Frame, MaskByteByByte) {
  std::mt19937 random(3);
  for (std::size_t size = 0; size < 300; ++size) {
    for (std::uint64_t offset = 0; offset < 5; ++offset) {
      Bytes data(size);
      for (std::byte& byte : data) byte = static_cast<std::byte>(random_below(random, 256));
      Bytes expected = data;
      for (std::size_t i = 0; i < size; ++i) expected[i] ^= key[(i + offset) % 4];
      Bytes copied(size);
      copy_masked(copied.data(), data, key, offset);
      apply_mask(data, key, offset);
      ASSERT_EQ(data, expected);
      ASSERT_EQ(copied, expected);
    }
  }
}

}  // namespace
}  // namespace wskeep::websocket
