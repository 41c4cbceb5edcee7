#include "daemon/upstream/backoff.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr std::uint64_t highest = UINT64_MAX;

config::Reconnect settings() {
  config::Reconnect reconnect;
  reconnect.initial = 500ms;
  reconnect.max = 30s;
  reconnect.stable_after = 10s;
  return reconnect;
}

TEST(Backoff, TheCeilingDoublesUpToMax) {
  Backoff backoff(settings());
  for (const milliseconds expected : {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 16'000ms})
    EXPECT_EQ(backoff.next(highest), expected);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(backoff.next(highest), 30s);
  EXPECT_EQ(backoff.failures(), 1006U);
}

TEST(Backoff, DrawsFromZeroButNeverBelowTheFloor) {
  Backoff backoff(settings());
  EXPECT_EQ(backoff.next(0), Backoff::floor);
  EXPECT_EQ(backoff.next(highest / 2), 500ms);
  Backoff careless(Backoff::Settings{0ms, 0ms, 0ms});
  for (int i = 0; i < 100; ++i) EXPECT_EQ(careless.next(highest), Backoff::floor);
}

TEST(Backoff, IsEvenlySpread) {
  std::uint64_t below = 0;
  std::uint64_t word = 1;
  for (int i = 0; i < 10'000; ++i) {
    word = word * 6364136223846793005U + 1442695040888963407U;
    Backoff backoff(settings());
    if (backoff.next(word) < 250ms) ++below;
  }
  EXPECT_GT(below, 4700U);
  EXPECT_LT(below, 5300U);
}

TEST(Backoff, OnlyAStableSessionResetsIt) {
  Backoff backoff(settings());
  (void)backoff.next(highest);
  (void)backoff.next(highest);
  backoff.session_ended(9'999ms);  // a server that accepts and closes at once
  EXPECT_EQ(backoff.next(highest), 2000ms);
  backoff.session_ended(10s);
  EXPECT_EQ(backoff.next(highest), 500ms);
  backoff.reset();
  EXPECT_EQ(backoff.next(highest), 500ms);
}

TEST(Backoff, RetryAfterIsTheLeastAndClamped) {
  Backoff backoff(settings());
  EXPECT_EQ(backoff.next(0, 7s), 7s);
  EXPECT_EQ(backoff.next(highest, 7s), 8s);  // and the jitter on top
  EXPECT_EQ(backoff.next(0, 100h), 3600s);
  EXPECT_EQ(backoff.next(0, -5s), Backoff::floor);
}

TEST(Backoff, TheSlowestPaceIsBetweenHalfAndWhole) {
  Backoff backoff(settings());
  EXPECT_EQ(backoff.slowest(0), 15s);
  EXPECT_EQ(backoff.slowest(highest), 30s);
  EXPECT_EQ(backoff.failures(), 2U);
  EXPECT_EQ(backoff.slowest(0, 5s), 15s);  // a server that would have us sooner
  EXPECT_EQ(backoff.slowest(0, 60s), 60s);
  EXPECT_EQ(backoff.slowest(highest, 60s), 75s);
}

TEST(Backoff, ConfigureKeepsTheCount) {
  Backoff backoff(settings());
  (void)backoff.next(highest);
  backoff.configure(Backoff::Settings{100ms, 150ms, 10s});
  EXPECT_EQ(backoff.next(highest), 150ms);
}

}  // namespace
}  // namespace wskeep::upstream
