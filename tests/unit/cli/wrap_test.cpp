#include "cli/wrap.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wskeep::cli {
namespace {

using Lines = std::vector<std::string>;

TEST(Wrap, BreaksAtSpaces) {
  EXPECT_EQ(wrap("one two three", 7), (Lines{"one two", "three"}));
  EXPECT_EQ(wrap("one two three", 80), (Lines{"one two three"}));
  EXPECT_EQ(wrap("", 5), (Lines{""}));
}

TEST(Wrap, KeepsNoSpacesAtTheEnds) {
  EXPECT_EQ(wrap("  one   two  ", 4), (Lines{"one", "two"}));
}

TEST(Wrap, BreaksWordsThatAreLongerThanALine) {
  EXPECT_EQ(wrap("abcdefgh x", 3), (Lines{"abc", "def", "gh", "x"}));
  EXPECT_EQ(wrap("éèêë", 3), (Lines{"éèê", "ë"}));
  EXPECT_EQ(wrap("ab", 0), (Lines{"a", "b"}));
}

}  // namespace
}  // namespace wskeep::cli
