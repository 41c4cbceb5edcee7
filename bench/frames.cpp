#include "bench/frames.hpp"

#include <time.h>

namespace wskeep::bench {
namespace {

void append_header(std::string& frame, Opcode opcode, std::size_t size, unsigned mask_bit) {
  frame.push_back(static_cast<char>(0x80U | static_cast<unsigned>(opcode)));
  std::size_t extended = 0;
  if (size < 126) {
    frame.push_back(static_cast<char>(mask_bit | size));
  } else if (size < 65536) {
    frame.push_back(static_cast<char>(mask_bit | 126U));
    extended = 2;
  } else {
    frame.push_back(static_cast<char>(mask_bit | 127U));
    extended = 8;
  }
  while (extended-- > 0) {
    frame.push_back(static_cast<char>((size >> (8 * extended)) & 0xFFU));
  }
}

}  // namespace

std::string server_frame(Opcode opcode, std::string_view payload) {
  std::string frame;
  append_header(frame, opcode, payload.size(), 0);
  return frame.append(payload);
}

std::string client_frame(Opcode opcode, std::string_view payload) {
  constexpr std::string_view key = "wskb";
  std::string frame;
  append_header(frame, opcode, payload.size(), 0x80U);
  frame.append(key);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<char>(payload[i] ^ key[i % 4]));
  }
  return frame;
}

std::uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(time.tv_nsec);
}

}  // namespace wskeep::bench
