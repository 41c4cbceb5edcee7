#include "config/template.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "config/template_function.hpp"
#include "temporary_folder.hpp"

namespace wskeep::config {
namespace {

using Kind = Template::Kind;
using Place = Template::Place;

struct Fault {
  std::size_t offset = 0;
  std::string message;
};

Fault fault_of(const std::string& source, Kind kind = Kind::text) {
  try {
    static_cast<void>(Template(source, kind));
    return {std::string::npos, "none"};
  } catch (const TemplateError& error) {
    return {error.offset(), error.what()};
  }
}

std::string written(const Expression& expression) {
  switch (expression.kind) {
    case Expression::Kind::text:
      return "'" + expression.text + "'";
    case Expression::Kind::call: {
      std::string all = expression.text + "(";
      for (const Expression& argument : expression.arguments) {
        all += written(argument) + ",";
      }
      return all + ")";
    }
    default:
      return expression.text;
  }
}

/// Literals in [], place-holders in <>.
std::string parts_of(const std::string& source, Kind kind = Kind::text) {
  std::string all;
  const Template parsed(source, kind);
  for (const Template::Part& part : parsed.parts()) {
    if (const auto* const literal = std::get_if<std::string>(&part)) {
      all += "[" + *literal + "]";
    } else {
      all += "<" + written(std::get<Template::Placeholder>(part).expression) + ">";
    }
  }
  return all;
}

TEST(Template, IsItselfWithoutPlaceholders) {
  EXPECT_EQ(parts_of("a $1 {b} }"), "[a $1 {b} }]");
  EXPECT_EQ(parts_of(""), "");
  EXPECT_EQ(parts_of("$$"), "[$]");
  EXPECT_EQ(parts_of("$${a}$$$$"), "[${a}$$]");
  EXPECT_EQ(parts_of("a$"), "[a$]");
  EXPECT_TRUE(Template("$${a}").constant());
  EXPECT_TRUE(Template().empty());
}

TEST(Template, HoldsVariablesAndCalls) {
  EXPECT_EQ(parts_of("a${b}c"), "[a]<b>[c]");
  EXPECT_EQ(parts_of("${ b }${c_1}"), "<b><c_1>");
  EXPECT_EQ(parts_of("${uuid()}"), "<uuid()>");
  EXPECT_EQ(parts_of("${add( -1 ,\n b)}"), "<add(-1,b,)>");
  EXPECT_EQ(parts_of("${concat('a}', \"b'\", lower(c), 007)}"), "<concat('a}','b'',lower(c,),7,)>");
  EXPECT_EQ(parts_of("${hmac_sha256(file('/k'), \"$${x}\")}"),
            "<hmac_sha256(file('/k',),'$${x}',)>");
  EXPECT_FALSE(Template("${a}").constant());
}

TEST(Template, ReadsThePlaceholdersOfText) {
  EXPECT_EQ(parts_of("${env:A_1}|${file:/run/a (b)}"), "<env('A_1',)>[|]<file('/run/a (b)',)>");
}

TEST(Template, ReadsEscapesInQuotes) {
  EXPECT_EQ(parts_of(R"(${concat('\'\"\\\n\r\t\u00e9\u20ac\u0001')})"),
            "<concat(''\"\\\n\r\t\u00e9\u20ac\x01',)>");
}

TEST(Template, KnowsItsVariables) {
  const Template parsed("${b}${a}${concat(b, lower(c), 'd')}");
  EXPECT_EQ(parsed.variables(), (std::vector<std::string_view>{"b", "a", "c"}));
}

TEST(Template, IsEqualWhenTheSameIsWritten) {
  EXPECT_EQ(Template("1${a}"), Template("1${a}"));
  EXPECT_FALSE(Template("1${a}") == Template("1${ a}"));
  EXPECT_FALSE(Template("1") == Template("1", Kind::json));
}

TEST(Template, SaysWhatIsWrongAndWhere) {
  const std::string open = "a place-holder '${' is not closed; '$$' stands for a dollar sign";
  const std::string value = "a name, a function, a number or a text in quotes is expected here";
  const std::string brace = "'}' is expected here: a place-holder holds one name or one call";
  const std::string whole = "a number is whole and fits 64 bits; write anything else in quotes";
  const std::vector<std::pair<std::string, Fault>> cases{
      {"ab${", {2, open}},
      {"ab${c", {2, open}},
      {"ab${env:c", {2, open}},
      {"ab${lower(", {2, open}},
      {"ab${lower(c", {2, open}},
      {"ab${lower(c)", {2, open}},
      {"ab${lower('c)}", {10, "a text in quotes is not closed"}},
      {"ab${lower('c\\", {12, ""}},
      {"${}", {2, value}},
      {"${ -}", {3, whole}},
      {"${?}", {2, value}},
      {"${lower(,)}", {8, value}},
      {"${a b}", {4, brace}},
      {"${a${b}}", {3, brace}},
      {"${lower(a b)}", {10, "',' or ')' is expected here"}},
      {"${12.5}", {2, whole}},
      {"${1a}", {2, whole}},
      {"${add(1, 9223372036854775808)}", {9, whole}},
      {"${env}", {2, "write ${env:...} for a whole place-holder, or env('...') within a function"}},
      {"${env:A B}",
       {6, "env needs a name of letters, digits and _ in quotes; it is written env('NAME')"}},
      {"${env(a)}",
       {6, "env needs a name of letters, digits and _ in quotes; it is written env('NAME')"}},
      {"${file('')}",
       {7, "file needs a path without control characters in quotes; it is written file('PATH')"}},
      {"${file:/a${env:B}}", {9, "a place-holder cannot hold another, nor a dollar sign"}},
      {"${uuid(1)}", {2, "uuid takes no argument, not 1; it is written uuid()"}},
      {"${lower()}", {2, "lower takes 1 argument, not 0; it is written lower(text)"}},
      {"${add(1,2,3)}", {2, "add takes 2 arguments, not 3; it is written add(a, b)"}},
      {"${concat()}",
       {2, "concat takes at least 1 argument, not 0; it is written concat(a, b, ...)"}},
      {"${lower(hmac_sha256(a))}",
       {8,
        "hmac_sha256 takes 2 or 3 arguments, not 1; it is written hmac_sha256(key, text, "
        "'hex')"}},
      {"${hmac_sha256(a, b, 'hexx')}",
       {20,
        "hmac_sha256 needs 'hex', 'base64', 'base64url' or 'raw' as its last argument; it is "
        "written hmac_sha256(key, text, 'hex')"}},
      {"${sha256(a, b)}",
       {12,
        "sha256 needs 'hex', 'base64', 'base64url' or 'raw' as its last argument; it is written "
        "sha256(text, 'hex')"}},
      {"${with_length(a, 'u16')}",
       {17,
        "with_length needs 'uint8', 'uint16', 'uint32' or 'varint' as its last argument; it is "
        "written with_length(text, 'uint16')"}},
      {"${random_hex(0)}",
       {13, "random_hex needs a number from 1 to 1024; it is written random_hex(bytes)"}},
      {"${random_hex(a)}",
       {13, "random_hex needs a number from 1 to 1024; it is written random_hex(bytes)"}},
      {"${concat('a\\x')}",
       {11,
        "unknown escape in quotes; allowed: \\\\, \\', \\\", \\n, \\r, \\t and \\uXXXX with "
        "four hexadecimal digits"}},
      {"${concat('\\u12')}", {10, ""}},
      {"${concat('\\ud83d')}", {10, ""}},
  };
  for (const auto& [source, expected] : cases) {
    const Fault fault = fault_of(source);
    EXPECT_EQ(fault.offset, expected.offset) << source << ": " << fault.message;
    if (!expected.message.empty()) {
      EXPECT_EQ(fault.message, expected.message) << source;
    }
  }
}

TEST(Template, SuggestsTheFunctionThatWasMeant) {
  const Fault fault = fault_of("x${hmac_sha265(a, b)}");
  EXPECT_EQ(fault.offset, 3U);
  EXPECT_TRUE(fault.message.starts_with(
      "unknown function 'hmac_sha265' (did you mean 'hmac_sha256'?); allowed: add, base64, "))
      << fault.message;
}

TEST(Template, NamesUnknownVariables) {
  const std::array<std::string_view, 2> known{"session_id", "sequence"};
  const auto fault = [&](const std::string& source, std::span<const std::string_view> names) {
    try {
      Template(source).check_variables(names);
      return Fault{std::string::npos, ""};
    } catch (const TemplateError& error) {
      return Fault{error.offset(), error.what()};
    }
  };
  EXPECT_EQ(fault("${session_id}${add(sequence, 1)}", known).message, "");
  const Fault wrong = fault("a${lower( sesion_id)}", known);
  EXPECT_EQ(wrong.offset, 10U);
  EXPECT_EQ(wrong.message,
            "unknown variable 'sesion_id' (did you mean 'session_id'?); known here: session_id and "
            "sequence");
  EXPECT_EQ(fault("${x}", {}).message, "unknown variable 'x'; there are none here");
  EXPECT_EQ(fault("${uuid}", known).message, "'uuid' is a function: it is written uuid()");
}

TEST(Template, ChecksFilesAndEnvironmentSaveThoseWithADefault) {
  const TemporaryFolder folder;
  const std::string path = folder.file("key", "k");
  const std::string none = folder.path("none");
  const auto fault = [&](const std::string& source) {
    try {
      Template(source).check_sources();
      return Fault{std::string::npos, ""};
    } catch (const TemplateError& error) {
      return Fault{error.offset(), error.what()};
    }
  };
  ::unsetenv("WSKEEP_TEMPLATE_TEST");
  EXPECT_EQ(fault("${file:" + path + "}${lower(file('" + path + "'))}").message, "");
  EXPECT_EQ(fault("ab${env:WSKEEP_TEMPLATE_TEST}").message,
            "environment variable 'WSKEEP_TEMPLATE_TEST' is not set");
  EXPECT_EQ(fault("ab${env:WSKEEP_TEMPLATE_TEST}").offset, 4U);
  EXPECT_EQ(fault("${lower(file('" + none + "'))}").message,
            "file '" + none + "': No such file or directory");
  EXPECT_EQ(fault("${default(env('WSKEEP_TEMPLATE_TEST'), 'x')}").message, "");
}

TEST(Template, IsBounded) {
  EXPECT_EQ(parts_of(std::string(Template::max_size, 'a')).size(), Template::max_size + 2);
  EXPECT_EQ(fault_of(std::string(Template::max_size + 1, 'a')).message,
            "a template is at most 64KiB long");
  const auto nested = [](std::size_t depth) {
    std::string text = "a";
    for (std::size_t level = 0; level < depth; ++level) {
      text = "lower(" + text + ")";
    }
    return "${" + text + "}";
  };
  EXPECT_EQ(fault_of(nested(Template::max_depth)).message, "none");
  EXPECT_EQ(fault_of(nested(Template::max_depth + 1)).message,
            "calls stand within calls more than 16 deep; keep a part in a variable");
  EXPECT_EQ(fault_of(nested(5'000)).offset, 2U + 6U * Template::max_depth);
  EXPECT_EQ(fault_of("${" + std::string(65, 'a') + "}").message,
            "a name is at most 64 characters long");
}

TEST(JsonTemplate, KnowsWhereItsPlaceholdersStand) {
  const Template parsed(R"({"${a}":${b},"c":"d ${e} \\${f}","g":[${h}, ${i} ]})", Kind::json);
  std::vector<Place> places;
  for (const Template::Part& part : parsed.parts()) {
    if (const auto* const placeholder = std::get_if<Template::Placeholder>(&part)) {
      places.push_back(placeholder->place);
    }
  }
  EXPECT_EQ(places, (std::vector<Place>{Place::json_string, Place::json_value, Place::json_string,
                                        Place::json_string, Place::json_value, Place::json_value}));
  EXPECT_EQ(parts_of("${a}", Kind::json), "<a>");
  EXPECT_EQ(parts_of("\"$${a}$$\"", Kind::json), "[\"${a}$\"]");
}

TEST(JsonTemplate, SaysWhatIsNoJsonAndWhere) {
  const std::vector<std::pair<std::string, Fault>> cases{
      {"{\"a\":1,}", {7, "this is no JSON: a name in double quotes is expected here"}},
      {"{'a':1}", {1, "this is no JSON: a name in double quotes, or '}' is expected here"}},
      {"[1 2]", {3, "this is no JSON: ',' or ']' is expected here"}},
      {"{\"a\":True}", {5, "this is no JSON: a value is expected here"}},
      {"{\"a\":1", {6, "the JSON is not complete: ',' or '}' is missing"}},
      {"{} x", {3, "this is no JSON: the end is expected here"}},
      {"", {0, "the JSON is not complete: a value is missing"}},
      {"[1${a}]",
       {2,
        "a place-holder cannot stand here in JSON: ',' or ']' is expected; put it between "
        "quotes, or where a value stands"}},
      {"[${a}${b}]",
       {5,
        "a place-holder cannot stand here in JSON: ',' or ']' is expected; put it between "
        "quotes, or where a value stands"}},
      {"[${a}1]", {5, "this is no JSON: ',' or ']' is expected here"}},
      {"[-${a}]",
       {2,
        "a place-holder cannot stand here in JSON: a digit is expected; put it between quotes, "
        "or where a value stands"}},
      {"{${a}:1}",
       {1,
        "a place-holder cannot stand here in JSON: a name in double quotes, or '}' is expected; "
        "put it between quotes, or where a value stands"}},
      {"\"\\${a}\"", {2, "a place-holder cannot stand within an escape of a JSON string"}},
      {"\"\\u00${a}\"", {5, "a place-holder cannot stand within an escape of a JSON string"}},
      {"\"\xff\"", {1, "JSON is UTF-8 text without control characters"}},
  };
  for (const auto& [source, expected] : cases) {
    const Fault fault = fault_of(source, Kind::json);
    EXPECT_EQ(fault.offset, expected.offset) << source;
    EXPECT_EQ(fault.message, expected.message) << source;
  }
}

TEST(Functions, AreInOrderAndCanBeFound) {
  std::string last;
  for (const FunctionShape& shape : functions()) {
    EXPECT_LT(last, shape.name);
    EXPECT_EQ(find_function(shape.name), &shape);
    EXPECT_TRUE(shape.usage.starts_with(std::string(shape.name) + "(")) << shape.name;
    last = shape.name;
  }
  EXPECT_EQ(find_function("eval"), nullptr);
}

}  // namespace
}  // namespace wskeep::config
