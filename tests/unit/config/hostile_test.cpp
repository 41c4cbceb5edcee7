#include <gtest/gtest.h>

#include <string>

#include "config/load.hpp"

// Files that are made to hurt. Each ends at once, with one message that says why, or with few.
namespace wskeep::config {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20U;

std::string repeated(const std::string& part, std::size_t bytes) {
  std::string result;
  while (result.size() + part.size() <= bytes) {
    result += part;
  }
  return result;
}

std::vector<Problem> problems_of(const std::string& yaml) {
  try {
    static_cast<void>(load_text(yaml, "f"));
    return {};
  } catch (const LoadError& error) {
    return error.problems();
  }
}

std::string only_problem_of(const std::string& yaml) {
  const std::vector<Problem> problems = problems_of(yaml);
  return problems.size() == 1 ? problems[0].text() : std::to_string(problems.size()) + " problems";
}

TEST(Hostile, NestingIsBounded) {
  const std::string too_deep = ": is nested deeper than 16 levels";
  EXPECT_EQ(only_problem_of(std::string(17, '[') + std::string(17, ']')), "f:1:17" + too_deep);
  EXPECT_EQ(only_problem_of(std::string(16, '[') + std::string(16, ']')),
            "f:1:1: is a list; allowed: map with at least 'connections'");
  EXPECT_EQ(only_problem_of(repeated("- ", mebibyte)), "f:1:33" + too_deep);
  EXPECT_EQ(only_problem_of(repeated("? ", mebibyte)), "f:1:33" + too_deep);
  EXPECT_EQ(only_problem_of(repeated("{", mebibyte)), "f:1:16" + too_deep);
  std::string stairs;
  for (std::size_t level = 0; level < 1000; ++level) {
    stairs += std::string(level, ' ') + "a:\n";
  }
  EXPECT_EQ(only_problem_of(stairs), "f:17:17" + too_deep);
}

TEST(Hostile, SizeIsBounded) {
  EXPECT_EQ(only_problem_of(std::string(mebibyte + 1, ' ')), "f: is larger than 1MiB");
}

TEST(Hostile, AnAliasOfItselfDoesNotLoop) {
  const std::vector<Problem> problems = problems_of("connections: &a {b: *a}");
  ASSERT_EQ(problems.size(), 2U);
  EXPECT_EQ(problems[0].column, 14U);
  EXPECT_EQ(problems[1].column, 21U);
}

TEST(Hostile, AliasesOfAliasesDoNotMultiply) {
  std::string yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int level = 1; level < 12; ++level) {
    const std::string before = "*a" + std::to_string(level - 1) + ", ";
    const std::string name = "a" + std::to_string(level);
    yaml.append(name).append(": &").append(name).append(" [");
    yaml.append(repeated(before, before.size() * 10)).append("]\n");
  }
  EXPECT_EQ(problems_of(yaml).size(), 12U + 11U * 10U + 12U + 1U);
}

TEST(Hostile, OtherEncodingsAreNotGuessedAt) {
  EXPECT_EQ(only_problem_of(std::string("\xff\xfe{\0}\0", 6)), "f:1:1: is not text in UTF-8");
  EXPECT_EQ(only_problem_of(std::string("a: 1\nb: \0", 9)), "f:2:4: is not text in UTF-8");
  EXPECT_EQ(only_problem_of("a: \"\xc3\x28\""), "f:1:5: is not text in UTF-8");
}

TEST(Hostile, AMarkOfTheByteOrderIsTaken) {
  EXPECT_TRUE(problems_of("\xef\xbb\xbf"
                          "connections: {a: {url: ws://h/}}")
                  .empty());
}

TEST(Hostile, ManyProblemsAreCountedAndNotKept) {
  const std::vector<Problem> problems = problems_of(repeated("- &a\n", 25'000));
  ASSERT_EQ(problems.size(), 1001U);
  EXPECT_EQ(problems.back().text(), "f: 4001 more problems, not listed");
}

TEST(Hostile, LongKeysAndValuesAreCutInMessages) {
  const std::string lengthy(100'000, 'x');
  EXPECT_LT(only_problem_of("connections: {a: {url: ws://h/}}\n" + lengthy + ": 1").size(), 300U);
  EXPECT_LT(only_problem_of("connections: {a: {url: ws://h/}}\nthreads: " + lengthy).size(), 300U);
}

TEST(Hostile, MessagesHoldNoControlCharacters) {
  EXPECT_EQ(only_problem_of("connections: {a: {url: ws://h/}}\nthreads: \"\\e[2J\\n\""),
            "f:2:10: threads: '\\x1b[2J\\x0a' is not a whole number; allowed: number, 1 to 64");
}

}  // namespace
}  // namespace wskeep::config
