#include "daemon/upstream/send_limit.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <random>

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;
using daemon::TimePoint;

constexpr TimePoint start{1000h};

TEST(SendLimit, APlaceIsFreeWhenTheFrameWasWrittenSoLongAgo) {
  SendLimit limit({2, 1s});
  EXPECT_EQ(limit.places(start), 2U);
  limit.hand_over();
  limit.hand_over();
  EXPECT_EQ(limit.places(start), 0U);
  // What is under way keeps its place however long that takes.
  EXPECT_EQ(limit.places(start + 1h), 0U);
  EXPECT_EQ(limit.free_at(1), TimePoint::max());
  limit.written(1, start + 1h);
  EXPECT_EQ(limit.free_at(1), start + 1h + 1s);
  EXPECT_EQ(limit.free_at(2), TimePoint::max());
  limit.written(1, start + 1h + 300ms);
  EXPECT_EQ(limit.free_at(2), start + 1h + 1300ms);
  EXPECT_EQ(limit.places(start + 1h + 999ms), 0U);
  EXPECT_EQ(limit.places(start + 1h + 1s), 1U);
  EXPECT_EQ(limit.free_at(1), TimePoint::min());
  EXPECT_EQ(limit.places(start + 1h + 1300ms), 2U);
}

TEST(SendLimit, NoStretchHasMoreHoweverLargeTheCountAndNothingStarves) {
  for (const std::uint32_t count : {1U, 2U, 7U, 1024U, 1025U, 100'000U}) {
    SendLimit limit({count, 1s});
    std::mt19937 random(count);
    std::deque<std::pair<TimePoint, std::uint32_t>> last;  // written within the last second
    std::uint64_t in_last = 0;
    std::uint64_t sum = 0;
    TimePoint now = start;
    for (int round = 0; round < 20'000; ++round) {
      now += std::chrono::microseconds(random() % 1500);
      const std::uint32_t frames =
          std::min(limit.places(now), static_cast<std::uint32_t>(random() % count + 1));
      for (std::uint32_t i = 0; i < frames; ++i) limit.hand_over();
      now += std::chrono::microseconds(random() % 100);
      if (frames > 0) limit.written(frames, now);
      last.emplace_back(now, frames);
      in_last += frames;
      sum += frames;
      while (last.front().first + 1s <= now) {
        in_last -= last.front().second;
        last.pop_front();
      }
      ASSERT_LE(in_last, count);
    }
    // Some 16 s of asking for far more than that.
    EXPECT_GE(sum, 14ULL * count);
  }
}

}  // namespace
}  // namespace wskeep::upstream
