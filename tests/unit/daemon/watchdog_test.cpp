#include "daemon/watchdog.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>

namespace wskeep::daemon {
namespace {

using namespace std::chrono_literals;

struct Loops {
  boost::asio::io_context first;
  boost::asio::io_context second;
  int alive = 0;
  Watchdog watchdog{{first.get_executor(), second.get_executor()}, 3ms, [this] { ++alive; }};

  /// Turns the first loop until it has said so often that it is alive, or ten rounds have gone by.
  int turn(int until, bool with_second) {
    for (int round = 0; round < 10 && alive < until; ++round) {
      first.restart();
      first.run_for(2ms);
      second.restart();
      if (with_second) second.poll();
    }
    return alive;
  }
};

TEST(Watchdog, SpeaksWhileAllLoopsTurn) {
  Loops loops;
  loops.watchdog.start();
  EXPECT_GE(loops.turn(4, true), 4);
}

TEST(Watchdog, OneStuckLoopSilencesIt) {
  Loops loops;
  loops.watchdog.start();
  EXPECT_EQ(loops.turn(2, false), 1);  // once, before anybody was asked
  EXPECT_GE(loops.turn(3, true), 3);   // and it speaks again when the loop does
}

TEST(Watchdog, WhatIsUnderWayOutlivesIt) {
  boost::asio::io_context loop;
  {
    Watchdog watchdog({loop.get_executor()}, 3ms, [] {});
    watchdog.start();
    watchdog.stop();
  }
  EXPECT_GE(loop.run(), 1U);
}

}  // namespace
}  // namespace wskeep::daemon
