#include "cli/bar.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

namespace wskeep::cli {
namespace {

using namespace std::chrono_literals;

std::string drawn(const std::vector<Segment>& segments, milliseconds total, std::size_t cells) {
  std::string row;
  for (const auto& cell : lay_out(segments, total, cells)) {
    row += cell ? look_of(*cell).plain : std::string_view(" ");
  }
  return row;
}

std::string phases(const std::vector<Segment>& segments) {
  std::string text;
  for (const Segment& each : segments) {
    text += std::string(look_of(each.phase).name) + " " + std::to_string(each.begin.count()) + "-" +
            std::to_string(each.end.count()) + " ";
  }
  return text;
}

AddressAttempt address(std::string stage, milliseconds started) {
  AddressAttempt made;
  made.stage = std::move(stage);
  made.started = started;
  return made;
}

TEST(Segments, EachStageBeginsWhereTheOneBeforeEnded) {
  AddressAttempt one = address("open", 5ms);
  one.tcp = 10ms;
  one.proxy = 20ms;
  one.tls = 50ms;
  one.http = 60ms;
  one.ended = 60ms;
  EXPECT_EQ(phases(segments_of(one, {}, 1s)), "tcp 5-10 proxy 10-20 tls 20-50 http 50-60 ");
}

TEST(Segments, TheStageItEndedInGoesToTheEnd) {
  AddressAttempt one = address("tls", 0ms);
  one.tcp = 10ms;
  one.ended = 1000ms;
  EXPECT_EQ(phases(segments_of(one, {}, 5s)), "tcp 0-10 tls 10-1000 ");
  one.ended.reset();
  EXPECT_EQ(phases(segments_of(one, {}, 5s)), "tcp 0-10 tls 10-5000 ");
  EXPECT_EQ(phases(segments_of(address("tcp", 3ms), {}, 7ms)), "tcp 3-7 ");
}

TEST(Segments, AnAddressInReserveWaitsForTheOneAhead) {
  std::vector<AddressAttempt> both{address("tls", 0ms), address("open", 250ms)};
  both[0].tcp = 10ms;
  both[0].ended = 1000ms;
  both[1].tcp = 260ms;
  both[1].tls = 1040ms;
  both[1].http = 1060ms;
  both[1].ended = 1060ms;
  EXPECT_EQ(phases(segments_of(both[1], both, 2s)),
            "tcp 250-260 waits 260-1000 tls 1000-1040 http 1040-1060 ");
  EXPECT_EQ(phases(segments_of(both[0], both, 2s)), "tcp 0-10 tls 10-1000 ");
  both[1] = address("reserve", 250ms);
  both[1].tcp = 260ms;
  EXPECT_EQ(phases(segments_of(both[1], both, 600ms)), "tcp 250-260 waits 260-600 ");
}

TEST(Segments, AreEmptyOfAnUnknownStage) {
  EXPECT_TRUE(segments_of(address("of_a_newer_daemon", 0ms), {}, 1s).empty());
}

TEST(Layout, IsToScale) {
  EXPECT_EQ(drawn({{Phase::tcp, 0ms, 50ms}, {Phase::tls, 50ms, 100ms}}, 100ms, 10), "-----=====");
  EXPECT_EQ(drawn({{Phase::tcp, 50ms, 75ms}}, 100ms, 8), "    --  ");
}

TEST(Layout, ShowsEachStageHoweverShort) {
  EXPECT_EQ(drawn({{Phase::tcp, 0ms, 0ms}, {Phase::tls, 0ms, 1ms}, {Phase::http, 1ms, 1000ms}},
                  1000ms, 8),
            "-=######");
  EXPECT_EQ(drawn({{Phase::tcp, 0ms, 1000ms}, {Phase::tls, 1000ms, 1000ms}}, 1000ms, 4), "---=");
  EXPECT_EQ(drawn({{Phase::tcp, 999ms, 1000ms},
                   {Phase::tls, 1000ms, 1000ms},
                   {Phase::http, 1000ms, 1000ms}},
                  1000ms, 5),
            "  -=#");
}

TEST(Layout, StaysWithinItsCells) {
  const std::vector<Segment> segments{
      {Phase::tcp, 0ms, 5ms}, {Phase::tls, 5ms, 9ms}, {Phase::http, 9ms, 900000ms}};
  for (std::size_t cells = 0; cells < 6; ++cells) {
    EXPECT_EQ(drawn(segments, 10ms, cells).size(), cells);
  }
  EXPECT_EQ(drawn(segments, 0ms, 3).size(), 3U);
}

}  // namespace
}  // namespace wskeep::cli
