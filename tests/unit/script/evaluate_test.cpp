#include "daemon/script/evaluate.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "config/json.hpp"
#include "fixed_scope.hpp"

namespace wskeep::script {
namespace {

using config::Template;
using Kind = Template::Kind;

std::string text(std::string_view source) {
  FixedScope scope;
  scope.variables = {{"name", "Ada \"L\""}, {"id", "7"}, {"empty", ""}, {"bytes", "\xff\xfe"}};
  return value_of(source, scope);
}

std::string json(std::string_view source) {
  FixedScope scope;
  scope.variables = {{"name", "Ada \"L\"\n"}, {"id", "7"},         {"big", "123456789012345678901"},
                     {"object", "{\"a\":1}"}, {"bytes", "\xff"},   {"word", "hunter2"},
                     {"close", "1}"},         {"sum", "1,\"a\":2"}};
  return value_of(source, scope, Kind::json);
}

/// A file of a test's own, gone with this object.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(std::filesystem::temp_directory_path() /
              ("script_test." + std::to_string(::getpid()) + "." + std::to_string(counter++))) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::filesystem::remove(path_); }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  static inline int counter = 0;
  std::filesystem::path path_;
};

TEST(Evaluate, PutsValuesWhereThePlaceholdersStand) {
  EXPECT_EQ(text(""), "");
  EXPECT_EQ(text("a$$b"), "a$b");
  EXPECT_EQ(text("<${name}|${id}|${empty}>"), "<Ada \"L\"|7|>");
  EXPECT_EQ(text("${concat('a', 1, name)}"), "a1Ada \"L\"");
}

TEST(Evaluate, DoesNotReadPlaceholdersInAValue) {
  FixedScope scope;
  scope.variables = {{"a", "${b}$$"}, {"b", "x"}};
  EXPECT_EQ(value_of("${a}", scope), "${b}$$");
}

TEST(Evaluate, ReadsFilesAndEnvironmentEachTime) {
  const TemporaryFile file("one\n");
  ::setenv("WSKEEP_SCRIPT_TEST", "two", 1);
  const std::string source = "${file:" + file.path() + "}|${file('" + file.path() +
                             "')}|${env:WSKEEP_SCRIPT_TEST}|" +
                             "${upper(env('WSKEEP_SCRIPT_TEST'))}";
  EXPECT_EQ(text(source), "one|one|two|TWO");
  std::ofstream(file.path()) << "three";
  ::setenv("WSKEEP_SCRIPT_TEST", "four", 1);
  EXPECT_EQ(text(source), "three|three|four|FOUR");
  ::unsetenv("WSKEEP_SCRIPT_TEST");
  EXPECT_EQ(text("${env:WSKEEP_SCRIPT_TEST}"),
            "error: environment variable 'WSKEEP_SCRIPT_TEST' is not set");
  EXPECT_EQ(text("${file:/none/x}"), "error: file '/none/x': No such file or directory");
}

TEST(Evaluate, TakesTheDefaultForWhatIsNotThere) {
  EXPECT_EQ(text("${default(name, 'x')}"), "Ada \"L\"");
  EXPECT_EQ(text("${default(none, 'x')}"), "x");
  EXPECT_EQ(text("${default(empty, 'x')}"), "x");
  EXPECT_EQ(text("${default(concat('a', none), 'x')}"), "x");
  EXPECT_EQ(text("${default(env('WSKEEP_NOT_SET'), default(file('/none/x'), 'y'))}"), "y");
  EXPECT_EQ(text("${default(none, other)}"), "error: variable 'other' has no value yet");
  // Only what is missing: a fault stays one, so that no message goes out without its signature.
  EXPECT_EQ(text("${default(base64_decode('?'), 'x')}"),
            "error: base64_decode() was given what is not base64");
  EXPECT_EQ(text("${default(file('/'), 'x')}"), "error: file '/': is a directory");
}

