#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// As much of RFC 6455's framing as the benchmark's programs need. It is not the codec of the
/// daemon on purpose: a fault of that one must not cancel itself out.
namespace wskeep::bench {

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

struct FrameHeader {
  std::uint64_t payload_size = 0;
  std::uint32_t header_size = 0;  ///< the masking key included; 0: more bytes are needed
  Opcode opcode = Opcode::text;
  bool masked = false;

  [[nodiscard]] bool complete() const { return header_size != 0; }
  [[nodiscard]] bool control() const { return (static_cast<unsigned>(opcode) & 8U) != 0; }
  [[nodiscard]] std::uint64_t frame_size() const { return header_size + payload_size; }
};

inline std::uint64_t read_big_endian(const unsigned char* bytes, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    value = (value << 8U) | bytes[i];
  }
  return value;
}

/// Inline, for the floor must not pay for a call where others do not.
inline FrameHeader parse_frame_header(const unsigned char* bytes, std::size_t size) {
  FrameHeader header;
  if (size < 2) {
    return header;
  }
  const unsigned short_size = bytes[1] & 0x7FU;
  const std::size_t extended = short_size < 126 ? 0U : (short_size == 126 ? 2U : 8U);
  header.opcode = static_cast<Opcode>(bytes[0] & 0x0FU);
  header.masked = (bytes[1] & 0x80U) != 0;
  if (size < 2 + extended) {
    return header;
  }
  header.payload_size = extended == 0 ? short_size : read_big_endian(bytes + 2, extended);
  header.header_size = static_cast<std::uint32_t>(2 + extended + (header.masked ? 4U : 0U));
  return header;
}

/// One final frame without a mask, as a server sends it.
std::string server_frame(Opcode opcode, std::string_view payload);

/// The same as a client sends it. The masking key is fixed: the peer is a program of this
/// benchmark.
std::string client_frame(Opcode opcode, std::string_view payload);

/// Every message of the benchmark begins with its number (10 digits), a space, the time it was
/// sent (CLOCK_MONOTONIC in nanoseconds, 19 digits, or `no_time` 19 times) and a space.
constexpr std::size_t number_digits = 10;
constexpr std::size_t time_digits = 19;
constexpr char no_time = 'x';
constexpr std::size_t message_head = number_digits + 1 + time_digits + 1;

/// A message that is JSON has this in front of that; its string ends behind it.
constexpr std::string_view json_front = R"({"head":")";

inline std::uint64_t read_digits(const char* digits, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value = value * 10 + static_cast<std::uint64_t>(digits[i] - '0');
  }
  return value;
}

inline void write_digits(char* digits, std::size_t count, std::uint64_t value) {
  for (std::size_t i = count; i-- > 0; value /= 10) {
    digits[i] = static_cast<char>('0' + value % 10);
  }
}

/// CLOCK_MONOTONIC, which all processes of a machine share.
std::uint64_t now_ns();

}  // namespace wskeep::bench
