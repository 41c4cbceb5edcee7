#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "ipc/client/unix_socket.hpp"
#include "websocket/in_place_parser.hpp"

namespace wskeep::ipc {

/// One `wskeep.v1` subscription (docs/ipc.md): whole messages in both directions. Its calls throw
/// ClientError when the daemon is gone, hung or makes no sense.
class MessageStream {
 public:
  /// `target` is the path with its query. Throws Refusal when the daemon answers other than 101.
  static MessageStream open(const std::string& socket, const std::string& target,
                            Milliseconds timeout);

  /// Something beside the stream that ends a wait, as poll(2) has it.
  struct Watched {
    int descriptor = -1;  ///< -1: nothing
    short events = 0;     ///< 0: errors and hang-up alone
  };

  struct Turn {
    bool watched = false;    ///< the watched descriptor has something
    bool timed_out = false;  ///< nothing happened at all
  };

  /// Waits until something came, can be written, the watched descriptor has something, or
  /// `deadline` has passed (none: for ever). Then reads one batch, calling
  /// handler(websocket::Opcode, std::string_view payload) for each message in it (the payload is
  /// valid during the call), and writes what is queued. Not to be called once `ended()`.
  template <typename Handler>
  Turn turn(Handler&& handler, std::optional<Deadline> deadline, Watched watched);

  /// Appends a message to what the next turns write. The payload is `head` and `body` in a row.
  void queue(websocket::Opcode opcode, std::string_view head, std::string_view body);
  [[nodiscard]] std::size_t queued_bytes() const noexcept { return output_.size() - written_; }

  struct Close {
    std::uint16_t code = 0;
    std::string reason;
  };
  /// What the daemon's Close frame said; none while the stream is open.
  [[nodiscard]] const std::optional<Close>& ended() const noexcept { return close_; }

  /// Tells the daemon that nothing more is to come, as far as that goes without waiting.
  void say_goodbye() noexcept;

 private:
  static constexpr std::size_t batch = 64U << 10U;
  // The daemon's own limits are the narrower ones; this one only bounds what nonsense can cost.
  static constexpr std::uint64_t max_message = 1U << 31U;

  template <typename Handler>
  struct Sink {
    MessageStream& stream;
    Handler& handler;
    const std::byte* at;

    void on_message(const websocket::FrameInPlace& frame) {
      const std::byte* payload = at + frame.header_size;
      at += frame.frame_size;
      handler(frame.opcode, std::string_view(reinterpret_cast<const char*>(payload),
                                             frame.frame_size - frame.header_size));
    }
    void on_control(websocket::Opcode opcode, std::span<const std::byte> payload) {
      stream.control(opcode, payload);
    }
  };

  MessageStream(UnixSocket socket, std::string_view received);
  Turn wait(std::optional<Deadline> deadline, Watched watched, bool& readable);
  /// As far as that goes without waiting. A daemon that is gone is noticed by the next read.
  void write_queued();
  /// False if nothing was there.
  bool receive();
  void finish(const websocket::InPlaceParser::Result& result);
  void control(websocket::Opcode opcode, std::span<const std::byte> payload);

  UnixSocket socket_;
  websocket::InPlaceParser parser_;
  std::vector<std::byte> input_;
  std::size_t filled_ = 0;
  bool unread_ = false;  ///< bytes that came with the answer to the upgrade await the first turn
  std::vector<std::byte> output_;
  std::size_t written_ = 0;  ///< bytes at the front of `output_` that are gone already
  std::uint32_t mask_ = 0;
  std::optional<Close> close_;
};

template <typename Handler>
MessageStream::Turn MessageStream::turn(Handler&& handler, std::optional<Deadline> deadline,
                                        Watched watched) {
  bool readable = unread_;
  const Turn result = wait(deadline, watched, readable);
  // Reading goes first: what the daemon said before it closed says more than a failed write.
  // What came with the upgrade goes before everything: there may be nothing but an end behind it.
  if (readable && (std::exchange(unread_, false) || receive())) {
    Sink<std::remove_reference_t<Handler>> sink{*this, handler, input_.data()};
    finish(parser_.parse(input_.data(), filled_, sink));
  }
  if (!close_) write_queued();
  return result;
}

}  // namespace wskeep::ipc
