// InPlaceParser against MessageReader: the same stream, cut at different places, must yield the
// same messages, control frames and violation. The first byte says how the stream is cut.

#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "websocket/frame_writer.hpp"
#include "websocket/in_place_parser.hpp"
#include "websocket/message_reader.hpp"

namespace {

using namespace wskeep::websocket;

constexpr std::uint64_t max_message = 70'000;
constexpr std::uint32_t max_fragments = 6;

void require(bool holds) {
  if (!holds) std::abort();
}

struct Outcome {
  std::vector<std::byte>
      frames;  ///< messages and control frames, in order, written anew as bare frames
  bool stopped = false;
  int code = 0;
  bool in_message = false;
  bool operator==(const Outcome&) const = default;
};

struct Reference {
  void on_message(Opcode opcode, std::span<std::byte> payload) {
    append_frame(outcome.frames, opcode, payload, std::nullopt);
  }
  void on_control(Opcode opcode, std::span<const std::byte> payload) {
    append_frame(outcome.frames, opcode, payload, std::nullopt);
  }
  Outcome outcome;
};

/// The caller's side of InPlaceParser, in memory of exactly the promised size, so that a sanitizer
/// sees each byte too many.
class InPlace {
 public:
  void on_message(FrameInPlace frame) {
    const auto bytes = std::span(memory_).subspan(given_, frame.frame_size);
    require(frame.header_size == header_size(frame.frame_size - frame.header_size, false));
    outcome.frames.insert(outcome.frames.end(), bytes.begin(), bytes.end());
    given_ += frame.frame_size;
  }

  void on_control(Opcode opcode, std::span<const std::byte> payload) {
    append_frame(outcome.frames, opcode, payload, std::nullopt);
  }

  void receive(std::span<const std::byte> piece) {
    std::vector<std::byte> memory;
    memory.reserve(remaining_.size() + piece.size() + InPlaceParser::slack);
    memory = remaining_;
    memory.insert(memory.end(), piece.begin(), piece.end());
    const std::size_t size = memory.size();
    memory.resize(size + InPlaceParser::slack);
    memory_ = std::move(memory);
    given_ = 0;
    const InPlaceParser::Result result = parser_.parse(memory_.data(), size, *this);
    require(result.consumed == given_);
    require(result.consumed + result.remaining <= memory_.size());
    require(result.remaining <= max_message + InPlaceParser::max_overhead);
    const auto rest = std::span(memory_).subspan(result.consumed, result.remaining);
    remaining_.assign(rest.begin(), rest.end());
    outcome.stopped = result.stopped;
    outcome.code = result.violation ? static_cast<int>(result.violation->code) : 0;
    outcome.in_message = parser_.in_message();
  }

  Outcome outcome;

 private:
  InPlaceParser parser_{{.max_message = max_message, .max_fragments = max_fragments}};
  std::vector<std::byte> memory_;
  std::vector<std::byte> remaining_;
  std::size_t given_ = 0;
};

/// Calls `receive` for pieces of sizes drawn from `seed`.
template <typename Receive>
void in_pieces(std::span<const std::byte> stream, std::uint32_t seed, Receive receive) {
  while (!stream.empty()) {
    seed = seed * 1'664'525 + 1'013'904'223;
    const std::size_t longest = seed % 3 == 0 ? 4 : stream.size();
    const std::size_t size = std::min(stream.size(), 1 + (seed >> 8U) % longest);
    receive(stream.first(size));
    stream = stream.subspan(size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span stream(reinterpret_cast<const std::byte*>(data) + 1, size - 1);

  MessageReader reader(
      {.role = Role::client, .max_message = max_message, .max_fragments = max_fragments});
  Reference reference;
  in_pieces(stream, data[0] * 7919U, [&](std::span<const std::byte> piece) {
    std::vector<std::byte> copy(piece.begin(), piece.end());
    const MessageReader::Result result = reader.read(copy, reference);
    reference.outcome.stopped = result.stopped;
    reference.outcome.code = result.violation ? static_cast<int>(result.violation->code) : 0;
    reference.outcome.in_message = reader.in_message();
  });

  InPlace in_place;
  in_pieces(stream, data[0], [&](std::span<const std::byte> piece) { in_place.receive(piece); });
  require(in_place.outcome == reference.outcome);
  return 0;
}
