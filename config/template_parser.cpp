#include "config/template_parser.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <vector>

#include "config/suggest.hpp"
#include "config/template_function.hpp"

namespace wskeep::config {
namespace {

constexpr std::size_t longest_name = 64;

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// UTF-8; false for half a surrogate pair and what is no code point.
bool append_code_point(std::string& to, unsigned code) {
  const auto byte = [&](unsigned value) {
    to += static_cast<char>(static_cast<unsigned char>(value));
  };
  if (code < 0x80) {
    byte(code);
  } else if (code < 0x800) {
    byte(0xC0U | code >> 6U);
    byte(0x80U | (code & 0x3FU));
  } else if (code < 0xD800 || (code > 0xDFFF && code < 0x10000)) {
    byte(0xE0U | code >> 12U);
    byte(0x80U | (code >> 6U & 0x3FU));
    byte(0x80U | (code & 0x3FU));
  } else {
    return false;
  }
  return true;
}

class Parser {
 public:
  Parser(std::string_view source, std::size_t at) : source_(source), start_(at), at_(at + 2) {}

  Expression placeholder() {
    Expression expression;
    if (source_.substr(at_).starts_with("env:")) {
      expression = source("env", 4);
    } else if (source_.substr(at_).starts_with("file:")) {
      expression = source("file", 5);
    } else if (source_.substr(at_).starts_with("credential:")) {
      expression = source("credential", 11);
    } else {
      expression = value(0);
      skip_space();
      if (next() != '}') {
        fail_at_end("'}' is expected here: a place-holder holds one name or one call");
      }
    }
    ++at_;
    return expression;
  }

  [[nodiscard]] std::size_t at() const noexcept { return at_; }

 private:
  /// `env:NAME`, `file:PATH` or `credential:NAME`, up to the `}`, just as Text reads it.
  Expression source(std::string_view name, std::size_t prefix) {
    const std::size_t begin = at_ + prefix;
    const std::size_t end = source_.find('}', begin);
    if (end == std::string_view::npos) {
      fail_unclosed();
    }
    Expression argument{.offset = begin, .text = std::string(source_.substr(begin, end - begin))};
    if (const std::size_t dollar = argument.text.find('$'); dollar != std::string::npos) {
      throw TemplateError(begin + dollar, "a place-holder cannot hold another, nor a dollar sign");
    }
    const FunctionShape& shape = *find_function(name);
    Expression call{.kind = Expression::Kind::call,
                    .function = shape.function,
                    .offset = at_,
                    .text = std::string(name)};
    call.arguments.push_back(std::move(argument));
    check_call(call, shape);
    at_ = end;
    return call;
  }

  Expression value(std::size_t depth) {
    skip_space();
    const char c = next();
    if (c == '\'' || c == '"') {
      return quoted(c);
    }
    if (is_digit(c) || c == '-') {
      return number();
    }
    const std::size_t begin = at_;
    const std::string_view name = take_name();
    if (name.empty()) {
      fail_at_end("a name, a function, a number or a text in quotes is expected here");
    }
    skip_space();
    if (next() == '(') {
      return call(name, begin, depth);
    }
    if (name == "env" || name == "file" || name == "credential") {
      const std::string text(name);
      throw TemplateError(begin, "write ${" + text + ":...} for a whole place-holder, or " + text +
                                     "('...') within a function");
    }
    return {.kind = Expression::Kind::variable, .offset = begin, .text = std::string(name)};
  }

  Expression call(std::string_view name, std::size_t begin, std::size_t depth) {
    const FunctionShape* const shape = find_function(name);
    if (shape == nullptr) {
      throw TemplateError(begin, unknown_function(name));
    }
    if (depth == Template::max_depth) {
      throw TemplateError(begin, "calls stand within calls more than " +
                                     std::to_string(Template::max_depth) +
                                     " deep; keep a part in a variable");
    }
    Expression call{.kind = Expression::Kind::call,
                    .function = shape->function,
                    .offset = begin,
                    .text = std::string(name)};
    ++at_;
    skip_space();
    if (next() != ')') {
      read_arguments(call, depth);
    }
    ++at_;
    check_call(call, *shape);
    return call;
  }

