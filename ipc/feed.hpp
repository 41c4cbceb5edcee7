#pragma once

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

  /// Messages it was to get are gone.
  [[nodiscard]] bool lapped() const noexcept { return place_.sequence < ring_.first(); }

  /// Goes on with the oldest message kept, after the reader was told.
  void skip_lost() noexcept { move_to(ring_.first()); }

 protected:
  Feed(const ring::Ring& ring, ring::Sequence start) noexcept : ring_(ring) { move_to(start); }

  void move_to(ring::Sequence sequence) noexcept { place_ = {sequence, ring_.position(sequence)}; }

  const ring::Ring& ring_;
  Place place_;
};

}  // namespace wskeep::ipc
