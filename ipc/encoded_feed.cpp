#include "ipc/encoded_feed.hpp"

namespace wskeep::ipc {

std::span<const std::byte> EncodedFeed::more() {
  while (batch_ == nullptr && !at_limit()) {
    batch_ = batches_->make(encoding_, {place_.sequence, event_}, extent_);
    if (batch_ == nullptr) return {};
    batch_sent_ = 0;
    if (extent_.limit != Extent{}.limit) extent_.limit -= batch_->messages;
    event_ = batch_->end.event;
    move_to(batch_->end.sequence);
    if (batch_->bytes.empty()) batch_.reset();
  }
  return rest();
}

std::span<const std::byte> EncodedFeed::rest() {
  if (batch_ == nullptr) return {};
  return std::span(batch_->bytes).subspan(batch_sent_);
}

void EncodedFeed::advance(std::size_t bytes) {
  batch_sent_ += bytes;
  if (batch_sent_ == batch_->bytes.size()) batch_.reset();
}

}  // namespace wskeep::ipc
