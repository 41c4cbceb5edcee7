#include "config/message_rule.hpp"

#include <algorithm>

#include "config/json.hpp"
#include "config/regular_expression.hpp"

namespace wskeep::config {

JsonScalar JsonScalar::of(std::string_view text, bool quoted) {
  if (quoted) {
    return {Kind::string, std::string(text)};
  }
  if (text == "null") {
    return {Kind::null, "null"};
  }
  if (text == "true" || text == "false") {
    return {Kind::boolean, std::string(text)};
  }
  const bool number = !text.empty() &&
                      (text.front() == '-' || (text.front() >= '0' && text.front() <= '9')) &&
                      text.find_first_of(" \t\r\n") == std::string_view::npos && is_json(text);
  return {number ? Kind::number : Kind::string, std::string(text)};
}

std::string regular_expression_error(const std::string& pattern, bool bytes) {
  const re2::RE2 expression(pattern, regular_expression_options(bytes));
  return expression.ok() ? "" : "is no regular expression: " + expression.error();
}

std::vector<std::string> regular_expression_groups(const std::string& pattern) {
  const re2::RE2 expression(pattern, regular_expression_options());
  std::vector<std::string> names(
      static_cast<std::size_t>(std::max(0, expression.NumberOfCapturingGroups())));
  for (const auto& [name, number] : expression.NamedCapturingGroups()) {
    names[static_cast<std::size_t>(number) - 1] = name;
  }
  return names;
}

}  // namespace wskeep::config
