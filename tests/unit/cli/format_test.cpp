#include "cli/format.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace wskeep::cli {
namespace {

using namespace std::chrono_literals;

TEST(FormatDuration, KeepsTheTwoLargestUnits) {
  EXPECT_EQ(format_duration(-5s), "0 s");
  EXPECT_EQ(format_duration(999ms), "999 ms");
  EXPECT_EQ(format_duration(4270ms), "4.2 s");
  EXPECT_EQ(format_duration(9999ms), "9.9 s");
  EXPECT_EQ(format_duration(59s), "59 s");
  EXPECT_EQ(format_duration(60s), "1 min");
  EXPECT_EQ(format_duration(200s), "3 min 20 s");
  EXPECT_EQ(format_duration(2h + 5min + 59s), "2 h 5 min");
  EXPECT_EQ(format_duration(24h * 12 + 3h), "12 d 3 h");
}

TEST(FormatBytes, ChangesTheUnitBeforeItPrints1024) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(48'000), "46.9 KiB");
  EXPECT_EQ(format_bytes(1024.0 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(240'069'000), "228.9 MiB");
}

TEST(FormatCount, GroupsDigits) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1'000), "1,000");
  EXPECT_EQ(format_count(1'200'345), "1,200,345");
  EXPECT_EQ(format_count(UINT64_MAX), "18,446,744,073,709,551,615");
}

TEST(FormatRate, NeverNeedsMoreThanSixColumns) {
  EXPECT_EQ(format_rate(0), "0");
  EXPECT_EQ(format_rate(0.1), "0.1");
  EXPECT_EQ(format_rate(9.96), "10");
  EXPECT_EQ(format_rate(240), "240");
  EXPECT_EQ(format_rate(9'999.4), "9999");
  EXPECT_EQ(format_rate(12'345), "12.3k");
  EXPECT_EQ(format_rate(999'960), "1.0M");
}

TEST(Time, IsReadWithAnyFractionAndWrittenWithMicroseconds) {
  const auto time = parse_time("2026-01-31T12:00:00.123Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(format_time(*time), "2026-01-31T12:00:00.123000Z");
  ASSERT_TRUE(parse_time("2024-02-29T23:59:59Z"));
  EXPECT_EQ(format_time(*parse_time("1970-01-01T00:00:01.000000001Z")),
            "1970-01-01T00:00:01.000000Z");
  EXPECT_EQ(format_time(SystemTime(1'769'860'800'123'456'789ns)), "2026-01-31T12:00:00.123456Z");
}

TEST(Time, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "2026-01-31", "2026-02-30T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00",
        "2026-01-31T12:00:00.Z", "2026-01-31 12:00:00Z", "-026-01-31T12:00:00Z"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

TEST(ParseDuration, TakesUnits) {
  EXPECT_EQ(parse_duration("90"), 90s);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("200ms"), 200ms);
  EXPECT_EQ(parse_duration("2min"), 2min);
  for (const char* text : {"", "s", "0", "-1s", "10 s", "nan", "inf", "1e99", "5x"}) {
    EXPECT_FALSE(parse_duration(text)) << text;
  }
}

}  // namespace
}  // namespace wskeep::cli
