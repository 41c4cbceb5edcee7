// MessageReader as a server: masked and compressed frames. The same bytes whole and in pieces must
// come to the same, within the limits. The first byte says how they are cut and what was agreed
// about compression. Read in parts, in either form, messages must come to the same however the
// bytes are cut.

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

/// Whole messages out of parts; of one without an end, nothing.
struct Joiner {
  bool on_message(Opcode opcode, std::span<std::byte> payload) {
    require(!open);
    append_frame(outcome.frames, opcode, payload, std::nullopt);
    return take();
  }

  bool on_part(MessageReader::Part part, std::span<std::byte> payload) {
    require(part.first == !open);
    require(!part.first || !part.last);
    if (part.first) joined.clear();
    joined.insert(joined.end(), payload.begin(), payload.end());
    open = !part.last;
    if (part.last) append_frame(outcome.frames, part.opcode, joined, std::nullopt);
    return take();
  }

  void on_control(Opcode /*opcode*/, std::span<const std::byte> payload) {
    require(payload.size() <= max_control_payload);
  }

  bool take() { return ++calls % 3 != 0; }

  Outcome outcome;
  std::vector<std::byte> joined;
  bool open = false;
  unsigned calls = 0;
};

Outcome read_parts(std::span<const std::byte> stream, std::size_t longest_piece, Role role,
                   int window_bits, bool forget) {
  Inflater inflater(window_bits, forget);
  const auto form =
      role == Role::client ? MessageReader::Form::frames : MessageReader::Form::large_in_parts;
  MessageReader reader({.role = role, .max_message = 64, .form = form, .part_size = 16},
                       role == Role::client ? &inflater : nullptr);
  Joiner joiner;
  while (!stream.empty() && !joiner.outcome.stopped) {
    const std::size_t size = std::min(longest_piece, stream.size());
    std::vector<std::byte> piece(stream.begin(),
                                 stream.begin() + static_cast<std::ptrdiff_t>(size));
    std::span<std::byte> input(piece);
    unsigned before = 0;
    do {
      before = joiner.calls;
      const MessageReader::Result result = reader.read(input, joiner);
      input = input.subspan(result.consumed);
      joiner.outcome.stopped = result.stopped;
      joiner.outcome.code = result.violation ? static_cast<int>(result.violation->code) : 0;
    } while (!joiner.outcome.stopped && joiner.calls != before && joiner.calls % 3 == 0);
    require(input.empty() || joiner.outcome.stopped);
    stream = stream.subspan(size);
  }
  return joiner.outcome;
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
  for (const Role role : {Role::client, Role::server}) {
    require(read_parts(stream, stream.size(), role, window_bits, forget) ==
            read_parts(stream, longest_piece, role, window_bits, forget));
  }
  return 0;
}
