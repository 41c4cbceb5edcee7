#include "daemon/upstream/backoff.hpp"

#include <algorithm>

namespace wskeep::upstream {

namespace {

using std::chrono::milliseconds;

milliseconds clamped(std::chrono::seconds retry_after) noexcept {
  return std::clamp(retry_after, std::chrono::seconds{0}, Backoff::longest_retry_after);
}

}  // namespace

milliseconds draw(std::uint64_t random, milliseconds limit) noexcept {
  // The high bits scale, so the bias is below 2^-32 for limits of days.
  constexpr std::int64_t days = 7LL * 24 * 3600 * 1000;
  const auto range = static_cast<std::uint64_t>(std::clamp<std::int64_t>(limit.count(), 0, days));
  const std::uint64_t scaled = ((random >> 32U) * (range + 1)) >> 32U;
  return milliseconds(static_cast<std::int64_t>(scaled));
}

milliseconds Backoff::ceiling() const noexcept {
  milliseconds limit = std::max(settings_.initial, floor);
  const milliseconds max = std::max(settings_.max, floor);
  for (std::uint32_t i = 0; i < failures_ && limit < max; ++i) limit *= 2;
  return std::min(limit, max);
}

milliseconds Backoff::next(std::uint64_t random,
                           std::optional<std::chrono::seconds> retry_after) noexcept {
  const milliseconds drawn = draw(random, ceiling());
  if (failures_ < UINT32_MAX) ++failures_;
  if (!retry_after) return std::max(drawn, floor);
  return std::max(clamped(*retry_after) + drawn, floor);
}

milliseconds Backoff::slowest(std::uint64_t random,
                              std::optional<std::chrono::seconds> retry_after) noexcept {
  if (failures_ < UINT32_MAX) ++failures_;
  const milliseconds max = std::max({settings_.max, settings_.initial, floor});
  milliseconds least = max / 2;
  if (retry_after) least = std::max<milliseconds>(least, clamped(*retry_after));
  return std::max(least + draw(random, max - max / 2), floor);
}

void Backoff::session_ended(milliseconds lived) noexcept {
  if (lived >= settings_.stable_after) failures_ = 0;
}

}  // namespace wskeep::upstream
