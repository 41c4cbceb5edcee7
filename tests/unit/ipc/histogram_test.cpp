#include "ipc/histogram.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace wskeep::ipc {
namespace {

using namespace std::chrono_literals;

constexpr HistogramBounds bounds{10,    20,    30,    40,    50,     60,
                                 1'000, 2'000, 3'000, 4'000, 50'000, 4'000'000'000};

TEST(HistogramTest, ABucketTakesWhatIsNoLongerThanItsBound) {
  Histogram<bounds> histogram;
  for (const auto duration : {0ns, 1ns, 10'000ns}) histogram.observe(duration);
  EXPECT_EQ(histogram.counts()[0], 3U);
  histogram.observe(10'001ns);
  histogram.observe(20us);
  EXPECT_EQ(histogram.counts()[1], 2U);
  histogram.observe(4'000s);
  EXPECT_EQ(histogram.counts()[11], 1U);
}

TEST(HistogramTest, WhatIsLongerThanAllOfThemHasABucketOfItsOwn) {
  Histogram<bounds> histogram;
  histogram.observe(4'000s + 1ns);
  histogram.observe(1'000'000h);
  EXPECT_EQ(histogram.counts().size(), bounds.size() + 1);
  EXPECT_EQ(histogram.counts().back(), 2U);
}

TEST(HistogramTest, TheSumIsThatOfAll) {
  Histogram<bounds> histogram;
  for (int number = 1; number <= 100; ++number)
    histogram.observe(std::chrono::microseconds(number));
  EXPECT_EQ(histogram.sum(), 5'050us);
  EXPECT_EQ(std::accumulate(histogram.counts().begin(), histogram.counts().end(), 0U), 100U);
}

}  // namespace
}  // namespace wskeep::ipc
