#include "ipc/subscription.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace wskeep::ipc {
namespace {

TEST(Target, IsTakenApartAndDecoded) {
  const auto target = parse_target("/v1/connections/a%2Eb/messages?from=oldest&after=&x=%20y");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->path, "/v1/connections/a.b/messages");
  EXPECT_EQ(target->query.at("from"), "oldest");
  EXPECT_EQ(target->query.at("after"), "");
  EXPECT_EQ(target->query.at("x"), " y");
}

TEST(Target, RefusesWhatIsNotWellFormed) {
  for (const char* bad : {"", "v1", "*", "/%", "/%4", "/%zz", "/a?b=%f", "/a?b=1&b=2", "/% 1"}) {
    EXPECT_FALSE(parse_target(bad)) << bad;
  }
}

TEST(Cursor, IsEpochAndSequence) {
  const auto cursor = parse_cursor("5f2c9a6e01b3d478:1200345");
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->epoch, 0x5f2c9a6e01b3d478U);
  EXPECT_EQ(cursor->sequence, 1200345U);
  EXPECT_EQ(epoch_text(cursor->epoch), "5f2c9a6e01b3d478");
  EXPECT_EQ(epoch_text(1), "0000000000000001");
  for (const char* bad :
       {"", ":", "1:1", "5f2c9a6e01b3d478", "5f2c9a6e01b3d478:", "5f2c9a6e01b3d47g:1",
        "5f2c9a6e01b3d478:-1", "5f2c9a6e01b3d478:1x", "5f2c9a6e01b3d478:99999999999999999999"}) {
    EXPECT_FALSE(parse_cursor(bad)) << bad;
  }
}

std::variant<Subscription, std::string> parse(const char* query, bool ndjson = false) {
  return parse_subscription(*parse_target(std::string("/x?") + query),
                            {.form = ndjson ? Form::ndjson : Form::websocket});
}

TEST(Subscription, HasDefaults) {
  const auto subscription = std::get<Subscription>(parse(""));
  EXPECT_EQ(subscription.from, Subscription::From::newest);
  EXPECT_FALSE(subscription.gap);
  EXPECT_TRUE(subscription.follow);
  EXPECT_FALSE(subscription.filter);
  EXPECT_FALSE(std::get<Subscription>(parse("", true)).follow);
}

TEST(Subscription, ReadsItsParameters) {
  const auto subscription =
      std::get<Subscription>(parse("after=00000000000000ff:7&gap=skip&follow=true&limit=3", true));
  EXPECT_EQ(subscription.from, Subscription::From::cursor);
  EXPECT_EQ(subscription.after.epoch, 255U);
  EXPECT_EQ(subscription.gap, config::Gap::skip);
  EXPECT_TRUE(subscription.follow);
  EXPECT_EQ(subscription.limit, 3U);
}

TEST(Subscription, OfServerSentEventsFollowsAndGoesOnBehindTheLastId) {
  const std::string seen = "00000000000000ff:7";
  const auto target = parse_target("/x?from=oldest");
  auto subscription = std::get<Subscription>(
      parse_subscription(*target, {.form = Form::sse, .last_event_id = &seen}));
  EXPECT_TRUE(subscription.follow);
  EXPECT_EQ(subscription.from, Subscription::From::cursor);
  EXPECT_EQ(subscription.after, (Cursor{255, 7}));
  // A WebSocket has no such thing.
  subscription = std::get<Subscription>(parse_subscription(*target, {.last_event_id = &seen}));
  EXPECT_EQ(subscription.from, Subscription::From::oldest);
  const std::string empty;
  subscription = std::get<Subscription>(
      parse_subscription(*target, {.form = Form::sse, .last_event_id = &empty}));
  EXPECT_EQ(subscription.from, Subscription::From::oldest);
  const std::string nonsense = "7";
  EXPECT_TRUE(std::holds_alternative<std::string>(
      parse_subscription(*target, {.form = Form::sse, .last_event_id = &nonsense})));
}

