#include "websocket/frame.hpp"

namespace wskeep::websocket {
namespace {

void write_number(std::byte* output, std::uint64_t value, std::size_t size) noexcept {
  for (std::size_t i = size; i-- > 0; value >>= 8U) output[i] = static_cast<std::byte>(value);
}

/// The key twice over, turned so that its first byte in memory is the one for `offset`.
std::uint64_t widen(MaskingKey key, std::uint64_t offset) noexcept {
  std::array<std::byte, 8> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = key[(i + offset) % 4];
  return std::bit_cast<std::uint64_t>(bytes);
}

/// `output` is `source` itself, or does not overlap it.
inline void mask_words(std::byte* output, const std::byte* source, std::size_t size,
                       std::uint64_t key) noexcept {
  constexpr std::size_t block = 64;
  std::size_t at = 0;
  // A fixed inner count is what lets the compilers turn this into vector instructions at -O2.
  for (; at + block <= size; at += block) {
    std::array<std::uint64_t, block / 8> words;
    std::memcpy(words.data(), source + at, block);
    for (std::uint64_t& word : words) word ^= key;
    std::memcpy(output + at, words.data(), block);
  }
  for (; at + 8 <= size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, source + at, 8);
    word ^= key;
    std::memcpy(output + at, &word, 8);
  }
  const auto bytes = std::bit_cast<std::array<std::byte, 8>>(key);
  for (std::size_t i = 0; at < size; ++at, ++i) output[at] = source[at] ^ bytes[i];
}

}  // namespace

std::size_t write_header(std::byte* output, const FrameHeader& header) noexcept {
  output[0] = static_cast<std::byte>((header.fin ? 0x80U : 0U) | (header.rsv1 ? 0x40U : 0U) |
                                     static_cast<unsigned>(header.opcode));
  const unsigned mask_bit = header.masked ? 0x80U : 0U;
  const std::size_t bare = header_size(header.payload_size, false);
  if (bare == 2) {
    output[1] = static_cast<std::byte>(mask_bit | header.payload_size);
  } else {
    output[1] = static_cast<std::byte>(mask_bit | (bare == 4 ? 126U : 127U));
    write_number(output + 2, header.payload_size, bare - 2);
  }
  if (!header.masked) return bare;
  std::memcpy(output + bare, header.mask.data(), header.mask.size());
  return bare + header.mask.size();
}

void apply_mask(std::span<std::byte> data, MaskingKey key, std::uint64_t offset) noexcept {
  mask_words(data.data(), data.data(), data.size(), widen(key, offset));
}

void copy_masked(std::byte* output, std::span<const std::byte> source, MaskingKey key,
                 std::uint64_t offset) noexcept {
  mask_words(output, source.data(), source.size(), widen(key, offset));
}

}  // namespace wskeep::websocket
