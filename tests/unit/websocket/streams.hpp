#pragma once

// Random but seeded WebSocket streams, and what is to be read out of them. The reference is the
// construction itself: the writer of a stream notes each message as it cuts it into frames.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "websocket/frame.hpp"
#include "websocket/frame_writer.hpp"

namespace wskeep::websocket::test {

using Bytes = std::vector<std::byte>;

inline Bytes bytes_of(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, data + text.size()};
}

inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes hex(std::string_view digits) {
  Bytes bytes;
  const auto value = [](char digit) { return digit <= '9' ? digit - '0' : digit - 'a' + 10; };
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] == ' ') continue;
    bytes.push_back(static_cast<std::byte>(value(digits[i]) * 16 + value(digits[i + 1])));
    ++i;
  }
  return bytes;
}

/// What a handler was given, in order: messages and control frames.
struct Event {
  Opcode opcode;
  std::string payload;
  bool operator==(const Event&) const = default;
};

/// Writes a stream, frame by frame, and notes what should come out.
class StreamWriter {
 public:
  explicit StreamWriter(std::optional<MaskingKey> mask = std::nullopt) : mask_(mask) {}

  void control(Opcode opcode, std::string_view payload) {
    append_frame(stream, opcode, bytes_of(payload), mask_);
    events.push_back({opcode, std::string(payload)});
  }

  void frame(Opcode opcode, std::span<const std::byte> payload, bool fin, bool rsv1 = false) {
    append_frame(stream, opcode, payload, mask_, rsv1, fin);
  }

  /// A message in fragments of these sizes, with a ping before each but the first one if wanted.
  void message(Opcode opcode, const std::vector<std::size_t>& sizes, bool pings = false) {
    std::string whole;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      std::string part(sizes[i], ' ');
      for (char& letter : part) letter = static_cast<char>('a' + counter_++ % 26);
      if (pings && i > 0) control(Opcode::ping, std::string(i % 126, 'p'));
      frame(i == 0 ? opcode : Opcode::continuation, bytes_of(part), i + 1 == sizes.size());
      whole += part;
    }
    events.push_back({opcode, whole});
  }

  Bytes stream;
  std::vector<Event> events;

 private:
  std::optional<MaskingKey> mask_;
  std::size_t counter_ = 0;
};

inline std::size_t random_below(std::mt19937& random, std::size_t bound) {
  return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random);
}

/// A size near one of the borders where the header changes, or a small one.
inline std::size_t random_size(std::mt19937& random, bool large) {
  constexpr std::size_t borders[] = {0, 1, 125, 126, 127, 128, 300, 65534, 65535, 65536, 65540};
  const std::size_t pick = random_below(random, large ? 14 : 10);
  if (pick < 7) return borders[pick];
  if (pick < 10) return random_below(random, 200);
  return borders[7 + pick - 10];
}

inline StreamWriter random_stream(std::mt19937& random, std::size_t messages, bool large,
                                  std::optional<MaskingKey> mask = std::nullopt) {
  StreamWriter writer(mask);
  for (std::size_t i = 0; i < messages; ++i) {
    if (random_below(random, 4) == 0)
      writer.control(Opcode::pong, std::string(random_below(random, 126), 'q'));
    std::vector<std::size_t> sizes;
    const std::size_t fragments = random_below(random, 3) != 0 ? 1 : 1 + random_below(random, 5);
    for (std::size_t f = 0; f < fragments; ++f) sizes.push_back(random_size(random, large));
    writer.message(random_below(random, 2) == 0 ? Opcode::text : Opcode::binary, sizes,
                   random_below(random, 3) == 0);
  }
  return writer;
}

}  // namespace wskeep::websocket::test
