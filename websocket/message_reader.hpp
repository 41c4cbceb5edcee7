#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "websocket/deflate.hpp"
#include "websocket/frame.hpp"
#include "websocket/utf8.hpp"

namespace wskeep::websocket {

/// Turns received bytes, cut anywhere, into messages and control frames. For what InPlaceParser is
/// not for: masked or compressed frames. Keeps only what has been received of an unfinished
/// message, never more than the limit.
class MessageReader {
 public:
  /// In which form messages are handed on.
  enum class Form : std::uint8_t {
    whole,           ///< a larger one than `max_message` is refused
    large_in_parts,  ///< a larger one in parts, as they come
    frames,  ///< each frame as a part; a larger one than `max_message` in several. A message that
             ///< is one frame is whole. Compressed ones only as a client
  };

  struct Options {
    Role role = Role::client;
    std::uint64_t max_message = 1U << 20U;  ///< bytes of payload, inflated
    std::uint32_t max_fragments = 65'536;   ///< frames of one message; those in parts have no limit
    bool validate_utf8 = true;
    Form form = Form::whole;
    std::size_t part_size = std::size_t{64} << 10U;  ///< at most of a compressed frame that is cut
  };

  /// What a part is of its message. Parts of text end between two code points.
  struct Part {
    Opcode opcode = Opcode::text;  ///< of the message
    bool first = true;
    bool last = true;
  };

  struct Result {
    std::size_t consumed = 0;  ///< bytes of the input that were read
    bool stopped = false;  ///< a violation or a Close frame: nothing after it was read, nor will be
    std::optional<Violation> violation;
  };

  /// `inflater` is that of the peer's direction if permessage-deflate was agreed, else null. It
  /// outlives the reader.
  explicit MessageReader(Options options, Inflater* inflater = nullptr) noexcept
      : options_(options), inflater_(inflater) {}

  /// Reads all of `input`, and unmasks in it. For what is complete calls
  ///   handler.on_message(Opcode, std::span<std::byte> payload) -- opcode text or binary; the
  ///   handler may write there handler.on_control(Opcode, std::span<const std::byte> payload)
  /// with spans that are valid during the call. on_message may return bool: false stops reading
  /// behind that message, and the caller gives the input from `consumed` on again later. A message
  /// that lies in `input` as one plain frame is handed on without a copy. Violations: 1002 by RFC
  /// 6455, 1007 for text that is not UTF-8 or broken compression, 1009 and 1008 for the limits.
  ///
  /// Where the form has parts, a message that is not whole comes by
  ///   handler.on_part(Part, std::span<std::byte> payload) -- as on_message; the first and the last
  ///   part can be empty. After `false` it is to be called again even when no input is left.
  template <typename Handler>
  Result read(std::span<std::byte> input, Handler& handler);

  /// True while a message has begun and not ended, be it within a frame (of any kind, its header
  /// included) or between fragments; false once stopped.
  [[nodiscard]] bool in_message() const noexcept {
    return !stopped_ && (fragments_ > 0 || in_frame_ || front_size_ > 0);
  }

  /// Bytes that are kept of a message that has begun and not ended.
  [[nodiscard]] std::size_t buffered() const noexcept { return assembled_.size(); }

  /// Nothing more is read, and nothing kept of what was.
  void stop() noexcept {
    stopped_ = true;
    std::vector<std::byte>().swap(assembled_);
  }

 private:
  enum class Event : std::uint8_t { input_used_up, stop, message, part, control };

  /// Above this, the memory of an assembled message is given back once it has been handed on.
  static constexpr std::size_t kept_capacity = 64U << 10U;

  Event next(std::span<std::byte>& input);
  bool read_header(std::span<std::byte>& input);
  bool begin_frame();
  bool begin_data_frame();
  Event take_control(std::span<std::byte> piece);
  Event take_data(std::span<std::byte> piece);
  Event take_part(std::span<std::byte> piece, bool frame_ended);
  Event inflate_part(std::span<std::byte>& input);
  Event give_part(bool last);
  Event end_message();
  Event refuse(CloseCode code, const char* reason) noexcept;
  void release();

  Options options_;
  Inflater* inflater_;
  FrameHeader frame_;
  std::uint64_t frame_read_ = 0;  ///< bytes of the open frame's payload that have been taken
  std::uint64_t received_ =
      0;  ///< bytes of the open message's payload, as announced by its headers
  std::uint32_t fragments_ = 0;  ///< frames of the open message; 0 if none is open
  bool in_frame_ = false;
  bool in_parts_ = false;          ///< the open message is not handed on as a whole
  bool part_given_ = false;        ///< one of its parts was
  bool cut_ = false;               ///< the open compressed frame is larger than max_message
  std::size_t kept_ = 0;           ///< bytes in assembled_ that were checked with an earlier part
  Utf8Validator utf8_;             ///< of the message in parts
  std::array<std::byte, 3> tail_;  ///< the front of a code point, left for the next part
  std::uint8_t tail_size_ = 0;
  Part part_;
  bool compressed_ = false;
  bool stopped_ = false;
  std::uint8_t front_size_ = 0;
  std::uint8_t control_size_ = 0;
  Opcode message_opcode_ = Opcode::text;
  std::array<std::byte, max_header_size> front_;        ///< of a header that is not complete
  std::array<std::byte, max_control_payload> control_;  ///< of a control frame that came in pieces
  std::vector<std::byte> assembled_;
  std::span<std::byte> payload_;  ///< of the event that `next` returned
  std::optional<Violation> violation_;
};

template <typename Handler>
MessageReader::Result MessageReader::read(std::span<std::byte> input, Handler& handler) {
  const std::size_t size = input.size();
  bool wanted = true;
  while (wanted) {
    const Event event = next(input);
    if (event == Event::input_used_up || event == Event::stop) break;
    if (event == Event::control) {
      const Opcode opcode = frame_.opcode;
      handler.on_control(opcode, std::span<const std::byte>(payload_));
      continue;
    }
    using Answer = decltype(handler.on_message(message_opcode_, payload_));
    if constexpr (std::same_as<Answer, bool>) {
      if constexpr (requires { handler.on_part(part_, payload_); }) {
        wanted = event == Event::part ? handler.on_part(part_, payload_)
                                      : handler.on_message(message_opcode_, payload_);
      } else {
        wanted = handler.on_message(message_opcode_, payload_);
      }
    } else {
      handler.on_message(message_opcode_, payload_);
    }
    release();
  }
  return {size - input.size(), stopped_, violation_};
}

}  // namespace wskeep::websocket
