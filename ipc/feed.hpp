#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "ring/ring.hpp"

namespace wskeep::ipc {

/// Where a reader stands in the ring.
struct Place {
  ring::Sequence sequence = 0;  ///< the first message that it has not been given whole
  ring::Position position = 0;  ///< the first byte in the ring that it still needs
};

/// What a reader is sent of the ring, in the form that it asked for. A cursor, not a queue: it
/// keeps a place and takes bytes when the reader's socket can take them.
///
/// Of a message that comes in parts it gives nothing unless it was given its begin: after a gap it
/// goes on with the next message.
class Feed {
 public:
  virtual ~Feed() = default;

  [[nodiscard]] const Place& place() const noexcept { return place_; }

  /// Everything that can be sent now in one piece; empty: nothing. Needs !lapped(). Valid until the
  /// ring is written.
  [[nodiscard]] virtual std::span<const std::byte> more() = 0;

  /// What must still be sent before anything else may stand between: the end of a message that has
  /// been begun.
  [[nodiscard]] virtual std::span<const std::byte> rest() = 0;

  /// `bytes` of what `more` or `rest` gave last were sent.
  virtual void advance(std::size_t bytes) = 0;

  /// The ring is about to be overwritten from place().position on: keep what `rest` needs.
  virtual void before_overwrite() = 0;

  /// The first message of which something is yet to be sent, or an earlier one: for people who
  /// look.
  [[nodiscard]] virtual ring::Sequence first_unsent() const noexcept { return place_.sequence; }

  /// Messages it was to get are gone, or were passed over for their begin was.
  [[nodiscard]] bool lapped() const noexcept {
    return place_.sequence < ring_.first() || (untold_ != 0 && !passing_over_);
  }

  /// Goes on with the oldest message kept that begins. Answers what the reader is to be told of;
  /// what may have to be passed over still is told as lapped() later.
  struct Lost {
    ring::Sequence from;
    ring::Sequence to;
  };
  Lost skip_lost() noexcept {
    const ring::Sequence from = untold_ != 0 ? untold_ : place_.sequence;
    await_begin();
    untold_ = passing_over_ ? place_.sequence : 0;
    return {from, place_.sequence - 1};
  }

  /// Begins where a message begins, at its place or behind it. `tell`: that what is passed over is
  /// lost.
  void begin_with_message(bool tell) noexcept {
    const ring::Sequence from = place_.sequence;
    await_begin();
    if (tell && (passing_over_ || place_.sequence != from)) untold_ = from;
  }

  /// What it is to begin with has not come yet; `pass_over` looks.
  [[nodiscard]] bool passes_over() const noexcept { return passing_over_; }
  void pass_over() noexcept {
    if (place_.sequence < ring_.first() && untold_ == 0) untold_ = place_.sequence;
    await_begin();
    if (untold_ == place_.sequence) untold_ = passing_over_ ? untold_ : 0;
  }

  /// The reader was given the front of a message and not its end.
  [[nodiscard]] bool in_message() const noexcept { return in_message_; }

 protected:
  Feed(const ring::Ring& ring, ring::Sequence start) noexcept : ring_(ring) { move_to(start); }

  void move_to(ring::Sequence sequence) noexcept { place_ = {sequence, ring_.position(sequence)}; }

  const ring::Ring& ring_;
  Place place_;
  bool in_message_ = false;  ///< kept by those whose readers cannot begin anywhere

 private:
  void await_begin() noexcept {
    move_to(ring_.begin_from(std::max(place_.sequence, ring_.first())));
    passing_over_ = place_.sequence == ring_.next() && ring_.message_open();
    in_message_ = false;
  }

  bool passing_over_ = false;
  ring::Sequence untold_ = 0;  ///< the first that was lost and that the reader is yet to be told of
};

}  // namespace wskeep::ipc
