#include "daemon/upstream/send_limit.hpp"

namespace wskeep::upstream {
namespace {

using daemon::TimePoint;

constexpr std::uint32_t exact_up_to = 1024;

}  // namespace

std::uint32_t SendLimit::places(TimePoint now) noexcept {
  while (!batches_.empty() && batches_.front().last + rate_.per <= now) {
    counted_ -= batches_.front().frames;
    batches_.pop_front();
  }
  return rate_.count - counted_ - under_way_;
}

void SendLimit::written(std::uint32_t frames, TimePoint now) {
  under_way_ -= frames;
  counted_ += frames;
  if (!batches_.empty()) {
    Batch& batch = batches_.back();
    const bool coarse = rate_.count > exact_up_to;
    if (batch.last == now || (coarse && now - batch.first < rate_.per / exact_up_to)) {
      batch.last = now;
      batch.frames += frames;
      return;
    }
  }
  batches_.push_back({now, now, frames});
}

TimePoint SendLimit::free_at(std::uint32_t places) const noexcept {
  std::uint32_t free = rate_.count - counted_ - under_way_;
  if (free >= places) return TimePoint::min();
  for (const Batch& batch : batches_) {
    free += batch.frames;
    if (free >= places) return batch.last + rate_.per;
  }
  return TimePoint::max();
}

}  // namespace wskeep::upstream
