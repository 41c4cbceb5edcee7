#include "cli/top_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace wskeep::cli {
namespace {

using namespace std::chrono_literals;
using Name = Key::Name;
using Wish = TopView::Wish;

constexpr Console::Size usual{80, 24};

Overview overview(std::chrono::seconds at, std::uint64_t messages = 0) {
  Overview taken{std::chrono::steady_clock::time_point(1h) + at, {}};
  Summary one;
  one.name = "alpha";
  one.state = "ready";
  one.url = "wss://a.example.com/";
  one.messages_in = messages;
  one.bytes_in = messages * 1024;
  one.subscribers = 2;
  one.lag_messages = 812;
  one.lag = 3'400ms;
  one.ring_bytes = 1024;
  one.ring_span = 90s;
  Summary two;
  two.name = "beta";
  two.state = "failed";
  two.url = "wss://b.example.com/";
  two.last_error = "the server answered 403 Forbidden";
  Summary three;
  three.name = "gamma";
  three.state = "ready";
  three.round_trip_ms = 12.4;
  taken.connections = {two, three, one};
  return taken;
}

class TopViewTest : public testing::Test {
 protected:
  TopViewTest() { view.take(overview(0s)); }

  void type(std::string_view keys) {
    for (const Key& key : parse_keys(keys)) wish = view.press(key);
  }
  std::string screen(Console::Size size = usual) {
    std::string text;
    lines = view.lines(size, SystemTime(std::chrono::hours(12)));
    for (const Line& line : lines) text += line.text + "\n";
    return text;
  }
  /// The names, from top to bottom.
  std::string order(Console::Size size = usual) {
    std::vector<std::pair<std::size_t, std::string>> found;
    const std::string text = screen(size);
    for (const char* name : {"alpha", "beta", "gamma"}) {
      const std::size_t at = text.find(std::string(" ") + name);
      if (at != std::string::npos) found.emplace_back(at, name);
    }
    std::ranges::sort(found);
    std::string names;
    for (const auto& [at, name] : found) names += (names.empty() ? "" : " ") + name;
    return names;
  }

  TopView view{{}};
  Wish wish = Wish::nothing;
  std::vector<Line> lines;
};

TEST_F(TopViewTest, HasNoRatesBeforeThereAreTwoOverviews) {
  EXPECT_EQ(screen().find("KiB/s"), std::string::npos);
  view.take(overview(2s, 480));
  EXPECT_NE(screen().find("240"), std::string::npos) << screen();
  EXPECT_NE(screen().find("240.0 KiB/s"), std::string::npos) << screen();
}

TEST_F(TopViewTest, ShowsWhoLagsAndWhatFailed) {
  EXPECT_NE(screen({150, 24}).find("812 3.4 s"), std::string::npos) << screen();
  EXPECT_NE(screen({150, 24}).find("403 Forbidden"), std::string::npos) << screen();
}

TEST_F(TopViewTest, IsSortedAndTurnedRound) {
  EXPECT_EQ(order(), "alpha beta gamma");
  type("r");
  EXPECT_EQ(order(), "gamma beta alpha");
  type("t");
  EXPECT_EQ(order(), "beta alpha gamma") << "what is broken first";
  type("p");
  EXPECT_EQ(order(), "gamma alpha beta") << "by round trip";
  type("l");
  EXPECT_EQ(order(), "alpha beta gamma") << "by lag";
  type("S");
  EXPECT_NE(screen().find("by readers"), std::string::npos);
  type("ss");
  EXPECT_NE(screen().find("by name"), std::string::npos) << "behind the last comes the first";
}

TEST_F(TopViewTest, IsFiltered) {
  type("/FORB");
  EXPECT_EQ(order(), "beta");
  type(
      "\x7f\x7f\x7f\x7f"
      "a.example");
  EXPECT_EQ(order(), "alpha");
  type("\r");
  EXPECT_EQ(wish, Wish::nothing) << "Enter ends the filter and looks into nothing";
  type("/x\x1b");
  EXPECT_EQ(order(), "alpha") << "Escape leaves the filter as it was";
  type("\x1b");
  EXPECT_EQ(order(), "alpha beta gamma");
  type("/nothing has this\r\r");
  EXPECT_EQ(wish, Wish::nothing) << "there is nothing to look into";
}

TEST_F(TopViewTest, TheChosenOneStaysChosen) {
  type("j");
  EXPECT_NE(screen().find(">  beta"), std::string::npos) << screen();
  type("r");
  EXPECT_NE(screen().find(">  beta"), std::string::npos);
  Overview without = overview(1s);
  without.connections.erase(without.connections.begin());
  view.take(without);
  EXPECT_NE(screen().find(">  gamma"), std::string::npos) << "it is gone, so the first is\n"
                                                          << screen();
}

TEST_F(TopViewTest, FitsAnyWindow) {
  for (std::size_t columns = 1; columns < 200; columns += 7) {
    for (std::size_t rows = 1; rows < 12; ++rows) {
      screen({columns, rows});
      // The table's title, the two lines above it and one row stand even where there is no room.
      EXPECT_LE(lines.size(), std::max<std::size_t>(rows, 5) - 1);
      if (columns < 40) continue;
      for (const Line& line : lines) EXPECT_LT(line.width, columns) << line.text;
    }
  }
  type("\x1b[F");
  EXPECT_EQ(order({80, 5}), "gamma") << "the chosen one is in sight";
}

TEST_F(TopViewTest, LooksIntoOne) {
  type("j\r");
  EXPECT_EQ(wish, Wish::details);
  EXPECT_EQ(view.detailed(), "beta");
  view.take_details("one\ntwo\nthree\x1b[2J\nfour\n");
  EXPECT_NE(screen().find("one\ntwo\nthree\\x1b[2J\nfour"), std::string::npos) << screen();
  type("\x1b[B");
  EXPECT_EQ(screen({80, 4}).find("one"), std::string::npos);
  type("q");
  EXPECT_EQ(wish, Wish::nothing) << "it leads back";
  EXPECT_EQ(view.detailed(), "");
  EXPECT_EQ(order(), "alpha beta gamma");
  type("?");
  EXPECT_NE(screen().find("turn the order round"), std::string::npos);
  type("\x1bq");
  EXPECT_EQ(wish, Wish::quit);
}

TEST_F(TopViewTest, SaysWhyThereIsNothingNewer) {
  view.take_problem("no daemon listens");
  EXPECT_NE(screen().find("no daemon listens"), std::string::npos);
  EXPECT_EQ(order(), "alpha beta gamma") << "what was known stays";
  view.take(overview(3s));
  EXPECT_EQ(screen().find("no daemon listens"), std::string::npos);
  type(" ");
  EXPECT_TRUE(view.paused());
  EXPECT_NE(screen().find("PAUSED"), std::string::npos);
}

TEST(TopOrder, HasNames) {
  EXPECT_EQ(parse_order("lag"), TopOrder::lag);
  EXPECT_EQ(order_name(TopOrder::round_trip), "rtt");
  EXPECT_FALSE(parse_order("colour"));
}

}  // namespace
}  // namespace wskeep::cli
