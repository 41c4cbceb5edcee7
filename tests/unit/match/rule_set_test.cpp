#include "match/rule_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "match/decimal.hpp"
#include "match/prefilter.hpp"
#include "match/search.hpp"

namespace wskeep::match {
namespace {

using config::JsonPointer;
using config::JsonScalar;
using config::MessageRule;

constexpr std::uint8_t text_opcode = 1;
constexpr std::uint8_t binary_opcode = 2;

Message message(std::string_view text, std::uint8_t opcode = text_opcode) {
  return {.opcode = opcode, .payload = std::as_bytes(std::span(text))};
}

JsonScalar plain(const std::string& text) {
  return JsonScalar::of(text, false);
}
JsonScalar quoted(const std::string& text) {
  return JsonScalar::of(text, true);
}

MessageRule equal(const std::string& pointer, std::vector<JsonScalar> values) {
  MessageRule rule;
  rule.json.emplace_back(JsonPointer(pointer), std::move(values));
  return rule;
}

bool matches(const MessageRule& rule, const Message& subject) {
  JsonReader reader;
  RuleSet rules(std::span(&rule, 1));
  return !rules.match(subject, reader).empty();
}

bool matches(const MessageRule& rule, std::string_view text) {
  return matches(rule, message(text));
}

TEST(RuleSet, MatchesEverythingWithoutConditions) {
  EXPECT_TRUE(matches(MessageRule(), "no JSON"));
  EXPECT_TRUE(matches(MessageRule(), ""));
  EXPECT_TRUE(matches(MessageRule(), message("\xff", binary_opcode)));
}

TEST(RuleSet, MatchesTheOpcode) {
  MessageRule rule;
  rule.opcode = MessageRule::Opcode::text;
  EXPECT_TRUE(matches(rule, message("a", text_opcode)));
  EXPECT_FALSE(matches(rule, message("a", binary_opcode)));
  rule.opcode = MessageRule::Opcode::binary;
  EXPECT_FALSE(matches(rule, message("a", text_opcode)));
  EXPECT_TRUE(matches(rule, message("a", binary_opcode)));
}

TEST(RuleSet, ComparesStringsExactly) {
  const MessageRule rule = equal("/event", {plain("subscribed")});
  EXPECT_TRUE(matches(rule, R"({"event":"subscribed"})"));
  EXPECT_TRUE(matches(rule, " { \"a\" : [{}, 1] ,\n\"event\" :\t\"subscribed\" } "));
  EXPECT_TRUE(matches(rule, R"({"ev\u0065nt":"sub\u0073cribed"})"));
  EXPECT_FALSE(matches(rule, R"({"event":"Subscribed"})"));
  EXPECT_FALSE(matches(rule, R"({"event":"subscribed "})"));
  EXPECT_FALSE(matches(rule, R"({"x":{"event":"subscribed"}})"));
  EXPECT_FALSE(matches(rule, R"({"event":"error","x":"subscribed"})"));
  EXPECT_FALSE(matches(rule, R"(["event","subscribed"])"));
  EXPECT_FALSE(matches(rule, R"("subscribed")"));
  EXPECT_TRUE(matches(equal("/a", {plain("x/é\"")}), R"({"a":"x\/\u00e9\""})"));
  EXPECT_TRUE(matches(equal("/a", {quoted("")}), R"({"a":""})"));
  EXPECT_TRUE(matches(equal("", {plain("pong")}), R"( "pong" )"));
  EXPECT_TRUE(matches(equal("", {plain("pong")}), R"("p\u006fng")"));
}

TEST(RuleSet, ComparesNumbersByTheirValue) {
  const MessageRule rule = equal("/op", {plain("10")});
  for (const std::string same : {"10", "10.0", "1e1", "1E+1", "100e-1", "0.1e2", " 10 "}) {
    EXPECT_TRUE(matches(rule, "{\"op\":" + same + "}")) << same;
  }
  for (const std::string other :
       {"1", "100", "-10", "10.5", "\"10\"", "null", "[10]", "{\"op\":10}"}) {
    EXPECT_FALSE(matches(rule, "{\"op\":" + other + "}")) << other;
  }
  EXPECT_TRUE(matches(equal("/0", {plain("0")}), "[-0]"));
  EXPECT_TRUE(matches(equal("/a", {plain("0")}), "{\"a\":-0.0}"));
  EXPECT_TRUE(matches(equal("/a", {plain("-0")}), "{\"a\":0}"));
  // Beyond what a double or 64 bits tell apart.
  const MessageRule large = equal("/id", {plain("9007199254740993")});
  EXPECT_TRUE(matches(large, "{\"id\":9007199254740993}"));
  EXPECT_FALSE(matches(large, "{\"id\":9007199254740992}"));
  EXPECT_TRUE(matches(equal("/id", {plain("123456789012345678901234567890")}),
                      "{\"id\":123456789012345678901234567890}"));
  EXPECT_TRUE(matches(equal("/a", {plain("1")}), "{\"a\":1,\"b\":123456789012345678901234567890}"));
}

TEST(RuleSet, ComparesTheOtherScalars) {
  EXPECT_TRUE(matches(equal("/a", {plain("true")}), R"({"a": true })"));
  EXPECT_FALSE(matches(equal("/a", {plain("true")}), R"({"a":false})"));
  EXPECT_FALSE(matches(equal("/a", {plain("true")}), R"({"a":"true"})"));
  EXPECT_FALSE(matches(equal("/a", {quoted("true")}), R"({"a":true})"));
  EXPECT_TRUE(matches(equal("/a", {plain("null")}), R"({"a":null})"));
  EXPECT_FALSE(matches(equal("/a", {plain("null")}), R"({"b":null})"));
}

TEST(RuleSet, TakesAnyOfSeveralValues) {
  const MessageRule rule = equal("/op", {plain("7"), plain("bye"), plain("null")});
  EXPECT_TRUE(matches(rule, R"({"op":7})"));
  EXPECT_TRUE(matches(rule, R"({"op":"bye"})"));
  EXPECT_TRUE(matches(rule, R"({"op":null})"));
  EXPECT_FALSE(matches(rule, R"({"op":8})"));
  EXPECT_FALSE(matches(rule, R"({"op":"7"})"));
  const MessageRule strings = equal("/op", {plain("hello"), plain("bye")});
  EXPECT_TRUE(matches(strings, R"({"op":"bye"})"));
  EXPECT_FALSE(matches(strings, R"({"op":"by"})"));
}

// RFC 6901, section 5.
TEST(RuleSet, FollowsPointers) {
  const std::string text = R"({"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,)"
                           R"("i\\j":5,"k\"l":6," ":7,"m~n":8,"0":{"1":9}})";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"/foo/0", "bar"}, {"/foo/1", "baz"}, {"/", "0"},     {"/a~1b", "1"},
      {"/c%d", "2"},     {"/e^f", "3"},     {"/g|h", "4"},  {"/i\\j", "5"},
      {"/k\"l", "6"},    {"/ ", "7"},       {"/m~0n", "8"}, {"/0/1", "9"}};
  for (const auto& [pointer, value] : cases) {
    EXPECT_TRUE(matches(equal(pointer, {plain(value)}), text)) << pointer;
  }
  for (const std::string pointer :
       {"/foo/2", "/foo/-", "/foo/00", "/foo/bar", "/foo/0/0", "/x", "/0/2"}) {
    MessageRule rule;
    rule.exists = {JsonPointer(pointer)};
    EXPECT_FALSE(matches(rule, text)) << pointer;
  }
}

