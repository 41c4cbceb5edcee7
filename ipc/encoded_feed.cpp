#include "ipc/encoded_feed.hpp"

namespace wskeep::ipc {

std::span<const std::byte> EncodedFeed::more() {
  if (batch_ == nullptr && left_ != 0) {
    batch_ = batches_.make(encoding_, {place_.sequence, event_}, left_);
    if (batch_ == nullptr) return {};
    batch_sent_ = 0;
    if (left_ != no_limit)
      left_ -= static_cast<std::size_t>(batch_->end.sequence - place_.sequence);
    event_ = batch_->end.event;
    move_to(batch_->end.sequence);
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
