#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ring/layout.hpp"

namespace wskeep::ring {

/// Sequence numbers count a connection's messages from 1; of messages that come in parts, the
/// parts.
using Sequence = std::uint64_t;

/// Bytes since the epoch began.
using Position = std::uint64_t;

/// The last messages of a connection, each as the frame that local apps are sent, one behind the
/// other without a hole. One writer; any number of readers, each no more than a sequence number
/// that it keeps itself. A reader was lapped when its next message is below `first()`.
///
/// The writer receives into the memory behind the newest message (`unwritten`), and makes what has
/// become a whole frame the next message (`commit`), or a part of one (`commit_part`), which is
/// numbered and kept like a message. Used by one thread.
class Ring {
 public:
  struct Shape {
    std::size_t history = 0;      ///< bytes to keep
    std::size_t max_message = 0;  ///< bytes of the largest payload
  };

  /// What the writer needs beside a largest message: its header, and room to receive what follows
  /// it.
  static constexpr std::size_t headroom = std::size_t{32} << 10U;

  /// Throws std::system_error when the memory cannot be had. `epoch` is chosen by the caller, at
  /// random.
  Ring(Shape shape, std::uint64_t epoch);

  [[nodiscard]] std::uint64_t epoch() const noexcept { return memory_.header().epoch; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// How many messages can be kept at most, however small they are.
  [[nodiscard]] std::size_t slots() const noexcept { return index_mask_ + 1; }

  /// The oldest message kept; equals `next()` when there is none.
  [[nodiscard]] Sequence first() const noexcept { return first_; }
  /// What the next message will be numbered.
  [[nodiscard]] Sequence next() const noexcept { return next_; }
  [[nodiscard]] bool empty() const noexcept { return first_ == next_; }
  /// Behind the newest message.
  [[nodiscard]] Position end() const noexcept { return end_; }
  /// Bytes of the messages that are kept.
  [[nodiscard]] std::size_t used() const noexcept {
    return static_cast<std::size_t>(end_ - position(first_));
  }

  /// Needs first() <= sequence < next().
  [[nodiscard]] const Entry& entry(Sequence sequence) const noexcept {
    return index_[sequence & index_mask_];
  }

  /// Where a message begins; needs first() <= sequence <= next().
  [[nodiscard]] Position position(Sequence sequence) const noexcept {
    return sequence == next_ ? end_ : entry(sequence).position;
  }

  /// The message whose frame holds that byte; next() for the end. Needs position(first()) <=
  /// position <= end().
  [[nodiscard]] Sequence sequence_at(Position position) const noexcept;

  /// The bytes from..to, in one piece, valid until the writer makes room over them.
  [[nodiscard]] std::span<const std::byte> bytes(Position from, Position to) const noexcept {
    return {data_ + from % capacity_, static_cast<std::size_t>(to - from)};
  }

  /// The payload of a message that is kept.
  [[nodiscard]] std::span<const std::byte> payload(const Entry& entry) const noexcept {
    return bytes(entry.position + entry.header_size, entry.position + entry.size);
  }

  /// Bytes that can be received without overwriting message `keep` or a later one, however small
  /// the messages are that they hold. `pending` bytes lie behind the end already: the front part of
  /// one message.
  [[nodiscard]] std::size_t room(Sequence keep, std::size_t pending) const noexcept;

  /// The same for the bytes of one whole message.
  [[nodiscard]] std::size_t room_for_one(Sequence keep) const noexcept;

  /// The oldest message that `make_room(bytes)` would leave.
  [[nodiscard]] Sequence first_after(std::size_t bytes) const noexcept;

  /// Forgets the oldest messages until `bytes` bytes behind the end may be written. bytes <=
  /// capacity().
  void make_room(std::size_t bytes) noexcept;

  /// The memory behind the end. As much of it may be written as make_room was asked for.
  [[nodiscard]] std::byte* unwritten() noexcept { return data_ + end_ % capacity_; }

  /// Makes the frame that begins at `unwritten()` the next message.
  void commit(std::uint8_t opcode, std::uint8_t header_size, std::size_t frame_size,
              std::uint64_t time_ns) noexcept {
    if (next_ - first_ > index_mask_) ++first_;
    index_[next_ & index_mask_] = Entry{.position = end_,
                                        .time_ns = time_ns,
                                        .size = static_cast<std::uint32_t>(frame_size),
                                        .opcode = opcode,
                                        .header_size = header_size};
    end_ += frame_size;
    ++next_;
  }

  /// The same for a part of a message.
  void commit_part(Part part, std::uint8_t opcode, std::uint8_t header_size, std::size_t frame_size,
                   std::uint64_t time_ns);

  /// The newest message has begun and not ended.
  [[nodiscard]] bool message_open() const noexcept { return open_first_ != 0; }

  /// Messages that were broken off: parts `first` to before `end` and nothing more.
  struct BrokenOff {
    Sequence first;
    Sequence end;
  };
  /// Ends the open message so; nothing if there is none.
  std::optional<BrokenOff> break_off();
  /// Those of which anything may be kept, oldest first.
  [[nodiscard]] const std::vector<BrokenOff>& broken_off() const noexcept { return broken_off_; }

  /// The first message that begins at `sequence` or behind it; next() if there is none. Needs
  /// first() <= sequence <= next().
  [[nodiscard]] Sequence begin_from(Sequence sequence) const noexcept {
    while (sequence < next_ && !entry(sequence).begins()) ++sequence;
    return sequence;
  }

  /// What comes next at `sequence` goes on with a message. Needs first() <= sequence <= next().
  [[nodiscard]] bool continues_at(Sequence sequence) const noexcept {
    return sequence == next_ ? message_open() : !entry(sequence).begins();
  }

  /// Shows all commits since the last call to readers that map the memory themselves: once per
  /// batch.
  void publish() noexcept;

 private:
  Memory memory_;
  Entry* index_;
  std::byte* data_;
  std::size_t capacity_;
  std::size_t index_mask_;
  Sequence first_ = 1;
  Sequence next_ = 1;
  Position end_ = 0;
  Sequence open_first_ = 0;  ///< of the open message; 0: there is none
  std::vector<BrokenOff> broken_off_;
};

}  // namespace wskeep::ring
