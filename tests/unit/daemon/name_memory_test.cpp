#include "daemon/upstream/name_memory.hpp"

#include <gtest/gtest.h>

#include <string>

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;
using config::Family;

constexpr daemon::TimePoint start{1000h};

daemon::Resolved answer(std::chrono::seconds ttl, const std::string& address = "10.0.0.1") {
  return {{{boost::asio::ip::make_address(address), 443}}, ttl};
}

TEST(NameMemory, AnAnswerHoldsForItsTime) {
  NameMemory names;
  names.keep("a", 443, Family::any, answer(60s), start);
  ASSERT_TRUE(names.find("a", 443, Family::any, start + 59s).has_value());
  EXPECT_EQ(names.find("a", 443, Family::any, start + 59s)->size(), 1U);
  EXPECT_FALSE(names.find("a", 443, Family::any, start + 60s).has_value());
  EXPECT_FALSE(names.find("a", 80, Family::any, start).has_value());
  EXPECT_FALSE(names.find("a", 443, Family::ipv4, start).has_value());
  EXPECT_FALSE(names.find("b", 443, Family::any, start).has_value());
}

TEST(NameMemory, AnHourAtTheMost) {
  NameMemory names;
  names.keep("a", 443, Family::any, answer(240h), start);
  EXPECT_TRUE(names.find("a", 443, Family::any, start + 59min).has_value());
  EXPECT_FALSE(names.find("a", 443, Family::any, start + 60min).has_value());
}

TEST(NameMemory, WhatDoesNotHoldOrDoesNotChangeIsNotKept) {
  NameMemory names;
  names.keep("a", 443, Family::any, answer(60s), start);
  names.keep("a", 443, Family::any, answer(0s), start);  // and takes the place of what was
  names.keep("b", 443, Family::any, answer(std::chrono::seconds::max()), start);
  EXPECT_EQ(names.size(), 0U);
}

TEST(NameMemory, TheLastAnswerCounts) {
  NameMemory names;
  names.keep("a", 443, Family::any, answer(60s), start);
  names.keep("a", 443, Family::any, answer(60s, "10.0.0.2"), start + 30s);
  EXPECT_EQ(names.find("a", 443, Family::any, start + 80s)->front().address().to_string(),
            "10.0.0.2");
  EXPECT_EQ(names.size(), 1U);
  names.forget("a", 443);
  EXPECT_FALSE(names.find("a", 443, Family::any, start + 80s).has_value());
}

TEST(NameMemory, IsBounded) {
  NameMemory names;
  for (int i = 0; i < 100; ++i)
    names.keep("name" + std::to_string(i), 443, Family::any, answer(60s), start);
  EXPECT_EQ(names.size(), NameMemory::capacity);
  EXPECT_TRUE(names.find("name99", 443, Family::any, start).has_value());
  names.keep("late", 443, Family::any, answer(60s), start + 60s);  // the others are over
  EXPECT_EQ(names.size(), 1U);
}

}  // namespace
}  // namespace wskeep::upstream