TEST(Evaluate, AddsWholeNumbers) {
  EXPECT_EQ(text("${add(id, -8)}"), "-1");
  EXPECT_EQ(text("${add(time_s(), 120)}"), "1709210216");
  EXPECT_EQ(text("${add(9223372036854775807, -1)}"), "9223372036854775806");
  EXPECT_EQ(text("${add(9223372036854775807, 1)}"), "error: add() comes to more than 64 bits hold");
  EXPECT_EQ(text("${add(name, 1)}"),
            "error: add() needs whole numbers of 64 bits, and its first argument is none");
  EXPECT_EQ(text("${add(1, '')}"),
            "error: add() needs whole numbers of 64 bits, and its second argument is none");
  EXPECT_EQ(text("${add(1, '1.5')}"),
            "error: add() needs whole numbers of 64 bits, and its second argument is none");
}

TEST(Evaluate, TakesTheGreaterNumber) {
  EXPECT_EQ(text("${max(id, 30)} ${max(id, -8)}"), "30 7");
  EXPECT_EQ(text("${max('007', 5)}"), "7");
  EXPECT_EQ(text("${max(name, 1)}"),
            "error: max() needs whole numbers of 64 bits, and its first argument is none");
}

TEST(Evaluate, TellsOneTimeInManyForms) {
  EXPECT_EQ(text("${time_s()} ${time_ms()} ${time_us()}"),
            "1709210096 1709210096789 1709210096789012");
  EXPECT_EQ(text("${time_rfc3339()}"), "2024-02-29T12:34:56.789Z");
  EXPECT_EQ(text("${time_rfc3339(86400)}"), "2024-03-01T12:34:56.789Z");
  EXPECT_EQ(text("${time_rfc3339(-97)}"), "2024-02-29T12:33:19.789Z");
  EXPECT_EQ(text("${time_rfc3339('soon')}"),
            "error: time_rfc3339() needs a whole number of seconds, within 400 years");
  FixedScope early;
  early.now = std::chrono::system_clock::time_point(std::chrono::milliseconds(-1));
  EXPECT_EQ(value_of("${time_rfc3339()} ${time_s()} ${time_ms()}", early),
            "1969-12-31T23:59:59.999Z -1 -1");
  early.now = std::chrono::system_clock::time_point(std::chrono::seconds(5));
  EXPECT_EQ(value_of("${time_rfc3339()}", early), "1970-01-01T00:00:05.000Z");
}

// A clock that goes on with each look at it.
TEST(Evaluate, TakesOneLookAtTheClockForAllOfATemplate) {
  class Ticking : public FixedScope {
   public:
    std::chrono::system_clock::time_point wall_now() const override {
      return now + std::chrono::seconds(looks_++);
    }

   private:
    mutable int looks_ = 0;
  } scope;
  EXPECT_EQ(value_of("${time_s()} ${lower(time_s())}", scope), "1709210096 1709210096");
  EXPECT_EQ(value_of("${time_s()}", scope), "1709210097");
}

TEST(Evaluate, DrawsFromChance) {
  EXPECT_EQ(text("${uuid()}"), "00010203-0405-4607-8809-0a0b0c0d0e0f");
  EXPECT_EQ(text("${random_hex(3)} ${random_hex(1)}"), "000102 03");
  EXPECT_EQ(text("${random_hex(1024)}").size(), 2048U);
}

TEST(Evaluate, Encodes) {
  EXPECT_EQ(text("${hex(bytes)}"), "fffe");
  EXPECT_EQ(text("${base64(bytes)} ${base64url(bytes)}"), "//4= __4");
  EXPECT_EQ(text("${base64_decode('aGk=')}${base64_decode('aGk')}"), "hihi");
  EXPECT_EQ(text("${url('a b/c?d=\\u00e9~-._')}"), "a%20b%2Fc%3Fd%3D%C3%A9~-._");
  EXPECT_EQ(text("${json(name)}"), "Ada \\\"L\\\"");
  EXPECT_EQ(text("${json(bytes)}"),
            "error: json() was given bytes that are not UTF-8; encode them, as with base64()");
  EXPECT_EQ(text("${lower('AbZ\\u00c9')}${upper('abz1')}"), "abz\u00c9ABZ1");
}