  void read_arguments(Expression& call, std::size_t depth) {
    for (;;) {
      call.arguments.push_back(value(depth + 1));
      skip_space();
      if (next() == ')') {
        return;
      }
      if (next() != ',') {
        fail_at_end("',' or ')' is expected here");
      }
      ++at_;
    }
  }

  Expression quoted(char quote) {
    Expression expression{.offset = at_};
    ++at_;
    for (;;) {
      if (at_ == source_.size()) {
        throw TemplateError(expression.offset, "a text in quotes is not closed");
      }
      const char c = source_[at_++];
      if (c == quote) {
        return expression;
      }
      if (c == '\\') {
        read_escape(expression.text);
      } else {
        expression.text += c;
      }
    }
  }

  void read_escape(std::string& text) {
    const std::size_t begin = at_ - 1;
    const char c = next();
    ++at_;
    switch (c) {
      case '\\':
      case '\'':
      case '"':
        text += c;
        return;
      case 'n':
        text += '\n';
        return;
      case 'r':
        text += '\r';
        return;
      case 't':
        text += '\t';
        return;
      case 'u':
        if (read_code_point(text)) {
          return;
        }
        [[fallthrough]];
      default:
        throw TemplateError(
            begin,
            "unknown escape in quotes; allowed: \\\\, \\', \\\", \\n, \\r, \\t and \\uXXXX "
            "with four hexadecimal digits");
    }
  }

  bool read_code_point(std::string& text) {
    const std::string_view digits = source_.substr(std::min(at_, source_.size()), 4);
    unsigned code = 0;
    const char* const end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, code, 16);
    at_ += digits.size();
    return digits.size() == 4 && error == std::errc() && rest == end &&
           append_code_point(text, code);
  }

  Expression number() {
    const std::size_t begin = at_;
    at_ += next() == '-' ? 1 : 0;
    while (is_digit(next()) || is_name_character(next()) || next() == '.') {
      ++at_;
    }
    const std::string_view text = source_.substr(begin, at_ - begin);
    std::int64_t value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || rest != text.data() + text.size()) {
      throw TemplateError(begin,
                          "a number is whole and fits 64 bits; write anything else in quotes");
    }
    return {.kind = Expression::Kind::number, .offset = begin, .text = std::to_string(value)};
  }

  std::string_view take_name() {
    const std::size_t begin = at_;
    while (is_name_character(next())) {
      ++at_;
    }
    if (at_ - begin > longest_name) {
      throw TemplateError(begin,
                          "a name is at most " + std::to_string(longest_name) + " characters long");
    }
    return source_.substr(begin, at_ - begin);
  }

  static bool is_name_character(char c) {
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }

  static std::string unknown_function(std::string_view name) {
    std::vector<std::string_view> names;
    for (const FunctionShape& shape : functions()) {
      names.push_back(shape.name);
    }
    return "unknown function '" + std::string(name) + "'" + suggestion(name, names) +
           "; allowed: " + joined(names, "and");
  }

  /// What is at hand; '\0' at the end, where nothing else than the end is looked for.
  [[nodiscard]] char next() const noexcept { return at_ < source_.size() ? source_[at_] : '\0'; }

  void skip_space() {
    while (is_space(next())) {
      ++at_;
    }
  }

  [[noreturn]] void fail_unclosed() const {
    throw TemplateError(start_, "a place-holder '${' is not closed; '$$' stands for a dollar sign");
  }

  [[noreturn]] void fail_at_end(const std::string& message) const {
    if (at_ >= source_.size()) {
      fail_unclosed();
    }
    throw TemplateError(at_, message);
  }

  std::string_view source_;
  std::size_t start_;
  std::size_t at_;
};

}  // namespace

Expression parse_placeholder(std::string_view source, std::size_t& at) {
  Parser parser(source, at);
  Expression expression = parser.placeholder();
  at = parser.at();
  return expression;
}

}  // namespace wskeep::config
