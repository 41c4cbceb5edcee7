#include "ipc/event_log.hpp"

#include <gtest/gtest.h>

#include <string>

namespace wskeep::ipc {
namespace {

TEST(EventLog, KeepsEachEventAtItsPlaceUnderItsNumber) {
  EventLog log;
  EXPECT_EQ(log.first(), 0U);
  EXPECT_EQ(log.next(), 0U);
  log.append(1, "connected");
  log.append(8, "disconnected");
  EXPECT_EQ(log.next(), 2U);
  EXPECT_EQ(log.at(0).before, 1U);
  EXPECT_EQ(log.at(1).before, 8U);
  EXPECT_EQ(log.at(1).json, "disconnected");
}

TEST(EventLog, ForgetsTheOldestAndCountsOn) {
  EventLog log;
  constexpr EventLog::Number all = 1'000;
  for (EventLog::Number number = 0; number < all; ++number)
    log.append(number + 1, std::to_string(number));
  EXPECT_EQ(log.next(), all);
  EXPECT_EQ(log.next() - log.first(), 256U);
  for (EventLog::Number number = log.first(); number < log.next(); ++number) {
    EXPECT_EQ(log.at(number).before, number + 1);
    EXPECT_EQ(log.at(number).json, std::to_string(number));
  }
}

}  // namespace
}  // namespace wskeep::ipc
