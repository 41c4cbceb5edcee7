#include "daemon/net/handshake_limit.hpp"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <memory>
#include <vector>

namespace wskeep::net {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

class HandshakeLimitTest : public testing::Test {
 protected:
  /// Someone comes for a place, and keeps it until `leave`.
  void come(int number) {
    asio::co_spawn(
        context_, wait_for_place(number),
        asio::bind_cancellation_slot(cancel_[number].slot(), [](const std::exception_ptr& thrown) {
          if (thrown) std::rethrow_exception(thrown);
        }));
    run_ready();
  }
  void leave(int number) {
    places_.erase(number);
    run_ready();
  }
  void cancel(int number) {
    cancel_[number].emit(asio::cancellation_type::terminal);
    run_ready();
  }
  void run_ready() {
    context_.restart();
    context_.poll();
  }
  /// Waits for time where nothing but time can bring it about.
  template <typename Condition>
  void run_until(Condition condition) {
    const auto deadline = daemon::Clock::now() + 20s;
    context_.restart();
    while (!condition() && daemon::Clock::now() < deadline) context_.run_one_until(deadline);
    ASSERT_TRUE(condition());
  }

  asio::io_context context_{1};
  std::vector<int> entered_;
  std::vector<int> refused_;
  std::map<int, asio::cancellation_signal> cancel_;
  HandshakeLimit limit_{context_.get_executor(), 2};
  std::map<int, HandshakeLimit::Place> places_;

 private:
  asio::awaitable<void> wait_for_place(int number) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto place = co_await limit_.enter();
    if (!place) {
      refused_.push_back(number);
      co_return;
    }
    entered_.push_back(number);
    places_.emplace(number, std::move(*place));
  }
};

using Numbers = std::vector<int>;

TEST_F(HandshakeLimitTest, UpToTheLimitEnterAtOnce) {
  for (int i = 1; i <= 4; ++i) come(i);
  EXPECT_EQ(entered_, (Numbers{1, 2}));
  EXPECT_EQ(limit_.under_way(), 2U);
}

TEST_F(HandshakeLimitTest, OthersFollowInTheOrderTheyCame) {
  for (int i = 1; i <= 6; ++i) come(i);
  leave(2);
  EXPECT_EQ(entered_, (Numbers{1, 2, 3}));
  leave(1);
  leave(3);
  EXPECT_EQ(entered_, (Numbers{1, 2, 3, 4, 5}));
  EXPECT_EQ(limit_.under_way(), 2U);
}

TEST_F(HandshakeLimitTest, SeveralPlacesGivenBackAtOnceAreAllTaken) {
  for (int i = 1; i <= 5; ++i) come(i);
  places_.clear();
  run_ready();
  EXPECT_EQ(entered_, (Numbers{1, 2, 3, 4}));
  places_.clear();
  run_ready();
  EXPECT_EQ(entered_, (Numbers{1, 2, 3, 4, 5}));
  places_.clear();
  EXPECT_EQ(limit_.under_way(), 0U);
}

TEST_F(HandshakeLimitTest, WhoIsCancelledWhileWaitingGetsNothingAndHoldsNobodyUp) {
  for (int i = 1; i <= 5; ++i) come(i);
  cancel(3);  // the first in the line
  cancel(4);  // then the first, too
  EXPECT_EQ(refused_, (Numbers{3, 4}));
  leave(1);
  EXPECT_EQ(entered_, (Numbers{1, 2, 5}));
}

TEST_F(HandshakeLimitTest, CancellingInTheMiddleOfTheLineKeepsItsOrder) {
  for (int i = 1; i <= 5; ++i) come(i);
  cancel(4);
  leave(1);
  leave(2);
  EXPECT_EQ(entered_, (Numbers{1, 2, 3, 5}));
}

TEST_F(HandshakeLimitTest, TheFirstIsCancelledInTheMomentItsPlaceIsThere) {
  for (int i = 1; i <= 4; ++i) come(i);
  places_.erase(1);  // wakes the third, which has not run yet
  cancel(3);
  // Whichever of the two it sees first, the place is not lost.
  leave(3);
  EXPECT_EQ(entered_.back(), 4);
  EXPECT_EQ(limit_.under_way(), 2U);
}

TEST_F(HandshakeLimitTest, OneThatHangsLosesItsPlaceInTime) {
  come(1);
  come(2);
  const auto begun = daemon::Clock::now();
  come(3);
  come(4);
  run_until([&] { return entered_.size() == 4; });
  EXPECT_GE(daemon::Clock::now() - begun, HandshakeLimit::longest - 100ms);
  EXPECT_EQ(entered_, (Numbers{1, 2, 3, 4}));
  // The places were theirs: that they end at last gives none away a second time.
  come(5);
  leave(1);
  leave(2);
  EXPECT_EQ(entered_.size(), 4U);
  leave(3);
  EXPECT_EQ(entered_, (Numbers{1, 2, 3, 4, 5}));
}

TEST_F(HandshakeLimitTest, NobodyWaitsForLongerThanTheyAreWorthWhenTheFirstInLineIsCancelled) {
  come(1);
  come(2);
  come(3);
  come(4);
  // The clock was the third's to watch; now it is the fourth's.
  cancel(3);
  run_until([&] { return entered_.size() == 3; });
  EXPECT_EQ(entered_, (Numbers{1, 2, 4}));
}

TEST_F(HandshakeLimitTest, AThousandTakeTurns) {
  std::size_t most = 0;
  for (int i = 0; i < 1000; ++i) come(i);
  while (!places_.empty()) {
    most = std::max(most, limit_.under_way());
    leave(places_.begin()->first);
  }
  EXPECT_EQ(entered_.size(), 1000U);
  EXPECT_TRUE(std::is_sorted(entered_.begin(), entered_.end()));
  EXPECT_EQ(most, 2U);
}

TEST_F(HandshakeLimitTest, OtherLimitsHoldForThoseWhoEnter) {
  for (int number = 1; number <= 5; ++number) come(number);
  EXPECT_EQ(entered_, (std::vector{1, 2}));
  limit_.limit(4);
  run_ready();
  EXPECT_EQ(entered_, (std::vector{1, 2, 3, 4}));
  limit_.limit(1);
  leave(1);
  leave(2);
  EXPECT_EQ(entered_.size(), 4U);
  leave(3);
  leave(4);
  EXPECT_EQ(entered_, (std::vector{1, 2, 3, 4, 5}));
}

}  // namespace
}  // namespace wskeep::net
