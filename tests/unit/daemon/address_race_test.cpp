#include "daemon/upstream/address_race.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

namespace wskeep::upstream {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

/// A race with its clock, and what it says as text: "start 0, give up 1".
class Table {
 public:
  explicit Table(std::size_t addresses) : race(addresses, {250ms, 10s}) {}

  std::string at(milliseconds time) {
    now = daemon::TimePoint(1000h) + time;
    std::string said;
    while (const auto action = race.next(now)) {
      constexpr std::array<const char*, 3> names{"start ", "advance ", "give up "};
      said += (said.empty() ? "" : ", ") +
              std::string(names.at(static_cast<std::size_t>(action->kind))) +
              std::to_string(action->address);
    }
    return said;
  }
  /// Milliseconds; -1 for never.
  std::int64_t wake() const {
    if (race.wake_at() == daemon::TimePoint::max()) return -1;
    return std::chrono::duration_cast<milliseconds>(race.wake_at() - daemon::TimePoint(1000h))
        .count();
  }
  void connected(std::size_t address) { race.connected(address, now); }
  void failed(std::size_t address) { race.failed(address, now); }

  AddressRace race;
  daemon::TimePoint now{1000h};
};

TEST(AddressRace, OneThatHangsIsJoinedByTheNextAfterTheDelay) {
  Table race(3);
  EXPECT_EQ(race.at(0ms), "start 0");
  EXPECT_EQ(race.wake(), 250);
  EXPECT_EQ(race.at(249ms), "");
  EXPECT_EQ(race.at(250ms), "start 1");
  EXPECT_EQ(race.at(500ms), "start 2");
  EXPECT_EQ(race.wake(), 10'000);
  EXPECT_EQ(race.at(10'000ms), "give up 0");
  EXPECT_EQ(race.at(10'500ms), "give up 1, give up 2");
  EXPECT_TRUE(race.race.exhausted());
  EXPECT_EQ(race.wake(), -1);
}

TEST(AddressRace, OneThatFailsIsFollowedAtOnce) {
  Table race(3);
  race.at(0ms);
  race.at(10ms);
  race.failed(0);
  EXPECT_EQ(race.at(10ms), "start 1");
  EXPECT_EQ(race.wake(), 260);
  race.failed(1);
  EXPECT_EQ(race.at(10ms), "start 2");
  EXPECT_FALSE(race.race.exhausted());
  race.failed(2);
  EXPECT_EQ(race.at(10ms), "");
  EXPECT_TRUE(race.race.exhausted());
}

TEST(AddressRace, NothingIsStartedWhileOneLeads) {
  Table race(3);
  race.at(0ms);
  race.at(100ms);
  race.connected(0);
  EXPECT_EQ(race.at(100ms), "advance 0");
  EXPECT_EQ(race.wake(), 10'000);
  EXPECT_EQ(race.at(5'000ms), "");
}

TEST(AddressRace, ALeaderThatHangsIsFollowedAfterItsDeadline) {
  Table race(3);
  race.at(0ms);
  race.at(100ms);
  race.connected(0);
  race.at(100ms);
  EXPECT_EQ(race.at(10'000ms), "give up 0, start 1");
  EXPECT_EQ(race.wake(), 10'250);
}

TEST(AddressRace, ALeaderThatFailsIsFollowedAtOnce) {
  Table race(2);
  race.at(0ms);
  race.connected(0);
  race.at(0ms);
  EXPECT_EQ(race.at(50ms), "");
  race.failed(0);
  EXPECT_EQ(race.at(50ms), "start 1");
}

TEST(AddressRace, TheReserveGoesOnInTheOrderItConnectedWithItsClockStopped) {
  Table race(4);
  race.at(0ms);
  race.at(250ms);
  race.at(500ms);
  race.connected(2);
  EXPECT_EQ(race.at(500ms), "advance 2");
  EXPECT_EQ(race.at(600ms), "");
  race.connected(1);  // 350 ms of its time are used
  EXPECT_EQ(race.at(600ms), "");
  EXPECT_EQ(race.at(9'000ms), "");
  race.connected(0);
  EXPECT_EQ(race.at(9'500ms), "");
  race.failed(2);
  EXPECT_EQ(race.at(9'500ms), "advance 1");
  EXPECT_EQ(race.wake(), 9'500 + 10'000 - 350);
  EXPECT_EQ(race.at(milliseconds(race.wake())), "give up 1, advance 0");
}

TEST(AddressRace, WhatFailsInReserveHoldsNobodyUp) {
  Table race(3);
  race.at(0ms);
  race.at(250ms);
  race.connected(1);
  EXPECT_EQ(race.at(250ms), "advance 1");
  race.connected(0);
  race.failed(0);
  EXPECT_EQ(race.at(300ms), "");
  race.failed(1);
  EXPECT_EQ(race.at(300ms), "start 2");
}

TEST(AddressRace, EventsOfOneThatWasGivenUpAreIgnored) {
  Table race(1);
  race.at(0ms);
  EXPECT_EQ(race.at(10'000ms), "give up 0");
  race.connected(0);
  race.failed(0);
  EXPECT_EQ(race.at(10'001ms), "");
  EXPECT_TRUE(race.race.exhausted());
}

TEST(AddressRace, WhatMayNotBeStartedEndsTheStartsAndNotWhatRuns) {
  Table race(4);
  EXPECT_EQ(race.at(0ms), "start 0");
  EXPECT_EQ(race.at(250ms), "start 1");
  race.race.start_no_more(1);
  EXPECT_EQ(race.at(500ms), "");
  EXPECT_FALSE(race.race.exhausted());
  race.connected(0);
  EXPECT_EQ(race.at(600ms), "advance 0");
  race.failed(0);
  EXPECT_EQ(race.at(600ms), "");
  EXPECT_TRUE(race.race.exhausted());
}

TEST(AddressRace, WithoutAddressesItIsExhausted) {
  Table race(0);
  EXPECT_EQ(race.at(0ms), "");
  EXPECT_TRUE(race.race.exhausted());
}

enum class Seen { waiting, connecting, reserve, leading, over };

/// Does what the race says, and checks that it may say so.
void obey(Table& race, milliseconds time, std::vector<Seen>& seen) {
  race.now = daemon::TimePoint(1000h) + time;
  while (const auto action = race.race.next(race.now)) {
    Seen& one = seen.at(action->address);
    if (action->kind == AddressRace::Kind::start) {
      ASSERT_EQ(one, Seen::waiting);
      one = Seen::connecting;
    } else if (action->kind == AddressRace::Kind::advance) {
      ASSERT_EQ(one, Seen::reserve);
      one = Seen::leading;
    } else {
      ASSERT_TRUE(one == Seen::connecting || one == Seen::leading);
      one = Seen::over;
    }
    ASSERT_LE(std::count(seen.begin(), seen.end(), Seen::leading), 1);
  }
}

/// Whatever happens, at most one leads, all is over in bounded time, and the race never asks to be
/// woken in the past.
TEST(AddressRace, RandomEventsKeepItsPromises) {
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    const std::size_t addresses = 1 + random() % 6;
    Table race(addresses);
    std::vector<Seen> seen(addresses, Seen::waiting);
    milliseconds time{0};
    for (int guard = 0;; ++guard) {
      ASSERT_LT(guard, 300);
      obey(race, time, seen);
      if (race.race.exhausted()) break;
      ASSERT_GT(race.wake(), time.count());
      const std::size_t chosen = random() % addresses;
      if (seen[chosen] == Seen::connecting && random() % 3 == 0) {
        race.connected(chosen);
        seen[chosen] = Seen::reserve;
      } else if (seen[chosen] != Seen::waiting && seen[chosen] != Seen::over && random() % 3 == 0) {
        race.failed(chosen);
        seen[chosen] = Seen::over;
      } else {
        time = milliseconds(race.wake());
      }
    }
    ASSERT_EQ(std::count(seen.begin(), seen.end(), Seen::over), static_cast<int>(addresses));
    ASSERT_LE(time, 70s);
  }
}

}  // namespace
}  // namespace wskeep::upstream