TEST(Subscription, OfAllConnectionsHasACursorForEach) {
  const auto target = parse_target("/x?after=a.b=00000000000000ff:7,c-d=0000000000000001:0");
  const auto subscription = std::get<Subscription>(parse_subscription(*target, {.all = true}));
  const Cursors wanted{{"a.b", {255, 7}}, {"c-d", {1, 0}}};
  EXPECT_EQ(subscription.after_all, wanted);
  EXPECT_EQ(cursors_text(wanted), "a.b=00000000000000ff:7,c-d=0000000000000001:0");
  EXPECT_EQ(parse_cursors(""), Cursors());
  for (const char* bad : {"a", "=00000000000000ff:7", "a=1:1", "00000000000000ff:7",
                          "a=00000000000000ff:7,a=00000000000000ff:8"}) {
    EXPECT_FALSE(parse_cursors(bad)) << bad;
  }
}

TEST(Accept, ChoosesTheForm) {
  const auto form = [](std::string accept) { return accepted_form(&accept); };
  EXPECT_EQ(accepted_form(nullptr), Form::ndjson);
  EXPECT_EQ(form(""), Form::ndjson);
  EXPECT_EQ(form("*/*"), Form::ndjson);
  EXPECT_EQ(form("text/event-stream"), Form::sse);
  EXPECT_EQ(form(" TEXT/Event-Stream ; q=0.1"), Form::sse);
  EXPECT_EQ(form("text/event-stream;q=0.001, */*;q=0.002"), Form::ndjson);
  EXPECT_EQ(form("text/event-stream, application/json"), Form::sse);
  EXPECT_EQ(form("text/event-stream;q=0, */*"), Form::ndjson);
  EXPECT_EQ(form("text/event-stream;q=0"), std::nullopt);
  EXPECT_EQ(form("text/html"), std::nullopt);
}

TEST(Subscription, SaysWhatIsWrong) {
  EXPECT_EQ(std::get<std::string>(parse("from=middle")), "from is oldest or newest");
  EXPECT_EQ(std::get<std::string>(parse("gap=ignore")), "gap is close or skip");
  EXPECT_EQ(std::get<std::string>(parse("from=oldest&after=x")),
            "only one of from and after can be given");
  EXPECT_NE(std::get<std::string>(parse("limit=3")).find("no parameter 'limit' here"),
            std::string::npos);
  EXPECT_EQ(std::get<std::string>(parse("limit=0", true)),
            "limit is a number of messages, at least 1");
  EXPECT_EQ(std::get<std::string>(parse("follow=maybe", true)), "follow is true or false");
}

class StartTest : public testing::Test {
 protected:
  StartTest() {
    for (int message = 0; message < 10; ++message) {
      ring_.make_room(size_);
      ring_.commit(1, 2, size_, 1);
    }
  }

  std::optional<Start> start(Subscription::From from, Cursor after = {}) {
    return find_start(ring_, {.from = from, .after = after, .gap = {}, .limit = {}});
  }

  ring::Ring ring_{{.history = 40'960, .max_message = 10}, 77};
  const std::size_t size_ = ring_.capacity() / 5;  // keeps the last five
};

TEST_F(StartTest, NewestAndOldest) {
  EXPECT_EQ(start(Subscription::From::newest)->sequence, 11U);
  EXPECT_EQ(start(Subscription::From::oldest)->sequence, 6U);
}

TEST_F(StartTest, GoesOnBehindACursor) {
  const auto found = start(Subscription::From::cursor, {77, 8});
  EXPECT_EQ(found->sequence, 9U);
  EXPECT_EQ(found->lost_from, 0U);
  EXPECT_EQ(start(Subscription::From::cursor, {77, 10})->sequence, 11U) << "nothing new yet";
  EXPECT_EQ(start(Subscription::From::cursor, {77, 5})->sequence, 6U);
  EXPECT_EQ(start(Subscription::From::cursor, {77, 5})->lost_from, 0U);
}

TEST_F(StartTest, SaysWhatIsGone) {
  const auto found = start(Subscription::From::cursor, {77, 2});
  EXPECT_EQ(found->sequence, 6U);
  EXPECT_EQ(found->lost_from, 3U);
  EXPECT_EQ(found->lost_to, 5U);
  EXPECT_FALSE(found->other_epoch);
}

TEST_F(StartTest, AnotherEpochBeginsWithTheOldest) {
  const auto found = start(Subscription::From::cursor, {78, 8});
  EXPECT_EQ(found->sequence, 6U);
  EXPECT_TRUE(found->other_epoch);
}

TEST_F(StartTest, ACursorAheadIsRefused) {
  EXPECT_FALSE(start(Subscription::From::cursor, {77, 11}));
}

}  // namespace
}  // namespace wskeep::ipc
