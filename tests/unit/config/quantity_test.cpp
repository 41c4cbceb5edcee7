#include "config/quantity.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace wskeep::config {
namespace {

using std::chrono::milliseconds;

template <typename Parse>
std::string error_of(Parse parse, const std::string& text) {
  try {
    static_cast<void>(parse(text));
    return "";
  } catch (const QuantityError& error) {
    return error.what();
  }
}

TEST(Quantity, ReadsDurations) {
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("10s"), milliseconds(10'000));
  EXPECT_EQ(parse_duration("5m"), milliseconds(300'000));
  EXPECT_EQ(parse_duration("23h"), milliseconds(82'800'000));
  EXPECT_EQ(parse_duration("1d"), milliseconds(86'400'000));
  EXPECT_EQ(parse_duration("0s"), milliseconds(0));
}

TEST(Quantity, RefusesOtherDurations) {
  const std::string shape = "is not a duration such as 250ms, 10s, 5m, 23h or 1d";
  for (const std::string text :
       {"", "s", "1.5s", "-1s", "+1s", "1 s", "1S", "1us", "1s1ms", "0x1s"}) {
    EXPECT_EQ(error_of(parse_duration, text), shape) << text;
  }
  EXPECT_EQ(error_of(parse_duration, "10"), "has no unit (10s or 10ms?)");
}

TEST(Quantity, ReadsSizes) {
  EXPECT_EQ(parse_size("1000"), 1000U);
  EXPECT_EQ(parse_size("64KiB"), 65'536U);
  EXPECT_EQ(parse_size("1MiB"), 1'048'576U);
  EXPECT_EQ(parse_size("1GiB"), 1'073'741'824U);
  EXPECT_EQ(parse_size("1kB"), 1'000U);
  EXPECT_EQ(parse_size("1MB"), 1'000'000U);
  EXPECT_EQ(parse_size("1GB"), 1'000'000'000U);
}

TEST(Quantity, RefusesOtherSizes) {
  const std::string shape = "is not a size such as 1000, 64kB, 64KiB, 1MB or 1MiB";
  for (const std::string text :
       {"", "MiB", "1M", "1K", "1KB", "1kib", "1.5MiB", "-1", "1 MiB", "1B"}) {
    EXPECT_EQ(error_of(parse_size, text), shape) << text;
  }
}

TEST(Quantity, ReadsRates) {
  EXPECT_EQ(parse_rate("300/5m"), (Rate{300, milliseconds(300'000)}));
  EXPECT_EQ(parse_rate("5/s"), (Rate{5, milliseconds(1'000)}));
  EXPECT_EQ(parse_rate("5/1s"), (Rate{5, milliseconds(1'000)}));
  EXPECT_EQ(parse_rate("1/m"), (Rate{1, milliseconds(60'000)}));
  EXPECT_EQ(parse_rate("1/h"), (Rate{1, milliseconds(3'600'000)}));
  EXPECT_EQ(parse_rate("2/d"), (Rate{2, milliseconds(86'400'000)}));
  EXPECT_EQ(parse_rate("7/250ms"), (Rate{7, milliseconds(250)}));
}

TEST(Quantity, RefusesOtherRates) {
  for (const std::string text : {"", "/", "5", "5/", "/s", "5/5", "5s", "-5/s", "5 / s", "5/s/s",
                                 "5/week", "1.5/s", "off", "x/s", "5/-1s"}) {
    EXPECT_EQ(error_of(parse_rate, text), "is not a rate such as 5/s, 300/5m or 1000/1d") << text;
  }
}

TEST(Quantity, WritesRatesAsTheyAreRead) {
  for (const std::string text : {"300/5m", "5/s", "1/d", "7/250ms", "3/90s", "12/m", "1/11s"}) {
    EXPECT_EQ(format_rate(parse_rate(text)), text);
  }
  EXPECT_EQ(format_rate(parse_rate("60/1m")), "60/m");
  EXPECT_EQ(format_rate(Rate{}), "off");
}

TEST(Quantity, LargeNumbersStayLarge) {
  const auto most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(parse_duration("99999999999999999999999d").count(), most);
  EXPECT_EQ(parse_duration("9223372036854775807d").count(), most);
  EXPECT_EQ(parse_duration("18446744073709551615ms").count(), most);
  EXPECT_EQ(parse_size("18446744073709551615GiB"), std::uint64_t{most});
  EXPECT_EQ(parse_count("99999999999999999999999"), std::uint64_t{most});
  EXPECT_EQ(parse_rate("99999999999999999999999/s").count,
            std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(parse_rate("1/99999999999999999999999d").per.count(), most);
}

TEST(Quantity, ReadsCounts) {
  EXPECT_EQ(parse_count("64"), 64U);
  for (const std::string text : {"", "-1", "1.0", "0x10", "one", " 1"}) {
    EXPECT_EQ(error_of(parse_count, text), "is not a whole number") << text;
  }
}

TEST(Quantity, ReadsModes) {
  EXPECT_EQ(parse_mode("0660"), 0660U);
  EXPECT_EQ(parse_mode("777"), 0777U);
  for (const std::string text : {"", "66", "0888", "1777", "00660", "0o660", "rw"}) {
    EXPECT_EQ(error_of(parse_mode, text), "is not a file mode such as \"0660\"") << text;
  }
}

TEST(Quantity, WritesTheLargestUnitThatDivides) {
  EXPECT_EQ(format_duration(milliseconds(60'000)), "1m");
  EXPECT_EQ(format_duration(milliseconds(90'000)), "90s");
  EXPECT_EQ(format_duration(milliseconds(1'001)), "1001ms");
  EXPECT_EQ(format_duration(milliseconds(172'800'000)), "2d");
  EXPECT_EQ(format_duration(milliseconds(0)), "0ms");
  EXPECT_EQ(format_size(1U << 20U), "1MiB");
  EXPECT_EQ(format_size(1500), "1500");
  EXPECT_EQ(format_size(0), "0");
  EXPECT_EQ(format_mode(0660), "0660");
  EXPECT_EQ(format_mode(0007), "0007");
}

}  // namespace
}  // namespace wskeep::config
