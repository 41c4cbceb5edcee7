#include "daemon/log_limit.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wskeep::daemon {
namespace {

using namespace std::chrono_literals;
using config::LogLevel;
using LeftOut = LogLimit::LeftOut;

const LogLimit::TimePoint begin{100h};

/// As whoever writes a line does it; what is told goes to `told`.
bool pass(LogLimit& limit, const std::string& connection, std::string_view event,
          LogLimit::TimePoint now, std::vector<LeftOut>& told, LogLevel level = LogLevel::info) {
  for (LeftOut& left_out : limit.sweep(now)) told.push_back(std::move(left_out));
  return limit.pass(connection, event, level, now);
}

TEST(LogLimit, SoManyOfOneKindAboutOneConnection) {
  LogLimit limit({3, 10s});
  std::vector<LeftOut> told;
  for (int line = 0; line < 10; ++line)
    EXPECT_EQ(pass(limit, "a", "disconnected", begin + line * 1s, told), line < 3) << line;
  EXPECT_TRUE(pass(limit, "a", "connected", begin + 9s, told)) << "another kind";
  EXPECT_TRUE(pass(limit, "b", "disconnected", begin + 9s, told)) << "another connection";
  EXPECT_TRUE(pass(limit, "", "disconnected", begin + 9s, told)) << "the daemon itself";
  EXPECT_TRUE(told.empty());
  EXPECT_TRUE(pass(limit, "a", "disconnected", begin + 10s, told));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].connection, "a");
  EXPECT_EQ(told[0].event, "disconnected");
  EXPECT_EQ(told[0].lines, 7U);
  EXPECT_EQ(told[0].within, 10s);
}

TEST(LogLimit, WhatWasLeftOutIsToldWhenTheWindowIsOver) {
  LogLimit limit({1, 10s});
  std::vector<LeftOut> told;
  EXPECT_TRUE(pass(limit, "a", "x", begin, told));
  EXPECT_EQ(limit.due(), std::nullopt) << "nothing was left out";
  EXPECT_FALSE(pass(limit, "a", "x", begin + 4s, told, LogLevel::warning));
  EXPECT_FALSE(pass(limit, "a", "x", begin + 5s, told, LogLevel::info));
  EXPECT_EQ(limit.due(), begin + 10s);
  EXPECT_TRUE(limit.sweep(begin + 9s).empty());
  const auto at_the_end = limit.sweep(begin + 10s);
  ASSERT_EQ(at_the_end.size(), 1U);
  EXPECT_EQ(at_the_end[0].lines, 2U);
  EXPECT_EQ(at_the_end[0].level, LogLevel::warning) << "that of the most important";
  EXPECT_EQ(limit.due(), std::nullopt);
  EXPECT_TRUE(limit.sweep(begin + 20s).empty()) << "once";
}

TEST(LogLimit, OffLetsAllPass) {
  LogLimit limit({0, 0s});
  std::vector<LeftOut> told;
  for (int line = 0; line < 1000; ++line) ASSERT_TRUE(pass(limit, "a", "x", begin, told));
  EXPECT_TRUE(limit.sweep(LogLimit::TimePoint::max()).empty());
}

/// Of more kinds than there is room for, the oldest window ends early; nothing goes uncounted.
TEST(LogLimit, IsBoundedAndCountsAll) {
  LogLimit limit({1, 10s}, 4);
  std::vector<LeftOut> told;
  std::uint64_t passed = 0;
  constexpr int lines = 1000;
  for (int line = 0; line < lines; ++line)
    passed += pass(limit, "c" + std::to_string(line / 10 % 7), "x", begin, told) ? 1U : 0U;
  std::uint64_t left_out = 0;
  for (const LeftOut& one : told) left_out += one.lines;
  for (const LeftOut& one : limit.sweep(LogLimit::TimePoint::max())) left_out += one.lines;
  EXPECT_EQ(passed + left_out, static_cast<std::uint64_t>(lines));
  EXPECT_GT(left_out, 800U);
}

TEST(LogLimit, AnotherRateBeginsAnew) {
  LogLimit limit({1, 10s});
  std::vector<LeftOut> told;
  EXPECT_TRUE(pass(limit, "a", "x", begin, told));
  EXPECT_FALSE(pass(limit, "a", "x", begin, told));
  EXPECT_EQ(limit.sweep(LogLimit::TimePoint::max()).size(), 1U);
  limit.configure({2, 1h});
  EXPECT_TRUE(pass(limit, "a", "x", begin, told));
  EXPECT_TRUE(pass(limit, "a", "x", begin + 59min, told));
  EXPECT_FALSE(pass(limit, "a", "x", begin + 59min, told));
  EXPECT_TRUE(told.empty());
}

}  // namespace
}  // namespace wskeep::daemon
