#include "ipc/batch.hpp"

#include <algorithm>

namespace wskeep::ipc {

BatchMaker::BatchMaker(const ring::Ring& ring, const EventLog& events, std::size_t batch_bytes,
                       const Telling& telling, std::shared_ptr<Selection> selection)
    : ring_(ring),
      events_(events),
      batch_bytes_(batch_bytes),
      selection_(std::move(selection)),
      telling_(telling) {}

std::shared_ptr<const Batch> BatchMaker::make(Encoding encoding, BatchPlace place, Extent extent) {
  place.event = std::max(place.event, events_.first());
  if (place.sequence == ring_.next() && place.event == events_.next()) return nullptr;
  if (selection_ && !selection_->may_go_on()) return nullptr;
  auto& made = kept_[static_cast<std::size_t>(encoding)];
  if (!made) made = std::make_unique<Kept>(Kept{Encoder(encoding, telling_), {}, {}});
  Kept& kept = *made;
  if (kept.batch && kept.batch->begin == place && kept.extent == extent) return kept.batch;
  // A batch that some reader has not sent yet stays as it is; otherwise its memory is used again.
  if (!kept.batch || kept.batch.use_count() > 1) kept.batch = std::make_shared<Batch>();
  kept.batch->bytes.clear();
  kept.batch->messages = 0;
  kept.batch->begin = place;
  kept.extent = extent;
  fill(kept.encoder, *kept.batch, extent);
  return kept.batch;
}

void BatchMaker::fill(Encoder& encoder, Batch& batch, Extent extent) const {
  const ring::Sequence end = std::min(ring_.next(), extent.until);
  BatchPlace place = batch.begin;
  const bool whole_only = encoder.whole_only();
  encoder.begin(batch.bytes);
  // At least one, however little a batch is to hold: who asks for it asks until there is none.
  while (batch.bytes.size() < batch_bytes_ || place == batch.begin) {
    if (place.event < events_.next() && events_.at(place.event).before <= place.sequence) {
      encoder.append_event(batch.bytes, events_.at(place.event).json);
      ++place.event;
    } else if (place.sequence < end && batch.messages < extent.limit) {
      if (whole_only && ring_.entry(place.sequence).part != ring::Part::whole) {
        ++place.sequence;
        continue;
      }
      if (selection_ && !selection_->passes(place.sequence)) {
        if (!pass_over(place, extent)) break;
        continue;
      }
      encoder.append_message(batch.bytes, ring_, place.sequence);
      ++place.sequence;
      ++batch.messages;
    } else {
      break;
    }
  }
  encoder.finish(batch.bytes, 0);
  batch.end = place;
}

/// Steps over what is not wanted, as far as the next event. False: that is enough for now.
bool BatchMaker::pass_over(BatchPlace& place, Extent extent) const {
  ring::Sequence end = std::min(ring_.next(), extent.until);
  if (place.event < events_.next()) end = std::min(end, events_.at(place.event).before);
  do {
    ++place.sequence;
  } while (place.sequence < end && selection_->may_go_on() && !selection_->passes(place.sequence));
  return selection_->may_go_on();
}

}  // namespace wskeep::ipc