TEST(RuleSet, TakesTheFirstOfMembersWithTheSameName) {
  EXPECT_TRUE(matches(equal("/a", {plain("1")}), R"({"a":1,"a":2})"));
  EXPECT_FALSE(matches(equal("/a", {plain("2")}), R"({"a":1,"a":2})"));
  EXPECT_FALSE(matches(equal("/a", {plain("2")}), R"({"\u0061":1,"a":2})"));
}

TEST(RuleSet, AsksForPresenceAndAbsence) {
  MessageRule rule;
  rule.exists = {JsonPointer("/id"), JsonPointer("/data/0")};
  rule.absent = {JsonPointer("/error")};
  EXPECT_TRUE(matches(rule, R"({"id":null,"data":[{}]})"));
  EXPECT_FALSE(matches(rule, R"({"id":null,"data":[]})"));
  EXPECT_FALSE(matches(rule, R"({"data":[1]})"));
  EXPECT_FALSE(matches(rule, R"({"id":1,"data":[1],"error":null})"));
  MessageRule absent;
  absent.absent = {JsonPointer("/a")};
  EXPECT_TRUE(matches(absent, "[]"));
  EXPECT_TRUE(matches(absent, "1"));
  EXPECT_FALSE(matches(absent, "pong"));
  EXPECT_FALSE(matches(absent, ""));
  MessageRule whole;
  whole.exists = {JsonPointer("")};
  EXPECT_TRUE(matches(whole, "null"));
  EXPECT_FALSE(matches(whole, "nul"));
}

