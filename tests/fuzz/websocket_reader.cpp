// MessageReader as a server: masked and compressed frames. The same bytes whole and in pieces must
// come to the same, within the limits. The first byte says how they are cut and what was agreed
// about compression.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "websocket/close.hpp"
#include "websocket/frame_writer.hpp"
#include "websocket/message_reader.hpp"

namespace {

using namespace wskeep::websocket;

constexpr std::uint64_t max_message = 4096;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::vector<std::byte> frames;
  bool stopped = false;
  int code = 0;
  bool operator==(const Outcome&) const = default;
};

struct Handler {
  void on_message(Opcode opcode, std::span<std::byte> payload) {
    require(payload.size() <= max_message);
    append_frame(outcome.frames, opcode, payload, std::nullopt);
  }

  void on_control(Opcode opcode, std::span<const std::byte> payload) {
    require(payload.size() <= max_control_payload);
    append_frame(outcome.frames, opcode, payload, std::nullopt);
    if (opcode == Opcode::close) static_cast<void>(parse_close(payload));
  }

  Outcome outcome;
};

Outcome read(std::span<const std::byte> stream, std::size_t longest_piece, int window_bits,
             bool forget) {
  Inflater inflater(window_bits, forget);
  MessageReader reader({.role = Role::server, .max_message = max_message, .max_fragments = 8},
                       &inflater);
  Handler handler;
  while (!stream.empty() && !handler.outcome.stopped) {
    const std::size_t size = std::min(longest_piece, stream.size());
    std::vector<std::byte> piece(stream.begin(),
                                 stream.begin() + static_cast<std::ptrdiff_t>(size));
    const MessageReader::Result result = reader.read(piece, handler);
    require(result.consumed == size || result.stopped);
    handler.outcome.stopped = result.stopped;
    handler.outcome.code = result.violation ? static_cast<int>(result.violation->code) : 0;
    stream = stream.subspan(size);
  }
  return handler.outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span stream(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  const int window_bits = 8 + data[0] % 8;
  const bool forget = (data[0] & 0x08U) != 0;
  const std::size_t longest_piece = 1 + (data[0] >> 4U);
  require(read(stream, stream.size(), window_bits, forget) ==
          read(stream, longest_piece, window_bits, forget));
  return 0;
}
