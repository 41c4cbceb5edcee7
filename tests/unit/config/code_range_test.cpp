#include "config/code_range.hpp"

#include <gtest/gtest.h>

#include <string>

#include "config/quantity.hpp"

namespace wskeep::config {
namespace {

CodeRange status(const std::string& text) {
  return parse_code_range(text, 100, 599);
}

CodeRange close_code(const std::string& text) {
  return parse_code_range(text, 1000, 4999);
}

template <typename Parse>
std::string error_of(Parse parse, const std::string& text) {
  try {
    static_cast<void>(parse(text));
    return "";
  } catch (const QuantityError& error) {
    return error.what();
  }
}

TEST(CodeRange, TakesCodesClassesAndRanges) {
  EXPECT_EQ(status("503"), (CodeRange{503, 503}));
  EXPECT_EQ(status("100"), (CodeRange{100, 100}));
  EXPECT_EQ(status("4xx"), (CodeRange{400, 499}));
  EXPECT_EQ(status("500-599"), (CodeRange{500, 599}));
  EXPECT_EQ(status("429-429"), (CodeRange{429, 429}));
  EXPECT_EQ(close_code("1008"), (CodeRange{1008, 1008}));
  EXPECT_EQ(close_code("4xxx"), (CodeRange{4000, 4999}));
  EXPECT_EQ(close_code("1000-4999"), (CodeRange{1000, 4999}));
}

TEST(CodeRange, RefusesWhatIsOutside) {
  for (const std::string text : {"000", "099", "600", "0xx", "6xx", "500-600", "050-200"}) {
    EXPECT_EQ(error_of(status, text), "is not within 100 and 599") << text;
  }
  for (const std::string text : {"0999", "5000", "5xxx", "4000-5000"}) {
    EXPECT_EQ(error_of(close_code, text), "is not within 1000 and 4999") << text;
  }
  EXPECT_EQ(error_of(status, "599-500"), "has its ends the wrong way round");
}

TEST(CodeRange, RefusesOtherForms) {
  for (const std::string text :
       {"", "5", "50", "5000", "4x", "4xxx", "40x", "4XX", "xxx", "x03", "500-", "-500", "500-5xx",
        "4xx-5xx", "500-599-600", "500 - 599", "+50", "5.3", "503 "}) {
    EXPECT_EQ(error_of(status, text), "is not a code, a range of codes or a class of them") << text;
  }
  EXPECT_EQ(error_of(close_code, "999"), "is not a code, a range of codes or a class of them");
}

}  // namespace
}  // namespace wskeep::config
