#include "daemon/upstream/traffic_history.hpp"

#include <algorithm>
#include <cmath>

namespace wskeep::upstream {
namespace {

constexpr auto kept = static_cast<std::int64_t>(TrafficHistory::window);

std::size_t slot_of(std::int64_t second) noexcept {
  return static_cast<std::size_t>(second % kept);
}

}  // namespace

/// The seconds between the one that ends and `next` had nothing.
void TrafficHistory::Direction::end_second(std::int64_t second, std::int64_t next) noexcept {
  seconds.at(slot_of(second)) = static_cast<float>(newest - begin);
  begin = newest;
  for (std::int64_t quiet = std::max(second + 1, next - kept); quiet < next; ++quiet)
    seconds.at(slot_of(quiet)) = 0;
}

void TrafficHistory::begin_second(std::int64_t second) noexcept {
  if (first_ < 0) {
    first_ = second;
  } else {
    in_.end_second(second_, second);
    out_.end_second(second_, second);
  }
  second_ = second;
}

TrafficHistory::Report TrafficHistory::report(daemon::TimePoint now) const noexcept {
  if (first_ < 0) return {};
  // As if the first thing of this second had just come.
  TrafficHistory ended = *this;
  const std::int64_t current = second_of(now);
  if (current != second_) ended.begin_second(current);
  // The first second that was ever noted had begun before.
  const std::int64_t from = std::max(first_ + 1, current - kept);
  if (from >= current) return {};
  return {std::chrono::seconds(current - from), spread(ended.in_, from, current),
          spread(ended.out_, from, current)};
}

TrafficHistory::Spread TrafficHistory::spread(const Direction& direction, std::int64_t from,
                                              std::int64_t to) noexcept {
  double sum = 0;
  double squares = 0;
  double least = direction.seconds.at(slot_of(from));
  double most = least;
  for (std::int64_t second = from; second < to; ++second) {
    const double bytes = direction.seconds.at(slot_of(second));
    sum += bytes;
    squares += bytes * bytes;
    least = std::min(least, bytes);
    most = std::max(most, bytes);
  }
  const auto count = static_cast<double>(to - from);
  const double mean = sum / count;
  return {mean, least, most, std::sqrt(std::max(0.0, squares / count - mean * mean))};
}

}  // namespace wskeep::upstream
