#include "daemon/upstream/traffic_history.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;

daemon::TimePoint at(std::chrono::milliseconds time) {
  return daemon::TimePoint(1h) + time;
}

TEST(TrafficHistory, HasNothingToSayAtFirst) {
  TrafficHistory history;
  EXPECT_EQ(history.report(at(0ms)).window, 0s);
  history.note(at(100ms), 5000, 1);
  EXPECT_EQ(history.report(at(900ms)).window, 0s) << "no second is over";
  EXPECT_EQ(history.report(at(1500ms)).window, 0s) << "the first had begun before it was watched";
}

TEST(TrafficHistory, SaysHowMuchTheSecondsDiffer) {
  TrafficHistory history;
  history.note(at(100ms), 7'000, 0);
  history.note(at(1100ms), 8'000, 10);
  history.note(at(1900ms), 8'500, 10);
  history.note(at(2100ms), 9'000, 40);
  const auto report = history.report(at(3s));
  EXPECT_EQ(report.window, 2s);
  EXPECT_EQ(report.in.least, 500);
  EXPECT_EQ(report.in.most, 1500);
  EXPECT_EQ(report.in.mean, 1000);
  EXPECT_EQ(report.in.deviation, 500);
  EXPECT_EQ(report.out.mean, 20);
  EXPECT_EQ(report.out.deviation, 10);
}

TEST(TrafficHistory, QuietSecondsCount) {
  TrafficHistory history;
  history.note(at(0s), 0, 0);
  history.note(at(1s), 3'000, 0);
  const auto report = history.report(at(4s));
  EXPECT_EQ(report.window, 3s);
  EXPECT_EQ(report.in.mean, 1000);
  EXPECT_EQ(report.in.least, 0);
  history.note(at(30s), 6'000, 0);
  EXPECT_EQ(history.report(at(31s)).window, 30s);
  EXPECT_EQ(history.report(at(31s)).in.mean, 200);
}

TEST(TrafficHistory, ForgetsWhatIsOlderThanAMinute) {
  TrafficHistory history;
  std::uint64_t bytes = 0;
  for (int second = 0; second < 200; ++second) {
    bytes += second < 100 ? 1'000'000 : 50;
    history.note(at(std::chrono::seconds(second)), bytes, bytes);
  }
  const auto report = history.report(at(200s));
  EXPECT_EQ(report.window, 60s);
  EXPECT_EQ(report.in.most, 50);
  EXPECT_EQ(report.out.deviation, 0);
  EXPECT_EQ(history.report(at(300s)).in.most, 0) << "nothing came for longer than is kept";
  history.note(at(1h), bytes + 100, bytes);
  EXPECT_EQ(history.report(at(1h + 1s)).in.most, 100);
}

}  // namespace
}  // namespace wskeep::upstream
