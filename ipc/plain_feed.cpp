#include "ipc/plain_feed.hpp"

namespace wskeep::ipc {

std::span<const std::byte> PlainFeed::more() {
  if (!saved_.empty()) return rest();
  if (!ring_.broken_off().empty()) return more_of_whole_messages();
  return ring_.bytes(place_.position, ring_.end());
}

/// A message that was broken off is left out for a reader that has nothing of it.
std::span<const std::byte> PlainFeed::more_of_whole_messages() {
  for (const auto& broken : ring_.broken_off()) {
    if (broken.end <= place_.sequence) continue;
    const bool begun = in_message_ || message_end_ > place_.position;
    if (place_.sequence < broken.first || begun) {
      // What it has begun may be an earlier message, which ends before this one.
      const auto until = place_.sequence < broken.first ? broken.first : broken.end;
      return ring_.bytes(place_.position, ring_.position(until));
    }
    move_to(broken.end);
  }
  return ring_.bytes(place_.position, ring_.end());
}

std::span<const std::byte> PlainFeed::rest() {
  if (!saved_.empty()) return std::span(saved_).subspan(saved_sent_);
  if (message_end_ <= place_.position) return {};
  return ring_.bytes(place_.position, message_end_);
}

void PlainFeed::advance(std::size_t bytes) {
  if (!saved_.empty()) {
    saved_sent_ += bytes;
    if (saved_sent_ == saved_.size()) saved_ = {};
    return;
  }
  place_.position += bytes;
  if (place_.position == ring_.end()) {
    place_.sequence = ring_.next();
    message_end_ = place_.position;
    in_message_ = ring_.message_open();
  } else if (place_.position < message_end_) {
    return;
  } else if (place_.position == message_end_) {
    // Between two messages. The index may have forgotten this one already, so it is not asked.
    ++place_.sequence;
  } else {
    place_.sequence = ring_.sequence_at(place_.position);
    const ring::Entry& entry = ring_.entry(place_.sequence);
    const bool between = entry.position == place_.position;
    message_end_ = between ? place_.position : entry.position + entry.size;
    in_message_ = between ? !entry.begins()
                          : entry.part == ring::Part::first || entry.part == ring::Part::more;
  }
}

void PlainFeed::before_overwrite() {
  if (!saved_.empty()) return;
  const auto unsent = rest();
  if (unsent.empty()) return;
  saved_.assign(unsent.begin(), unsent.end());
  saved_sent_ = 0;
  ++place_.sequence;
  place_.position = message_end_;
}

}  // namespace wskeep::ipc