TEST(Evaluate, BuildsBinaryMessages) {
  EXPECT_EQ(text("${hex_decode('00fFa0')}"), std::string("\0\xff\xa0", 3));
  EXPECT_EQ(text("${hex_decode('')}|${hex_decode(hex(name))}"), "|Ada \"L\"");
  for (const std::string wrong : {"0", "0x", "g0", " 1", "-1", "+1"}) {
    EXPECT_EQ(text("${hex_decode('" + wrong + "')}"),
              "error: hex_decode() was given what is not hexadecimal")
        << wrong;
  }
  const auto prefix = [](const std::string& kind, std::size_t size) {
    FixedScope scope;
    scope.variables = {{"long", std::string(size, 'x')}};
    const std::string all = value_of("${with_length(long, '" + kind + "')}", scope);
    EXPECT_TRUE(all.starts_with("error") || all.ends_with(scope.variables["long"]));
    return all.starts_with("error") ? all : all.substr(0, all.size() - size);
  };
  EXPECT_EQ(prefix("uint8", 255), "\xff");
  EXPECT_EQ(prefix("uint8", 256), "error: with_length() was given more than 'uint8' can count");
  EXPECT_EQ(prefix("uint16", 258), "\x01\x02");
  EXPECT_EQ(prefix("uint16", 65'536),
            "error: with_length() was given more than 'uint16' can count");
  EXPECT_EQ(prefix("uint32", 65'539), std::string("\0\x01\0\x03", 4));
  // As the table in MQTT 3.1.1, 2.2.3 has them.
  EXPECT_EQ(prefix("varint", 0), std::string(1, '\0'));
  EXPECT_EQ(prefix("varint", 127), "\x7f");
  EXPECT_EQ(prefix("varint", 128), "\x80\x01");
  EXPECT_EQ(prefix("varint", 16'383), "\xff\x7f");
  EXPECT_EQ(prefix("varint", 16'384), "\x80\x80\x01");
}

TEST(Evaluate, EscapesWithinAJsonString) {
  EXPECT_EQ(json(R"({"${name}":"<${name}>"})"), R"({"Ada \"L\"\n":"<Ada \"L\"\n>"})");
  EXPECT_EQ(json(R"("${concat('\u0001', "\\")}")"), R"("\u0001\\")");
  EXPECT_EQ(
      json(R"(["${bytes}"])"),
      "error: variable 'bytes' gives bytes that are not UTF-8, which JSON cannot hold; encode "
      "them, as with base64()");
  EXPECT_EQ(json(R"(["${hex(bytes)}"])"), R"(["ff"])");
}

TEST(Evaluate, TakesOnlyJsonOutsideOfAString) {
  EXPECT_EQ(json(R"({"id":${id},"big":${big},"data":${object}})"),
            R"({"id":7,"big":123456789012345678901,"data":{"a":1}})");
  EXPECT_EQ(json("[${concat('tr','ue')}, ${time_ms()}]"), "[true, 1709210096789]");
  for (const std::string name : {"word", "close", "sum", "bytes"}) {
    EXPECT_EQ(json("{\"a\":${" + name + "}}"),
              "error: variable '" + name +
                  "' gives no JSON value; put the place-holder between quotes where text is meant");
  }
  EXPECT_EQ(json("[${lower('')}]"),
            "error: lower() gives no JSON value; put the place-holder between quotes where text is "
            "meant");
}

TEST(Evaluate, SaysWhatIsMissingAndWhatIsWrong) {
  FixedScope scope;
  const auto missing = [&](std::string_view source) {
    Evaluated evaluated = evaluate(Template(source), scope);
    return std::get<EvaluationError>(evaluated).missing;
  };
  EXPECT_TRUE(missing("${a}"));
  EXPECT_TRUE(missing("${lower(a)}"));
  EXPECT_TRUE(missing("${file:/none/x}"));
  EXPECT_FALSE(missing("${file:/}"));
  EXPECT_FALSE(missing("${add('a', 1)}"));
}

TEST(Evaluate, NeverRepeatsAValueInAnError) {
  FixedScope scope;
  scope.variables = {{"secret", "hunter2"}};
  for (const std::string_view source :
       {"${add(secret, 1)}", "${base64_decode(concat(secret, '?'))}", "${time_rfc3339(secret)}",
        "${jwt_es256(secret, '{}')}", "${jwt_hs256('k', secret)}",
        "${jwt_hs256('k', '{}', secret)}"}) {
    const std::string error = value_of(source, scope);
    EXPECT_TRUE(error.starts_with("error: ")) << source;
    EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
  }
  EXPECT_EQ(value_of("[${secret}]", scope, Kind::json).find("hunter2"), std::string::npos);
}

TEST(Evaluate, IsBounded) {
  FixedScope scope;
  scope.variables = {{"most", std::string(max_value, 'a')},
                     {"half", std::string(max_value / 2 + 1, 'a')},
                     {"more", std::string(max_value + 1, 'a')}};
  const std::string error = "error: the value is longer than 1MiB";
  EXPECT_EQ(value_of("${most}", scope).size(), max_value);
  EXPECT_EQ(value_of("${most}a", scope), error);
  EXPECT_EQ(value_of("${more}", scope), error);
  EXPECT_EQ(value_of("${half}${half}", scope), error);
  EXPECT_EQ(value_of("${concat(half, half)}", scope), error);
  EXPECT_EQ(value_of("${hex(half)}", scope), error);
  EXPECT_EQ(value_of("${sha256(concat(half, half))}", scope), error);
}

/// Texts that are hard on JSON: quotes, backslashes, control characters, brackets, UTF-8 whole and
/// broken, numbers, JSON.
std::string hard_text(std::mt19937& random) {
  static const std::vector<std::string> pieces{"\"",   "\\",   "\n",   std::string(1, '\0'),
                                               "\x1f", "\x7f", "{",    "}",
                                               "[",    "]",    ",",    ":",
                                               "a",    "1",    "-",    "true",
                                               "null", "$",    "${",   "\\u00",
                                               "é",    "\xff", "\xc3", "\xf0\x9f\x98\x80",
                                               " ",    "e5",   "0"};
  std::string text;
  for (auto left = random() % 6; left > 0; --left) {
    text += pieces[random() % pieces.size()];
  }
  return text;
}

TEST(Evaluate, GivesWellFormedJsonWhateverTheValuesAre) {
  const Template message(
      R"({"${a}":"x${b}y","n":${c},"l":[${d},"${concat(a, b)}","\\${json(a)}"],"u":"${uuid()}"})",
      Kind::json);
  std::mt19937 random(4);
  simdjson::dom::parser parser;
  int good = 0;
  for (int round = 0; round < 50'000; ++round) {
    FixedScope scope;
    scope.variables = {{"a", hard_text(random)},
                       {"b", hard_text(random)},
                       {"c", round % 2 == 0 ? "12" : hard_text(random)},
                       {"d", round % 3 == 0 ? "[{}]" : hard_text(random)}};
    const Evaluated evaluated = evaluate(message, scope);
    if (const auto* const text = std::get_if<std::string>(&evaluated)) {
      ++good;
      ASSERT_EQ(parser.parse(*text).error(), simdjson::SUCCESS) << *text;
      std::string_view value;
      ASSERT_EQ(parser.parse(*text).at_key(scope.variables["a"]).get(value), simdjson::SUCCESS);
      ASSERT_EQ(value, "x" + scope.variables["b"] + "y");
    }
  }
  EXPECT_GT(good, 1000);
}

}  // namespace
}  // namespace wskeep::script
