#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "websocket/frame.hpp"
#include "websocket/utf8.hpp"

namespace wskeep::websocket {

/// A whole message as it lies in the caller's memory: one bare frame with FIN set, header first.
struct FrameInPlace {
  Opcode opcode;  ///< text or binary
  std::uint8_t header_size;
  std::size_t frame_size;  ///< header and payload
};

/// Turns what a server sent (unmasked, no extension) into whole messages in the very memory it was
/// received into. Afterwards the messages lie there densely, each as one bare frame: control frames
/// are taken out and fragments are joined by moving bytes, in time that is linear in the size of
/// the call. A message that came whole and with no control frame before it is not touched at all,
/// which is the usual case.
///
/// The memory is one growing region. The caller keeps three things: where the region begins, how
/// many bytes in it are not yet given out as messages, and at least `slack` bytes of room behind
/// them.
class InPlaceParser {
 public:
  /// Room that `parse` may use behind the received bytes: a joined message can need a longer header
  /// than its fragments had together (by 6 bytes the first in a call, by 4 each next one, of 64 KiB
  /// at least).
  static constexpr std::size_t slack = 64;

  /// The most new bytes in one call for which `slack` surely suffices. With more, `parse` may leave
  /// whole frames among `remaining`, to be read by the next call; it never writes behind the slack.
  static constexpr std::size_t max_input = 512U << 10U;

  /// `remaining` is never more than Limits::max_message and this: two headers, or one and a control
  /// frame.
  static constexpr std::size_t max_overhead = 144;

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

  /// Reads `size` bytes at `begin`: what `remaining` left of the last call (moved by nobody but the
  /// caller, who may map it elsewhere) and all that came since. For each message calls
  ///   handler.on_message(FrameInPlace) -- in order; the first lies at `begin`, each next behind
  ///   the one before handler.on_control(Opcode, std::span<const std::byte> payload) -- valid
  ///   during the call
  /// Text that is not UTF-8 is a violation (1007); so are the limits (1009, 1008) and whatever RFC
  /// 6455 forbids (1002). `consumed + remaining` can exceed `size`, by no more than `slack`. Once
  /// stopped, nothing remains, and further calls read nothing.
  template <typename Handler>
  Result parse(std::byte* begin, std::size_t size, Handler& handler);

  /// True while a message has begun and not ended, be it within a frame (of any kind, its header
  /// included) or between fragments; false once stopped.
  [[nodiscard]] bool in_message() const noexcept {
    return !stopped_ && (fragments_ > 0 || partial_);
  }

 private:
  /// One call's view of the memory. Offsets from `begin`: given out up to `start`, then the
  /// fragments joined so far up to `out`, a hole up to `in`, and what is unread up to `end`.
  struct Pass {
    std::byte* begin;
    std::size_t start;
    std::size_t out;
    std::size_t in;
    std::size_t end;
    std::size_t room;  ///< up to where memory may be written
  };

  enum class Step : std::uint8_t { wait, stop, control, whole, fragment };

  /// Looks at the frame at `in`: waits unless it is there whole.
  Step look(const Pass& pass, FrameHeader& header) noexcept;
  /// Keeps a fragment. True if it ended its message; `message` is then set. False without a change
  /// to the pass if the slack does not suffice.
  bool join(Pass& pass, const FrameHeader& header, FrameInPlace& message) noexcept;
  bool join_last(Pass& pass, const FrameHeader& header, FrameInPlace& message) noexcept;
  Step refuse(CloseCode code, const char* reason) noexcept;
  Result finish(const Pass& pass) noexcept;

  Limits limits_;
  std::size_t joined_ = 0;  ///< bytes of the open message: its first frame's header and all payload
  std::uint32_t fragments_ = 0;  ///< frames of the open message; 0 if none is open
  Opcode opcode_ = Opcode::text;
  std::uint8_t first_header_size_ = 0;
  bool partial_ = false;
  bool stopped_ = false;
  std::optional<Violation> violation_;
};

inline InPlaceParser::Step InPlaceParser::look(const Pass& pass, FrameHeader& header) noexcept {
  const std::size_t available = pass.end - pass.in;
  Violation violation;
  const HeaderStatus status =
      parse_header({pass.begin + pass.in, available}, Role::client, header, violation);
  if (status == HeaderStatus::incomplete) return Step::wait;
  if (status == HeaderStatus::invalid) return refuse(violation.code, violation.reason);
  if (header.rsv1) return refuse(CloseCode::protocol_error, "reserved bit set");

  Step step = Step::control;
  if (!is_control(header.opcode)) {
    if ((header.opcode == Opcode::continuation) != (fragments_ > 0)) {
      return refuse(CloseCode::protocol_error, fragments_ > 0 ? "new message within another one"
                                                              : "continuation of no message");
    }
    // The limits are judged before the payload has come.
    if (header.payload_size > limits_.max_message - (joined_ - first_header_size_)) {
      return refuse(CloseCode::message_too_big, "message too big");
    }
    if (fragments_ >= limits_.max_fragments) {
      return refuse(CloseCode::policy_violation, "too many fragments");
    }
    step = header.fin && fragments_ == 0 ? Step::whole : Step::fragment;
  }
  return available - header.size < header.payload_size ? Step::wait : step;
}

template <typename Handler>
InPlaceParser::Result InPlaceParser::parse(std::byte* begin, std::size_t size, Handler& handler) {
  Pass pass{begin, 0, joined_, joined_, size, size + slack};
  while (!stopped_) {
    FrameHeader header;
    const Step step = look(pass, header);
    if (step == Step::wait || step == Step::stop) break;
    const auto frame_size = header.size + static_cast<std::size_t>(header.payload_size);
    if (step == Step::control) {
      const std::byte* payload = begin + pass.in + header.size;
      pass.in += frame_size;
      stopped_ = header.opcode == Opcode::close;
      handler.on_control(header.opcode, std::span(payload, frame_size - header.size));
      continue;
    }
    FrameInPlace message{header.opcode, header.size, frame_size};
    if (step == Step::whole) {
      if (pass.out != pass.in) std::memmove(begin + pass.out, begin + pass.in, frame_size);
      pass.out += frame_size;
      pass.in += frame_size;
    } else {
      const std::size_t before = pass.in;
      if (!join(pass, header, message)) {
        if (pass.in == before) break;
        continue;
      }
    }
    if (message.opcode == Opcode::text &&
        !is_valid_utf8(
            {begin + pass.start + message.header_size, message.frame_size - message.header_size})) {
      refuse(CloseCode::invalid_payload, "text is not UTF-8");
      break;
    }
    pass.start = pass.out;
    handler.on_message(message);
  }
  return finish(pass);
}

}  // namespace wskeep::websocket
