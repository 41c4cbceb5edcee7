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

/// Reads the header at the front of `input` and checks what can be told from it alone: opcode, RSV2 and
/// RSV3, mask as `role` demands, minimal length, top bit of the length, control frames whole and short.
/// `header` is set when complete, `violation` when invalid. RSV1 is the caller's to judge.
[[nodiscard]] HeaderStatus parse_header(std::span<const std::byte> input, Role role, FrameHeader& header,
                                        Violation& violation) noexcept;

/// Bytes of the shortest header for that payload: 2, 4 or 10, and 4 more with a mask.
[[nodiscard]] constexpr std::size_t header_size(std::uint64_t payload_size, bool masked) noexcept {
  const std::size_t bare = payload_size < 126 ? 2 : payload_size <= 0xFFFF ? 4 : 10;
  return bare + (masked ? 4U : 0U);
}

/// Writes the header (FIN as given; the length from `payload_size`; the mask where `masked`) to `output`,
/// which has room for `header_size()` bytes. Returns the bytes written. `header.size` is not read.
std::size_t write_header(std::byte* output, const FrameHeader& header) noexcept;

/// XORs `data` with the key, the first byte with key[offset % 4] (5.3). Masks and unmasks.
void apply_mask(std::span<std::byte> data, MaskingKey key, std::uint64_t offset = 0) noexcept;

}  // namespace wskeep::websocket
