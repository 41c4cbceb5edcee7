#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "daemon/net/transport.hpp"
#include "daemon/upstream/statistics.hpp"
#include "ipc/channel.hpp"
#include "websocket/deflate.hpp"
#include "websocket/in_place_parser.hpp"
#include "websocket/message_reader.hpp"

namespace wskeep::upstream {

/// Who is told of control frames.
class ControlObserver {
 public:
  virtual void on_control(websocket::Opcode opcode, std::span<const std::byte> payload) = 0;

  /// The ring may forget messages that this read has brought. Only where they are inflated; else
  /// it keeps all of a read.
  virtual void before_room() {}

 protected:
  ~ControlObserver() = default;
};

/// Brings what upstream sends into the ring as whole messages. Without compression it is received
/// straight into the ring and stays where it is; with compression it is inflated into it.
///
/// With `receive: stream` what was sent in several frames, or in one larger than `max_message`, is
/// brought into it in parts as they come, and the session is not ended for its size.
class Receiver {
 public:
  struct Outcome {
    net::IoResult io;      ///< of the transport; `bytes` were received
    bool drained = false;  ///< the transport had less than there was room for: it has no more now
    bool stalled = false;  ///< nothing was read, for the channel waits for a reader
    bool stopped = false;  ///< a Close frame or a violation: nothing more is read
    std::optional<websocket::Violation> violation;
  };

  /// `compression` as agreed with upstream. All referred to outlives it.
  Receiver(ipc::Channel& channel, Statistics& statistics, ControlObserver& observer,
           std::uint64_t max_message,
           const std::optional<websocket::DeflateParameters>& compression,
           config::Passing passing = config::Passing::message);

  /// One read. Its messages get the time `time_ns`; they are committed, not delivered.
  [[nodiscard]] Outcome receive(net::Transport& transport, std::uint64_t time_ns);

  /// The same for bytes that came with the 101; they are bounded by the limit for its head, and so
  /// by the ring's headroom.
  [[nodiscard]] Outcome take_early(std::span<const std::byte> bytes, std::uint64_t time_ns);

  /// A message has begun and not ended.
  [[nodiscard]] bool in_message() const noexcept {
    return copied_ ? copied_->frames.in_message() : frames_.in_message();
  }

 private:
  /// For what does not lie in the ring as it was received: compressed messages, and parts.
  struct Copied {
    Copied(const std::optional<websocket::DeflateParameters>& agreed, std::uint64_t max_message,
           std::size_t part_size, config::Passing passing);
    std::optional<websocket::Inflater> inflater;
    websocket::MessageReader frames;
    std::vector<std::byte> unread;  ///< received, and waiting for room in the ring
    bool message_waits = false;     ///< likewise, a message or part
    std::vector<std::byte> message;
    websocket::MessageReader::Part part;
    std::size_t read_size;
  };

  friend class websocket::InPlaceParser;
  friend class websocket::MessageReader;
  void on_message(const websocket::FrameInPlace& message);
  bool on_message(websocket::Opcode opcode, std::span<std::byte> payload);
  bool on_part(websocket::MessageReader::Part part, std::span<std::byte> payload);
  void on_control(websocket::Opcode opcode, std::span<const std::byte> payload);

  [[nodiscard]] Outcome receive_in_place(net::Transport& transport);
  [[nodiscard]] Outcome receive_copied(net::Transport& transport);
  void parse_in_place(std::size_t received, Outcome& outcome);
  void read_copied(std::span<std::byte> input, Outcome& outcome);
  [[nodiscard]] bool append(websocket::MessageReader::Part part,
                            std::span<const std::byte> payload);
  void commit_part(websocket::MessageReader::Part part, const websocket::FrameInPlace& frame);

  ipc::Channel& channel_;
  Statistics& statistics_;
  ControlObserver& observer_;
  std::uint64_t time_ns_ = 0;
  websocket::InPlaceParser frames_;
  std::size_t pending_ = 0;         ///< bytes behind the ring's end: the front part of a message
  std::unique_ptr<Copied> copied_;  ///< nullptr: all is received into the ring
};

}  // namespace wskeep::upstream
