#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ring/ring.hpp"

namespace wskeep::ipc {

/// What happened to a connection, each event at its place among the messages. Bounded: the oldest
/// are forgotten.
class EventLog {
 public:
  /// Counts events from 0.
  using Number = std::uint64_t;

  struct Event {
    ring::Sequence before;  ///< stands before this message
    std::string json;
  };

  void append(ring::Sequence before, std::string json) {
    if (events_.size() == limit) {
      events_.erase(events_.begin());
      ++first_;
    }
    events_.push_back({before, std::move(json)});
  }

  [[nodiscard]] Number first() const noexcept { return first_; }
  [[nodiscard]] Number next() const noexcept { return first_ + events_.size(); }

  /// Needs first() <= number < next().
  [[nodiscard]] const Event& at(Number number) const { return events_[number - first_]; }

 private:
  /// A connection that fails each half second is told of in full for readers that are two minutes
  /// behind.
  static constexpr std::size_t limit = 256;

  /// Not a deque: an empty one is larger than the events of a connection that stays up.
  std::vector<Event> events_;
  Number first_ = 0;
};

}  // namespace wskeep::ipc
