#include "cli/table.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wskeep::cli {
namespace {

Table make_table() {
  Table table({{"NAME", false, 0, 4}, {"COUNT", true, 2, 0}, {"URL", false, 1, 6}});
  table.add(
      {{"trades", Color::none}, {"1,234", Color::none}, {"wss://example.com/ws", Color::none}});
  table.add({{"q", Color::none}, {"5", Color::none}, {"", Color::none}});
  return table;
}

std::vector<std::string> texts(const Table& table, std::size_t width) {
  std::vector<std::string> output;
  for (const Line& line : table.lines(width, false)) output.push_back(line.text);
  return output;
}

using Texts = std::vector<std::string>;

TEST(Table, ShowsAllWhereWidthHasNoEnd) {
  EXPECT_EQ(texts(make_table(), 0),
            (Texts{"NAME    COUNT  URL", "trades  1,234  wss://example.com/ws", "q           5"}));
}

TEST(Table, CutsTheWidestFirst) {
  EXPECT_EQ(texts(make_table(), 25),
            (Texts{"NAME    COUNT  URL", "trades  1,234  wss://exa…", "q           5"}));
}

TEST(Table, LeavesOutTheGreatestRankWhereCuttingDoesNotSuffice) {
  EXPECT_EQ(texts(make_table(), 18), (Texts{"NAME    URL", "trades  wss://exa…", "q"}));
}

TEST(Table, KeepsRankZeroToTheLast) {
  EXPECT_EQ(texts(make_table(), 5), (Texts{"NAME", "trad…", "q"}));
  EXPECT_EQ(texts(make_table(), 2), (Texts{"N…", "t…", "q"}));
}

TEST(Table, NoLineIsWiderThanAsked) {
  const Table table = make_table();
  for (std::size_t width = 1; width < 50; ++width) {
    for (const Line& line : table.lines(width, true)) EXPECT_LE(line.width, width);
  }
}

TEST(Table, ColoursTakeNoWidth) {
  Table table({{"STATE", false, 0, 0}, {"N", true, 0, 0}});
  table.add({{"ready", Color::green}, {"7", Color::none}});
  const std::vector<Line> lines = table.lines(0, true);
  EXPECT_EQ(lines.at(1).text, "\x1b[32mready\x1b[0m  7");
  EXPECT_EQ(lines.at(1).width, 8U);
}

}  // namespace
}  // namespace wskeep::cli
