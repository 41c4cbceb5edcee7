#include "ipc/filter.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <random>
#include <set>
#include <string>

#include "ipc/encoded_feed.hpp"
#include "ipc/filter_query.hpp"
#include "tests/unit/ipc/fake_upstream.hpp"

namespace wskeep::ipc {
namespace {

using config::MessageRule;

MessageRule contains(std::string text) {
  MessageRule rule;
  rule.contains = std::move(text);
  return rule;
}

class FilterTest : public testing::Test {
 protected:
  void write(std::string_view text) {
    channel().claim(text.size() + websocket::max_header_size);
    ASSERT_TRUE(ipc::write(channel(), text));
  }
  Channel& channel() { return upstream_.channel(); }
  ring::Ring& ring() { return channel().ring(); }
  void pause() { ++pauses_; }

  boost::asio::io_context context_;
  FakeUpstream upstream_{context_, {.shape = {.history = 64U << 10U, .max_message = 4U << 10U}}};
  int pauses_ = 0;
  Filters filters_{upstream_.channel().ring(), [this] { pause(); }};
};

TEST_F(FilterTest, IsOneForAllWhoWantTheSame) {
  const auto first = filters_.find(contains("a"), 2);
  EXPECT_EQ(filters_.find(contains("a"), 2), first);
  auto second = filters_.find(contains("b"), 2);
  EXPECT_NE(second, first);
  EXPECT_EQ(filters_.find(contains("c"), 2), nullptr);
  EXPECT_EQ(filters_.find(contains("a"), 2), first);
  second.reset();
  EXPECT_EQ(filters_.size(), 1U);
  EXPECT_NE(filters_.find(contains("c"), 2), nullptr);
}

TEST_F(FilterTest, IsAskedOnceForEachMessage) {
  const auto first = filters_.find(contains("1"), 9);
  const auto second = filters_.find(contains("2"), 9);
  for (int number = 0; number < 10; ++number) write(std::to_string(number));
  for (int round = 0; round < 3; ++round) {
    for (ring::Sequence sequence = 1; sequence <= 10; ++sequence) {
      EXPECT_EQ(first->passes(sequence), sequence == 2);
      EXPECT_EQ(second->passes(sequence), sequence == 3);
    }
  }
  EXPECT_EQ(filters_.statistics().looked_at, 20U);
  EXPECT_EQ(filters_.statistics().passed, 2U);
  // What was there before is looked at for who asks alone.
  const auto late = filters_.find(contains("5"), 9);
  EXPECT_TRUE(late->passes(6));
  EXPECT_EQ(filters_.statistics().looked_at, 21U);
}

TEST_F(FilterTest, SaysTheSameInAnyOrderWhileTheRingGoesRound) {
  std::mt19937 random(7);
  std::vector<std::shared_ptr<Filter>> filters;
  for (const char* text : {"0", "1", "23", "none"})
    filters.push_back(filters_.find(contains(text), 9));
  std::vector<std::string> sent{""};
  for (unsigned round = 0; round < 400; ++round) {
    for (auto count = random() % 3000; count > 0; --count) {
      sent.push_back(std::to_string(random() % 1000) + std::string(random() % 20, 'x'));
      write(sent.back());
    }
    for (int asked = 0; asked < 200 && !ring().empty(); ++asked) {
      const ring::Sequence sequence = ring().first() + random() % (ring().next() - ring().first());
      const auto& filter = filters[random() % filters.size()];
      ASSERT_EQ(filter->passes(sequence),
                sent[sequence].find(filter->rule().contains) != std::string::npos)
          << sequence;
    }
    if (round % 50 == 0) filters[round % 3] = filters_.find(contains(std::to_string(round)), 9);
    filters_.resume();
  }
  EXPECT_GT(ring().first(), 10'000U);
}

TEST_F(FilterTest, LetsOthersHaveTheirTurn) {
  const auto filter = filters_.find(contains("needle"), 9);
  const std::string noise(4000, 'x');
  ring::Sequence next = 1;
  int written = 0;
  while (filter->may_go_on()) {
    write(noise);
    ++written;
    EXPECT_FALSE(filter->passes(next++));
    ASSERT_LT(written, 10'000);
  }
  EXPECT_EQ(pauses_, 1);
  EXPECT_GT(written, 500);
  filters_.resume();
  EXPECT_TRUE(filter->may_go_on());
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST_F(FilterTest, MatchingMessagesComeInOnePiece) {
  auto batches = channel().batches({}, contains("yes"), 9);
  for (int number = 0; number < 100; ++number) write(number % 2 == 0 ? "yes" : "no");
  EncodedFeed feed(ring(), batches, Encoding::frames, 1, channel().events().next());
  EncodedFeed other(ring(), channel().batches({}, contains("yes"), 9), Encoding::frames, 1,
                    channel().events().next());
  const auto bytes = feed.more();
  EXPECT_EQ(bytes.size(), 50U * 5);
  EXPECT_EQ(text_of(bytes.subspan(2, 3)), "yes");
  EXPECT_EQ(other.more().data(), bytes.data()) << "encoded once for both";
  feed.advance(bytes.size());
  EXPECT_EQ(feed.place().sequence, ring().next());
  EXPECT_TRUE(feed.more().empty());
}

TEST_F(FilterTest, OfNothingThatPassesNothingIsSentAndTheReaderKeepsUp) {
  for (const Encoding encoding :
       {Encoding::frames, Encoding::ndjson, Encoding::sse, Encoding::wskeep_v1}) {
    EncodedFeed feed(ring(), channel().batches({}, contains("yes"), 9), encoding, ring().next(),
                     channel().events().next());
    write("no");
    EXPECT_TRUE(feed.more().empty());
    EXPECT_EQ(feed.place().sequence, ring().next());
  }
}

std::string problem(const std::string& query) {
  const auto parsed = parse_filter(*parse_target("/x?" + query), 100);
  return std::holds_alternative<std::string>(parsed) ? std::get<std::string>(parsed) : "";
}

MessageRule rule(const std::string& query) {
  return std::get<std::optional<MessageRule>>(parse_filter(*parse_target("/x?" + query), 100))
      .value();
}

TEST(FilterQuery, IsReadIntoARule) {
  EXPECT_FALSE(std::get<0>(parse_filter(*parse_target("/x?from=oldest"), 100)).has_value());
  EXPECT_EQ(rule("contains=a%20b").contains, "a b");
  EXPECT_EQ(rule("opcode=text").opcode, MessageRule::Opcode::text);
  const MessageRule two = rule("json=/a:1&json=/b/0:x:y");
  ASSERT_EQ(two.json.size(), 2U);
  EXPECT_EQ(two.json[0].first.source(), "/a");
  EXPECT_EQ(two.json[0].second[0].kind, config::JsonScalar::Kind::number);
  EXPECT_EQ(two.json[1].second[0].text, "x:y");
  const auto list = rule("json=/a:[%22x,\\%22%22,%201.50,true,null]").json[0].second;
  ASSERT_EQ(list.size(), 4U);
  EXPECT_EQ(list[0].text, "x,\"");
  EXPECT_EQ(list[1].text, "1.50");
  EXPECT_EQ(list[2].kind, config::JsonScalar::Kind::boolean);
  EXPECT_EQ(list[3].kind, config::JsonScalar::Kind::null);
  EXPECT_EQ(rule("json=/a:%221%22").json[0].second[0].kind, config::JsonScalar::Kind::string);
  EXPECT_EQ(rule("json=/a:[x").json[0].second[0].text, "[x");
  EXPECT_EQ(rule("json=/a").exists[0].source(), "/a");
}

TEST(FilterQuery, SaysWhatIsWrong) {
  EXPECT_NE(problem("contains=").find("not nothing"), std::string::npos);
  EXPECT_NE(problem("opcode=both").find("text or binary"), std::string::npos);
  EXPECT_NE(problem("json=a:1").find("'a'"), std::string::npos);
  EXPECT_NE(problem("json=/a:[[1]]").find("list"), std::string::npos);
  EXPECT_NE(problem("json=/a:[]").find("list"), std::string::npos);
  EXPECT_NE(problem("contains=" + std::string(101, 'x')).find("ipc.limits.filter"),
            std::string::npos);
}

}  // namespace
}  // namespace wskeep::ipc
