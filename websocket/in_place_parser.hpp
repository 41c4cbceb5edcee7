#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "websocket/frame.hpp"

namespace wskeep::websocket {

/// A whole message as it lies in the caller's memory: one bare frame with FIN set, header first.
struct FrameInPlace {
  Opcode opcode;             ///< text or binary
  std::uint8_t header_size;
  std::size_t frame_size;    ///< header and payload
};

/// Turns what a server sent (unmasked, no extension) into whole messages in the very memory it was received
/// into. Afterwards the messages lie there densely, each as one bare frame: control frames are taken out
/// and fragments are joined by moving bytes down, each at most once per call. A message that came whole
/// and with no control frame before it is not touched at all, which is the usual case.
///
/// The memory is one growing region. The caller keeps three things: where the region begins, how many bytes in it
/// are not yet given out as messages, and at least `slack` bytes of room behind them.
class InPlaceParser {
 public:
  /// Room that `parse` may use behind the received bytes (a joined message can need a longer header).
  static constexpr std::size_t slack = 16;

  struct Limits {
    std::uint64_t max_message = 1U << 20U;  ///< bytes of payload
    std::uint32_t max_fragments = 65'536;   ///< frames of one message
  };

  struct Result {
    std::size_t consumed = 0;   ///< bytes at the front that on_message was given
    std::size_t remaining = 0;  ///< bytes behind those: the front part of a message to come
    bool stopped = false;       ///< a violation or a Close frame: nothing after it was read
    std::optional<Violation> violation;
  };

  explicit InPlaceParser(Limits limits) noexcept : limits_(limits) {}

  /// Reads `size` bytes at `begin`: what `remaining` left of the last call (moved by nobody but the caller, who may
  /// map it elsewhere) and all that came since. For each message calls
  ///   handler.on_message(FrameInPlace) -- in order; the first lies at `begin`, each next behind the one before
  ///   handler.on_control(Opcode, std::span<const std::byte> payload) -- valid during the call
  /// Text that is not UTF-8 is a violation (1007); so are the limits (1009, 1008) and whatever RFC 6455 forbids (1002).
  template <typename Handler>
  Result parse(std::byte* begin, std::size_t size, Handler& handler);

  /// True while a message has begun and not ended, be it within a frame or between fragments.
  [[nodiscard]] bool in_message() const noexcept;
};

}  // namespace wskeep::websocket
