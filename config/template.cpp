#include "config/template.hpp"

#include <algorithm>

#include "config/characters.hpp"
#include "config/json.hpp"
#include "config/source.hpp"
#include "config/suggest.hpp"
#include "config/template_function.hpp"
#include "config/template_parser.hpp"
#include "config/text.hpp"

namespace wskeep::config {
namespace {

/// Puts the parts together, and follows the JSON that they are to be.
class Builder {
 public:
  Builder(std::string_view source, Template::Kind kind)
      : source_(source), json_(kind == Template::Kind::json) {}

  std::vector<Template::Part> build() {
    for (std::size_t at = 0; at < source_.size();) {
      const std::string_view rest = source_.substr(at);
      if (rest.starts_with("${")) {
        at = add_placeholder(at);
      } else {
        add_literal(at, rest.front());
        at += rest.starts_with("$$") ? 2 : 1;
      }
    }
    if (json_ && !scanner_.complete()) {
      throw TemplateError(source_.size(), "the JSON is not complete: " +
                                              std::string(scanner_.expected()) + " is missing");
    }
    end_literal();
    return std::move(parts_);
  }

 private:
  std::size_t add_placeholder(std::size_t at) {
    const std::size_t begin = at;
    Template::Placeholder placeholder{.expression = parse_placeholder(source_, at)};
    placeholder.place = place(begin);
    end_literal();
    parts_.emplace_back(std::move(placeholder));
    return at;
  }

  Template::Place place(std::size_t offset) {
    if (!json_) {
      return Template::Place::text;
    }
    if (scanner_.in_string()) {
      return Template::Place::json_string;
    }
    if (scanner_.in_escape()) {
      throw TemplateError(offset, "a place-holder cannot stand within an escape of a JSON string");
    }
    if (!scanner_.take_value()) {
      throw TemplateError(
          offset, "a place-holder cannot stand here in JSON: " + std::string(scanner_.expected()) +
                      " is expected; put it between quotes, or where a value stands");
    }
    return Template::Place::json_value;
  }

  void add_literal(std::size_t offset, char c) {
    if (json_ && !scanner_.take(c)) {
      throw TemplateError(
          offset, "this is no JSON: " + std::string(scanner_.expected()) + " is expected here");
    }
    literal_ += c;
  }

  void end_literal() {
    if (!literal_.empty()) {
      parts_.emplace_back(std::move(literal_));
      literal_.clear();
    }
  }

  std::string_view source_;
  bool json_;
  JsonScanner scanner_;
  std::string literal_;
  std::vector<Template::Part> parts_;
};

/// Calls `visit` for each expression, those within others behind them.
template <typename Visit>
void for_each(const Expression& expression, Visit& visit) {
  if (visit(expression)) {
    for (const Expression& argument : expression.arguments) {
      for_each(argument, visit);
    }
  }
}

template <typename Visit>
void for_each(const std::vector<Template::Part>& parts, Visit visit) {
  for (const Template::Part& part : parts) {
    if (const auto* const placeholder = std::get_if<Template::Placeholder>(&part)) {
      for_each(placeholder->expression, visit);
    }
  }
}

/// Of an environment variable, a file or a credential; nothing for all else. Throws TextError.
std::optional<std::string> value_of_source(const Expression& expression) {
  if (expression.kind != Expression::Kind::call) {
    return std::nullopt;
  }
  switch (expression.function) {
    case Function::env:
      return read_environment(expression.arguments.front().text);
    case Function::file:
      return read_value_file(expression.arguments.front().text);
    case Function::credential:
      return read_credential(expression.arguments.front().text);
    default:
      return std::nullopt;
  }
}

std::string unknown_variable(const std::string& name, std::span<const std::string_view> known) {
  if (find_function(name) != nullptr) {
    return "'" + name + "' is a function: it is written " + std::string(find_function(name)->usage);
  }
  return "unknown variable '" + name + "'" + suggestion(name, known) +
         (known.empty() ? "; there are none here" : "; known here: " + joined(known, "and"));
}

}  // namespace

Template::Template(std::string_view source, Kind kind) : source_(source), kind_(kind) {
  if (source.size() > max_size) {
    throw TemplateError(max_size, "a template is at most 64KiB long");
  }
  if (kind == Kind::json) {
    const std::size_t bad = first_not_text(source);
    if (bad != source.size()) {
      throw TemplateError(bad, "JSON is UTF-8 text without control characters");
    }
  }
  parts_ = Builder(source, kind).build();
}

void Template::check_variables(std::span<const std::string_view> known) const {
  for_each(parts_, [&](const Expression& expression) {
    if (expression.kind == Expression::Kind::variable &&
        std::ranges::find(known, expression.text) == known.end()) {
      throw TemplateError(expression.offset, unknown_variable(expression.text, known));
    }
    return true;
  });
}

void Template::check_sources() const {
  for_each(parts_, [](const Expression& expression) {
    if (expression.kind != Expression::Kind::call) {
      return true;
    }
    try {
      static_cast<void>(value_of_source(expression));
    } catch (const TextError& error) {
      throw TemplateError(expression.offset, error.what());
    }
    return expression.function != Function::default_;
  });
}

std::optional<std::string> Template::text_now() const {
  std::string text;
  for (const Part& part : parts_) {
    if (const auto* const literal = std::get_if<std::string>(&part)) {
      text += *literal;
      continue;
    }
    const Expression& expression = std::get<Placeholder>(part).expression;
    try {
      const std::optional<std::string> value = value_of_source(expression);
      if (!value) {
        return std::nullopt;
      }
      text += *value;
    } catch (const TextError& error) {
      throw TemplateError(expression.offset, error.what());
    }
  }
  return text;
}

std::vector<std::string_view> Template::variables() const {
  std::vector<std::string_view> names;
  for_each(parts_, [&](const Expression& expression) {
    if (expression.kind == Expression::Kind::variable &&
        std::ranges::find(names, expression.text) == names.end()) {
      names.emplace_back(expression.text);
    }
    return true;
  });
  return names;
}

bool Template::constant() const noexcept {
  return std::ranges::none_of(
      parts_, [](const Part& part) { return std::holds_alternative<Placeholder>(part); });
}

}  // namespace wskeep::config
