#include "ipc/plain_feed.hpp"

namespace wskeep::ipc {

std::span<const std::byte> PlainFeed::more() {
  if (!saved_.empty()) return rest();
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
  } else if (place_.position < message_end_) {
    return;
  } else if (place_.position == message_end_) {
    // Between two messages. The index may have forgotten this one already, so it is not asked.
    ++place_.sequence;
  } else {
    place_.sequence = ring_.sequence_at(place_.position);
    const ring::Entry& entry = ring_.entry(place_.sequence);
    message_end_ =
        entry.position == place_.position ? place_.position : entry.position + entry.size;
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
