#include "match/needle_set.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace wskeep::match {
namespace {

std::vector<char> found_in(const std::vector<std::string>& needles, const std::string& text) {
  const NeedleSet set(needles);
  std::vector<char> found(needles.size());
  // In memory of its own, so that reading beyond it is seen.
  const std::vector<char> copy(text.begin(), text.end());
  const bool any = set.find({copy.data(), copy.size()}, found);
  EXPECT_EQ(any, std::ranges::find(found, 1) != found.end());
  return found;
}

TEST(NeedleSet, FindsEachWhereverItStands) {
  const std::vector<std::string> needles{"\"op\"", "ping", "pin", "xyz", "\\u00"};
  for (const std::size_t size : {0U, 3U, 33U, 34U, 35U, 64U, 65U, 100U, 1000U}) {
    EXPECT_EQ(found_in(needles, std::string(size, '.')), std::vector<char>(5)) << size;
    for (std::size_t at = 0; at + 4 <= size; ++at) {
      std::string text(size, '.');
      text.replace(at, 4, "ping");
      ASSERT_EQ(found_in(needles, text), (std::vector<char>{0, 1, 1, 0, 0})) << size << " " << at;
    }
  }
}

TEST(NeedleSet, FindsWhatAPlainSearchFinds) {
  std::mt19937 random(7);
  const auto text = [&](std::size_t size) {
    // Few letters, so that much is nearly found.
    std::string made(size, ' ');
    for (char& letter : made) letter = "ab\"\xFF"[random() % 4];
    return made;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::string> needles;
    for (std::size_t count = 1 + random() % 20; count > 0; --count) {
      needles.push_back(text(NeedleSet::shortest + random() % 6));
    }
    const std::string subject = text(random() % 150);
    std::vector<char> expected;
    for (const std::string& needle : needles) {
      expected.push_back(subject.find(needle) != std::string::npos ? 1 : 0);
    }
    ASSERT_EQ(found_in(needles, subject), expected) << subject;
  }
}

TEST(NeedleSet, LeavesWhatIsNotFoundAsItIs) {
  const NeedleSet set({"abc", "def"});
  std::vector<char> found{1, 0};
  EXPECT_TRUE(set.find("def", found));
  EXPECT_EQ(found, (std::vector<char>{1, 1}));
}

}  // namespace
}  // namespace wskeep::match