TEST(RuleSet, NeverMatchesJsonThatIsMalformedAnywhere) {
  const MessageRule rule = equal("/a", {plain("1")});
  ASSERT_TRUE(matches(rule, R"({"a":1,"b":[2]})"));
  for (const std::string wrong :
       {R"({"a":1,"b":[2})", R"({"a":1,"b":[2]}x)", R"({"a":1,"b":[2]} {})", R"({"a":1 "b":[2]})",
        R"({"a":1,"b":[2],})", R"({"a":1,"b":01})", R"({"a":1,"b":nope})", R"({"a":1,"b":"\x"})",
        R"({"a":1,"b":")", R"({"a":1)", "{\"a\":1,\"b\":\"\xff\"}", "{\"a\":1,\"b\":\"\n\"}"}) {
    EXPECT_FALSE(matches(rule, wrong)) << wrong;
  }
  const std::string deep = std::string(100'000, '[');
  EXPECT_FALSE(matches(rule, "{\"a\":1,\"b\":" + deep));
  EXPECT_FALSE(matches(rule, "{\"a\":1,\"b\":" + deep + std::string(deep.size(), ']') + "}"));
}

// A null pointer and no bytes. The fuzzer found it.
TEST(RuleSet, TakesAMessageWithoutMemory) {
  MessageRule rule;
  rule.absent = {JsonPointer("/a")};
  EXPECT_FALSE(matches(rule, Message{.opcode = text_opcode, .payload = {}}));
}

TEST(RuleSet, ReadsJsonInBinaryMessages) {
  EXPECT_TRUE(matches(equal("/a", {plain("1")}), message(R"({"a":1})", binary_opcode)));
}

TEST(RuleSet, SearchesTextAndBytes) {
  MessageRule rule;
  rule.text = "^seq=(\\d+)(;.*)?$";
  EXPECT_TRUE(matches(rule, "seq=12"));
  EXPECT_FALSE(matches(rule, "seq=x"));
  MessageRule bytes;
  bytes.contains = std::string("\0\xff", 2);
  EXPECT_TRUE(matches(bytes, message(std::string_view("a\0\xff", 3), binary_opcode)));
  EXPECT_FALSE(matches(bytes, message(std::string_view("a\0", 2), binary_opcode)));
}

TEST(RuleSet, TakesAnExpressionForOneOfBytesInBinaryMessages) {
  MessageRule rule;
  rule.text = R"((?s)^\x90.\x00(.))";
  const std::string_view suback("\x90\x03\0\xff\x01", 5);
  EXPECT_FALSE(matches(rule, message(suback, binary_opcode)));
  rule.opcode = MessageRule::Opcode::binary;
  EXPECT_TRUE(matches(rule, message(suback, binary_opcode)));
  EXPECT_FALSE(matches(rule, message("\u0090\x03", binary_opcode)));
  const RuleSet set(std::span(&rule, 1));
  EXPECT_EQ(set.captures(0, message(suback, binary_opcode)).at(1), "\xff");
  // What is beyond ASCII in the expression stands for its bytes.
  rule.text = "caf\u00e9|\xe2\x82";
  EXPECT_TRUE(matches(rule, message("un caf\u00e9", binary_opcode)));
}

TEST(RuleSet, WantsAllConditions) {
  MessageRule rule = equal("/type", {plain("bye")});
  rule.opcode = MessageRule::Opcode::text;
  rule.exists = {JsonPointer("/at")};
  rule.text = "soon|now";
  rule.contains = "!";
  EXPECT_TRUE(matches(rule, R"({"type":"bye","at":"now!"})"));
  EXPECT_FALSE(matches(rule, R"({"type":"by","at":"now!"})"));
  EXPECT_FALSE(matches(rule, R"({"type":"bye","a":"now!"})"));
  EXPECT_FALSE(matches(rule, R"({"type":"bye","at":"later!"})"));
  EXPECT_FALSE(matches(rule, R"({"type":"bye","at":"now"})"));
  EXPECT_FALSE(matches(rule, message(R"({"type":"bye","at":"now!"})", binary_opcode)));
}

TEST(RuleSet, NamesTheRulesThatMatch) {
  const std::vector<MessageRule> rules{equal("/a", {plain("1")}), equal("/b", {plain("1")}),
                                       MessageRule(), equal("/a", {plain("1"), plain("2")})};
  RuleSet set(rules);
  JsonReader reader;
  const auto numbers = [&](std::string_view text) {
    const auto found = set.match(message(text), reader);
    return std::vector<std::uint32_t>(found.begin(), found.end());
  };
  EXPECT_EQ(numbers(R"({"a":1})"), (std::vector<std::uint32_t>{0, 2, 3}));
  EXPECT_EQ(numbers(R"({"a":2,"b":1})"), (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_EQ(numbers(""), std::vector<std::uint32_t>{2});
  EXPECT_TRUE(RuleSet({}).empty());
}

TEST(RuleSet, GivesWhatTheGroupsHold) {
  MessageRule rule;
  rule.text = "seq=(\\d+)(;(\\w+))?";
  const RuleSet set(std::span(&rule, 1));
  using Values = std::vector<std::string>;
  EXPECT_EQ(set.captures(0, message("a seq=12;x b")), (Values{"seq=12;x", "12", ";x", "x"}));
  EXPECT_EQ(set.captures(0, message("seq=12")), (Values{"seq=12", "12", "", ""}));
  EXPECT_EQ(set.captures(0, message("none")), Values());
  const MessageRule without;
  EXPECT_EQ(RuleSet(std::span(&without, 1)).captures(0, message("a")), Values());
}

// What makes engines that go back over the text take hours, or overflow their stack.
TEST(RuleSet, TakesLinearTimeForAnyExpression) {
  MessageRule rule;
  rule.text = "^(a|a|aa)+(.*)*$b";
  EXPECT_FALSE(matches(rule, std::string(1'000'000, 'a')));
}

TEST(RuleSet, RefusesWhatIsNoExpression) {
  MessageRule rule;
  rule.text = "a(";
  EXPECT_THROW(RuleSet(std::span(&rule, 1)), RuleError);
}

TEST(JsonReader, GivesValuesAsTheyAreWritten) {
  const std::string text =
      R"({"s":"a\n\"b\"","n":1.50,"big":123456789012345678901,"t":true,"z":null,)"
      R"("o": {"x" : [1, 2.0] } ,"l":[ 1 ],"e":"","bad":"\ud800"})";
  JsonReader reader;
  reader.open(message(text));
  const auto at = [&](const std::string& pointer) {
    return reader.text_at(JsonPointer(pointer)).value_or("nothing");
  };
  EXPECT_EQ(at("/s"), "a\n\"b\"");
  EXPECT_EQ(at("/n"), "1.50");
  EXPECT_EQ(at("/big"), "123456789012345678901");
  EXPECT_EQ(at("/t"), "true");
  EXPECT_EQ(at("/z"), "null");
  EXPECT_EQ(at("/o"), R"({"x" : [1, 2.0] })");
  EXPECT_EQ(at("/o/x/1"), "2.0");
  EXPECT_EQ(at("/l"), "[ 1 ]");
  EXPECT_EQ(at("/e"), "");
  EXPECT_EQ(at("/bad"), "nothing");
  EXPECT_EQ(at("/none"), "nothing");
  EXPECT_EQ(at(""), text);
  EXPECT_EQ(at("/s"), "a\n\"b\"") << "a second time";
}

TEST(JsonReader, ReadsScalarsThatAreTheWholeMessage) {
  JsonReader reader;
  const auto whole = [&](std::string_view text) {
    reader.open(message(text));
    return reader.text_at(JsonPointer()).value_or("nothing");
  };
  EXPECT_EQ(whole(" 1.0 "), "1.0");
  EXPECT_EQ(whole("\"a\\u0062\""), "ab");
  EXPECT_EQ(whole("null"), "null");
  EXPECT_EQ(whole(""), "nothing");
  EXPECT_EQ(whole("\"a"), "nothing");
  reader.open(message("1"));
  EXPECT_FALSE(reader.text_at(JsonPointer("/0")));
}

TEST(JsonReader, ReadsWhatIsPaddedInPlaceAndCopiesTheRest) {
  const std::string text = R"({"a":"b"})";
  std::string memory = text + std::string(Message::padding, '}');
  JsonReader reader;
  Message in_place = message(std::string_view(memory).substr(0, text.size()));
  for (const bool padded : {true, false}) {
    in_place.padded = padded;
    reader.open(in_place);
    const auto value = reader.find(JsonPointer("/a"));
    ASSERT_TRUE(value);
    const bool inside =
        value->raw.data() > memory.data() && value->raw.data() < memory.data() + memory.size();
    EXPECT_EQ(inside, padded);
    EXPECT_EQ(value->text, "b");
  }
}

TEST(JsonReader, ReadsLargeMessagesAmongSmallOnes) {
  JsonReader reader;
  const std::string large = R"({"a":[)" + std::string(3'000'000, ' ') + R"(1],"b":"end"})";
  for (int round = 0; round < 3; ++round) {
    reader.open(message(large));
    EXPECT_EQ(reader.text_at(JsonPointer("/b")), "end");
    EXPECT_EQ(reader.text_at(JsonPointer("/a/0")), "1");
    reader.open(message(R"({"b":2})"));
    EXPECT_EQ(reader.text_at(JsonPointer("/b")), "2");
  }
}

TEST(Decimal, IsTheSameHoweverItIsWritten) {
  const auto same = [](std::string_view a, std::string_view b) { return Decimal(a) == Decimal(b); };
  EXPECT_TRUE(same("1", "1.0"));
  EXPECT_TRUE(same("0", "-0.000e5"));
  EXPECT_TRUE(same("0.001", "1e-3"));
  EXPECT_TRUE(same("-1200", "-1.2E+3"));
  EXPECT_TRUE(same("0.1", "0.10"));
  EXPECT_TRUE(same("100000000000000000000000", "1e23"));
  EXPECT_FALSE(same("1", "-1"));
  EXPECT_FALSE(same("1", "10"));
  EXPECT_FALSE(same("0.1", "0.01"));
  EXPECT_FALSE(same("1e999999999999999999999", "1e-999999999999999999999"));
  EXPECT_FALSE(same("1e400", "1e401"));
}

TEST(Needle, IsFoundWhereverItStands) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 100, 'a');
    for (char& c : text) {
      c = "ab\""[random() % 3];
    }
    std::string needle(1 + random() % 6, 'a');
    for (char& c : needle) {
      c = "ab\""[random() % 3];
    }
    const std::size_t from = random() % (text.size() + 1);
    ASSERT_EQ(Needle(needle).find(text, from), text.find(needle, from))
        << needle << " in " << text << " from " << from;
  }
  EXPECT_FALSE(Needle("a").in(""));
}

TEST(Prefilter, LetsFewMessagesPass) {
  const auto passes = [](const MessageRule& rule, std::string_view text) {
    Prefilter::Subject subject{.text = text};
    return Prefilter(rule).may_match(subject);
  };
  const MessageRule word = equal("/data/event", {plain("bye")});
  EXPECT_TRUE(passes(word, R"({"data":{"event":"bye"}})"));
  EXPECT_FALSE(passes(word, R"({"data":{"event":"hello"}})"));
  EXPECT_FALSE(passes(word, R"({"event":"bye"})"));
  EXPECT_TRUE(passes(word, R"({"d":"\u0041"})")) << "letters may be escaped in it";
  const MessageRule number = equal("/op", {plain("7")});
  EXPECT_TRUE(passes(number, R"({"op" : 7})"));
  EXPECT_TRUE(passes(number, R"({"op":0.7e1})"));
  EXPECT_TRUE(passes(number, R"({"x":{"op":1},"op":7})"));
  EXPECT_FALSE(passes(number, R"({"op":0})"));
  EXPECT_FALSE(passes(number, R"({"op":70})"));
  EXPECT_FALSE(passes(number, R"({"op":"7"})"));
  EXPECT_FALSE(passes(number, R"(["op",7])"));
  EXPECT_FALSE(passes(equal("/a", {plain("true")}), R"({"a":false})"));
  // What stands between characters that may be escaped.
  const MessageRule part = equal("/a", {plain("\"é/feed/")});
  EXPECT_TRUE(passes(part, R"({"a":"\"é\/feed\/"})"));
  EXPECT_FALSE(passes(part, R"({"a":"\"é\/food\/"})"));
  MessageRule absent;
  absent.absent = {JsonPointer("/a")};
  EXPECT_TRUE(passes(absent, "{}"));
}

// Of many rules the set looks for texts that they need, in one pass; `matches` asks each by itself.
TEST(RuleSet, ManyRulesFindWhatEachFindsByItself) {
  std::vector<MessageRule> all{equal("/op", {plain("ping"), plain("pong")}),
                               equal("/op", {plain("1"), plain("a")}),
                               equal("/n", {plain("1"), plain("true")}),
                               equal("/d/event", {quoted("x")}),
                               equal("/op", {plain("\"\\")}),
                               MessageRule()};
  all.emplace_back().exists = {JsonPointer("/envelope_id")};
  all.emplace_back().absent = {JsonPointer("/op")};
  all.emplace_back().contains = "ping";
  all.emplace_back().contains = "a";
  all.emplace_back().text = "p.ng";
  all.emplace_back().opcode = MessageRule::Opcode::binary;
  const std::vector<std::string> parts{
      R"("op":"ping")", R"("op":"\u0070ong")",  R"("op":1)",          R"("n":1.0)",
      R"("n":true)",    R"("d":{"event":"x"})", R"("envelope_id":0)", R"("op":"a")",
      R"("x":"ping")",  R"("op":"\"\\")"};
  RuleSet together(all);
  JsonReader reader;
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    std::string text = "{";
    for (std::size_t count = random() % 4; count > 0; --count) {
      text += (text.size() > 1 ? "," : "") + parts[random() % parts.size()];
    }
    text += random() % 2 == 0 ? "}" : R"(,"padding":"................................"})";
    const Message subject = message(text, random() % 8 == 0 ? binary_opcode : text_opcode);
    std::vector<std::uint32_t> expected;
    for (std::uint32_t rule = 0; rule < all.size(); ++rule) {
      const RuleSet alone(std::span<const MessageRule>(all).subspan(rule, 1));
      reader.open(subject);
      if (alone.matches(subject, reader)) expected.push_back(rule);
    }
    const auto found = together.match(subject, reader);
    ASSERT_EQ(std::vector(found.begin(), found.end()), expected) << text;
  }
}

}  // namespace
}  // namespace wskeep::match
