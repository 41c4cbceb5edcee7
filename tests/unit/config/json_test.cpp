#include "config/json.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace wskeep::config {
namespace {

TEST(JsonScanner, TakesWhatRfc8259Allows) {
  for (const std::string text :
       {R"({})", R"([])", R"(null)", R"( true )", R"("")", R"(0)", R"(-0)", R"(1.5e+10)",
        R"(12E-3)", R"({"a":[1,{"b":null}],"c":"\"\\\/\b\f\n\r\t\u00fF"})", "[1 , 2\t,\r\n3]",
        R"([[[]],{}])", "\"\x7f\xc3\xa9\"", R"({"a":1,"a":2})"}) {
    EXPECT_TRUE(is_json(text)) << text;
  }
}

TEST(JsonScanner, StopsAtTheFirstCharacterThatCannotStandThere) {
  const std::vector<std::pair<std::string, std::size_t>> cases{{"", 0},
                                                               {" ", 1},
                                                               {"{", 1},
                                                               {"[1,]", 3},
                                                               {"{\"a\":1,}", 7},
                                                               {"01", 1},
                                                               {"-", 1},
                                                               {"-a", 1},
                                                               {"1.", 2},
                                                               {"1.a", 2},
                                                               {"1e", 2},
                                                               {"1e+", 3},
                                                               {"+1", 0},
                                                               {".5", 0},
                                                               {"nul", 3},
                                                               {"nulL", 3},
                                                               {"true false", 5},
                                                               {"{\"a\" 1}", 5},
                                                               {"{a:1}", 1},
                                                               {"[1}", 2},
                                                               {"{\"a\":1]", 6},
                                                               {"]", 0},
                                                               {"\"a\nb\"", 2},
                                                               {"\"\\x\"", 2},
                                                               {"\"\\u12G4\"", 5},
                                                               {"\"a", 2},
                                                               {"1 2", 2},
                                                               {"[1 2]", 3},
                                                               {"{\"a\":}", 5},
                                                               {"'a'", 0},
                                                               {"[,1]", 1},
                                                               {"{,}", 1},
                                                               {"\xEF\xBB\xBF{}", 0}};
  for (const auto& [text, at] : cases) {
    JsonScanner scanner;
    EXPECT_EQ(scanner.take(text), at) << text;
    EXPECT_FALSE(at == text.size() && scanner.complete()) << text;
  }
}

TEST(JsonScanner, TakesOneThousandLevelsAndNoMore) {
  const std::size_t most = JsonScanner::max_depth;
  EXPECT_TRUE(is_json(std::string(most, '[') + std::string(most, ']')));
  EXPECT_FALSE(is_json(std::string(most + 1, '[') + std::string(most + 1, ']')));
}

TEST(JsonScanner, KeepsArraysAndObjectsApartAtEachLevel) {
  std::string text;
  std::string ends;
  for (int level = 0; level < 300; ++level) {
    const bool object = level % 3 == 0;
    text += object ? R"({"a":)" : "[";
    ends.insert(0, 1, object ? '}' : ']');
  }
  EXPECT_TRUE(is_json(text + "1" + ends));
  for (const std::size_t level : {0U, 63U, 64U, 65U, 299U}) {
    std::string wrong = ends;
    wrong[level] = wrong[level] == '}' ? ']' : '}';
    EXPECT_FALSE(is_json(text + "1" + wrong)) << level;
  }
}

TEST(JsonScanner, TakesAValueThatIsNotSeenWhereOneCanStand) {
  const auto taken = [](const std::string& before, const std::string& after) {
    JsonScanner scanner;
    return scanner.take(before) == before.size() && scanner.take_value() &&
           scanner.take(after) == after.size() && scanner.complete();
  };
  EXPECT_TRUE(taken("", ""));
  EXPECT_TRUE(taken("{\"a\":", "}"));
  EXPECT_TRUE(taken("[", ",1]"));
  EXPECT_TRUE(taken("[1, ", " ]"));
  EXPECT_FALSE(taken("{", ":1}"));
  EXPECT_FALSE(taken("[1", "]"));
  EXPECT_FALSE(taken("-", ""));
  EXPECT_FALSE(taken("\"", "\""));
  EXPECT_FALSE(taken("[", "1]"));
}

TEST(AppendJsonEscaped, EscapesQuotesBackslashesAndControlCharacters) {
  std::string text = "<";
  append_json_escaped(text, std::string_view("\"\\/\b\n\r\t\0\x1f\x7f\xc3\xa9", 12));
  EXPECT_EQ(text, "<\\\"\\\\/\\u0008\\n\\r\\t\\u0000\\u001f\x7f\xc3\xa9");
}

}  // namespace
}  // namespace wskeep::config
