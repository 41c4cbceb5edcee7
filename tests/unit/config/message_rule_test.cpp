#include "config/message_rule.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace wskeep::config {
namespace {

std::vector<std::string> names(const std::string& pointer) {
  std::vector<std::string> all;
  const JsonPointer parsed(pointer);
  for (const JsonPointer::Token& token : parsed.tokens()) {
    all.push_back(token.name);
  }
  return all;
}

std::string error_of(const std::string& pointer) {
  try {
    static_cast<void>(JsonPointer(pointer));
    return "";
  } catch (const JsonPointerError& error) {
    return error.what();
  }
}

// RFC 6901, section 5.
TEST(JsonPointer, IsTakenApartAsTheRfcSays) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(""), Names());
  EXPECT_EQ(names("/foo"), Names{"foo"});
  EXPECT_EQ(names("/foo/0"), (Names{"foo", "0"}));
  EXPECT_EQ(names("/"), Names{""});
  EXPECT_EQ(names("//"), (Names{"", ""}));
  EXPECT_EQ(names("/a~1b"), Names{"a/b"});
  EXPECT_EQ(names("/m~0n"), Names{"m~n"});
  EXPECT_EQ(names("/~01"), Names{"~1"});
  EXPECT_EQ(names("/ "), Names{" "});
  EXPECT_EQ(JsonPointer("/a~1b").source(), "/a~1b");
}

TEST(JsonPointer, KnowsWhatCanBeAnIndex) {
  const auto index = [](const std::string& token) {
    return JsonPointer("/" + token).tokens().front().index;
  };
  EXPECT_EQ(index("0"), 0U);
  EXPECT_EQ(index("10"), 10U);
  EXPECT_FALSE(index(""));
  EXPECT_FALSE(index("01"));
  EXPECT_FALSE(index("-"));
  EXPECT_FALSE(index("-1"));
  EXPECT_FALSE(index("1a"));
  EXPECT_FALSE(index("99999999999999999999"));
}

TEST(JsonPointer, SaysWhatIsWrong) {
  EXPECT_EQ(error_of("a/b"), "does not begin with '/' (a JSON pointer, as in /data/0/id)");
  EXPECT_EQ(error_of("/a~"), "has a '~' that is not ~0 (for ~) or ~1 (for /)");
  EXPECT_EQ(error_of("/a~2"), "has a '~' that is not ~0 (for ~) or ~1 (for /)");
  std::string deep;
  for (std::size_t level = 0; level < JsonPointer::max_tokens; ++level) {
    deep += "/a";
  }
  EXPECT_EQ(error_of(deep), "");
  EXPECT_EQ(error_of(deep + "/a"), "is deeper than 64 levels");
}

TEST(JsonScalar, IsWhatYamlMeans) {
  using Kind = JsonScalar::Kind;
  const auto kind = [](const std::string& text, bool quoted = false) {
    return JsonScalar::of(text, quoted).kind;
  };
  EXPECT_EQ(kind("null"), Kind::null);
  EXPECT_EQ(kind("true"), Kind::boolean);
  EXPECT_EQ(kind("false"), Kind::boolean);
  EXPECT_EQ(kind("1"), Kind::number);
  EXPECT_EQ(kind("-1.5e3"), Kind::number);
  EXPECT_EQ(kind("subscribed"), Kind::string);
  EXPECT_EQ(kind("1s"), Kind::string);
  EXPECT_EQ(kind("01"), Kind::string);
  EXPECT_EQ(kind(""), Kind::string);
  EXPECT_EQ(kind("True"), Kind::string);
  EXPECT_EQ(kind("1", true), Kind::string);
  EXPECT_EQ(kind("null", true), Kind::string);
  EXPECT_EQ(JsonScalar::of("1.50", false).text, "1.50");
}

TEST(RegularExpression, IsCheckedAndItsGroupsAreKnown) {
  EXPECT_EQ(regular_expression_error("^a(b+)$"), "");
  EXPECT_EQ(regular_expression_error("a(b"), "is no regular expression: missing ): a(b");
  EXPECT_NE(regular_expression_error("(a{1000}){1000}"), "");
  EXPECT_EQ(regular_expression_groups("a(b)(?P<id>c)(?:d)"), (std::vector<std::string>{"", "id"}));
  EXPECT_TRUE(regular_expression_groups("a").empty());
}

}  // namespace
}  // namespace wskeep::config
