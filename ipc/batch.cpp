#include "ipc/batch.hpp"

#include <algorithm>

namespace wskeep::ipc {

std::shared_ptr<const Batch> BatchMaker::make(Encoding encoding, BatchPlace place,
                                              std::size_t message_limit) {
  place.event = std::max(place.event, events_.first());
  if (place.sequence == ring_.next() && place.event == events_.next()) return nullptr;
  Kept& kept = kept_[static_cast<std::size_t>(encoding)];
  if (kept.batch && kept.batch->begin == place && kept.message_limit == message_limit)
    return kept.batch;
  // A batch that some reader has not sent yet stays as it is; otherwise its memory is used again.
  if (!kept.batch || kept.batch.use_count() > 1) kept.batch = std::make_shared<Batch>();
  kept.batch->bytes.clear();
  kept.batch->begin = place;
  kept.message_limit = message_limit;
  fill(kept.encoder, *kept.batch, message_limit);
  return kept.batch;
}

void BatchMaker::fill(Encoder& encoder, Batch& batch, std::size_t message_limit) const {
  BatchPlace place = batch.begin;
  std::size_t messages = 0;
  encoder.begin(batch.bytes);
  while (batch.bytes.size() < batch_bytes_) {
    if (place.event < events_.next() && events_.at(place.event).before <= place.sequence) {
      encoder.append_event(batch.bytes, events_.at(place.event).json);
      ++place.event;
    } else if (place.sequence < ring_.next() && messages < message_limit) {
      encoder.append_message(batch.bytes, ring_, place.sequence);
      ++place.sequence;
      ++messages;
    } else {
      break;
    }
  }
  encoder.finish(batch.bytes, 0);
  batch.end = place;
}

}  // namespace wskeep::ipc
