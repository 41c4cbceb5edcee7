#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "websocket/violation.hpp"

namespace wskeep::websocket {

/// RFC 6455, section 5.2.
enum class Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xA,
};

[[nodiscard]] constexpr bool is_control(Opcode opcode) noexcept {
  return (static_cast<unsigned>(opcode) & 0x8U) != 0;
}

/// Which end we are. A server takes masked frames and sends bare ones; a client the reverse (5.1).
enum class Role : std::uint8_t { client, server };

using MaskingKey = std::array<std::byte, 4>;

inline constexpr std::size_t max_header_size = 14;
inline constexpr std::size_t max_control_payload = 125;

struct FrameHeader {
  Opcode opcode = Opcode::continuation;
  bool fin = false;
  bool rsv1 = false;
  bool masked = false;
  std::uint8_t size = 0;  ///< bytes of the header itself, 2 to 14
  std::uint64_t payload_size = 0;
  MaskingKey mask{};
};

enum class HeaderStatus : std::uint8_t { complete, incomplete, invalid };

/// Reads the header at the front of `input` and checks what can be told from it alone: opcode, RSV2
/// and RSV3, mask as `role` demands, minimal length, top bit of the length, control frames whole
/// and short. `header` is set when complete, `violation` when invalid (which is told from the first
/// two bytes where they suffice). RSV1 is the caller's to judge.
[[nodiscard]] HeaderStatus parse_header(std::span<const std::byte> input, Role role,
                                        FrameHeader& header, Violation& violation) noexcept;

/// Bytes of the shortest header for that payload: 2, 4 or 10, and 4 more with a mask.
[[nodiscard]] constexpr std::size_t header_size(std::uint64_t payload_size, bool masked) noexcept {
  const std::size_t bare = payload_size < 126 ? 2 : payload_size <= 0xFFFF ? 4 : 10;
  return bare + (masked ? 4U : 0U);
}

/// Writes the header (FIN as given; the length from `payload_size`; the mask where `masked`) to
/// `output`, which has room for `header_size()` bytes. Returns the bytes written. `header.size` is
/// not read.
std::size_t write_header(std::byte* output, const FrameHeader& header) noexcept;

/// XORs `data` with the key, the first byte with key[offset % 4] (5.3). Masks and unmasks.
void apply_mask(std::span<std::byte> data, MaskingKey key, std::uint64_t offset = 0) noexcept;

/// The same from `source` to `output`, which has room for as many bytes and does not overlap it.
void copy_masked(std::byte* output, std::span<const std::byte> source, MaskingKey key,
                 std::uint64_t offset = 0) noexcept;

namespace detail {

[[nodiscard]] constexpr bool is_known_opcode(unsigned opcode) noexcept {
  return ((0b0000'0111'0000'0111U >> opcode) & 1U) != 0;
}

/// The big-endian number in `bytes`.
[[nodiscard]] inline std::uint64_t read_number(std::span<const std::byte> bytes) noexcept {
  std::uint64_t value = 0;
  for (const std::byte byte : bytes) value = value << 8U | std::to_integer<std::uint64_t>(byte);
  return value;
}

/// The first two bytes; nullptr or what is wrong with them.
[[nodiscard]] inline const char* judge_front(unsigned first, unsigned second, Role role) noexcept {
  const unsigned opcode = first & 0x0FU;
  if ((first & 0x30U) != 0) return "reserved bit set";
  if (!is_known_opcode(opcode)) return "reserved opcode";
  const bool masked = (second & 0x80U) != 0;
  if (masked != (role == Role::server)) {
    return masked ? "masked frame from a server" : "frame from a client not masked";
  }
  if ((opcode & 0x8U) != 0) {
    if ((first & 0x80U) == 0) return "fragmented control frame";
    if ((second & 0x7FU) > max_control_payload) return "control frame over 125 bytes";
  }
  return nullptr;
}

}  // namespace detail

// Inline: it runs once for each message of the data path.
inline HeaderStatus parse_header(std::span<const std::byte> input, Role role, FrameHeader& header,
                                 Violation& violation) noexcept {
  const auto invalid = [&](const char* reason) {
    violation = {CloseCode::protocol_error, reason};
    return HeaderStatus::invalid;
  };
  if (input.size() < 2) return HeaderStatus::incomplete;
  const auto first = std::to_integer<unsigned>(input[0]);
  const auto second = std::to_integer<unsigned>(input[1]);
  if (const char* reason = detail::judge_front(first, second, role)) return invalid(reason);

  std::size_t size = 2;
  std::uint64_t payload_size = second & 0x7FU;
  if (payload_size == 126) {
    size = 4;
    if (input.size() < size) return HeaderStatus::incomplete;
    payload_size = detail::read_number(input.subspan<2, 2>());
    if (payload_size < 126) return invalid("length not minimal");
  } else if (payload_size == 127) {
    size = 10;
    if (input.size() < size) return HeaderStatus::incomplete;
    payload_size = detail::read_number(input.subspan<2, 8>());
    if ((payload_size >> 63U) != 0) return invalid("length with its top bit set");
    if (payload_size <= 0xFFFF) return invalid("length not minimal");
  }
  header.masked = (second & 0x80U) != 0;
  if (header.masked) {
    if (input.size() < size + 4) return HeaderStatus::incomplete;
    std::memcpy(header.mask.data(), input.data() + size, 4);
    size += 4;
  }
  header.opcode = static_cast<Opcode>(first & 0x0FU);
  header.fin = (first & 0x80U) != 0;
  header.rsv1 = (first & 0x40U) != 0;
  header.size = static_cast<std::uint8_t>(size);
  header.payload_size = payload_size;
  return HeaderStatus::complete;
}

}  // namespace wskeep::websocket
