#include "daemon/script/evaluate.hpp"

#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "config/json.hpp"
#include "daemon/script/encoding.hpp"
#include "daemon/script/functions.hpp"
#include "daemon/script/signature.hpp"

namespace wskeep::script {
namespace {

using config::Expression;
using config::Template;

/// The values of a call's arguments, wiped when they are done with.
class Arguments {
 public:
  explicit Arguments(std::size_t count) { values_.reserve(count); }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  ~Arguments() {
    for (std::string& value : values_) {
      wipe(value);
    }
  }

  /// False when they come to too much.
  [[nodiscard]] bool add(std::string value) {
    size_ += value.size();
    values_.push_back(std::move(value));
    return size_ <= max_value;
  }

  [[nodiscard]] const std::vector<std::string>& values() const noexcept { return values_; }

 private:
  std::vector<std::string> values_;
  std::size_t size_ = 0;
};

EvaluationError too_long() {
  return {.text = "the value is longer than 1MiB"};
}

class Evaluator {
 public:
  explicit Evaluator(Scope& scope) : scope_(scope), now_(scope.wall_now()) {}

  Evaluated evaluate(const Template& what) {
    std::string result;
    for (const Template::Part& part : what.parts()) {
      if (const auto* const literal = std::get_if<std::string>(&part)) {
        result += *literal;
      } else if (auto error = append(result, std::get<Template::Placeholder>(part))) {
        wipe(result);
        return std::move(*error);
      }
      if (result.size() > max_value) {
        wipe(result);
        return too_long();
      }
    }
    return result;
  }

 private:
  std::optional<EvaluationError> append(std::string& result,
                                        const Template::Placeholder& placeholder) {
    Evaluated evaluated = value(placeholder.expression);
    if (auto* const error = std::get_if<EvaluationError>(&evaluated)) {
      return std::move(*error);
    }
    std::string& text = std::get<std::string>(evaluated);
    auto error = append(result, text, placeholder);
    wipe(text);
    return error;
  }

  static std::optional<EvaluationError> append(std::string& result, std::string_view text,
                                               const Template::Placeholder& placeholder) {
    switch (placeholder.place) {
      case Template::Place::text:
        result += text;
        return std::nullopt;
      case Template::Place::json_string:
        if (!is_utf8(text)) {
          return EvaluationError{.text = name(placeholder.expression) +
                                         " gives bytes that are not UTF-8, which JSON cannot hold; "
                                         "encode them, as with base64()"};
        }
        config::append_json_escaped(result, text);
        return std::nullopt;
      case Template::Place::json_value:
        if (config::is_json(text) && is_utf8(text)) {
          result += text;
          return std::nullopt;
        }
        return EvaluationError{.text = name(placeholder.expression) +
                                       " gives no JSON value; put the place-holder between quotes "
                                       "where text is meant"};
    }
    return std::nullopt;
  }

  Evaluated value(const Expression& expression) {
    switch (expression.kind) {
      case Expression::Kind::variable: {
        const auto found = scope_.variable(expression.text);
        if (!found) {
          return EvaluationError{.text = name(expression) + " has no value yet", .missing = true};
        }
        return found->size() > max_value ? Evaluated(too_long()) : Evaluated(std::string(*found));
      }
      case Expression::Kind::call:
        return expression.function == config::Function::default_ ? with_default(expression)
                                                                 : call(expression);
      default:
        return expression.text;
    }
  }

  // The other value is asked for only when it is needed: it may have none either.
  Evaluated with_default(const Expression& expression) {
    Evaluated first = value(expression.arguments[0]);
    const auto* const error = std::get_if<EvaluationError>(&first);
    const bool other = error != nullptr ? error->missing : std::get<std::string>(first).empty();
    return other ? value(expression.arguments[1]) : first;
  }

  Evaluated call(const Expression& expression) {
    Arguments arguments(expression.arguments.size());
    for (const Expression& argument : expression.arguments) {
      Evaluated evaluated = value(argument);
      if (std::holds_alternative<EvaluationError>(evaluated)) {
        return evaluated;
      }
      if (!arguments.add(std::get<std::string>(std::move(evaluated)))) {
        return too_long();
      }
    }
    Evaluated result = call_function(
        expression.function, {.arguments = arguments.values(), .now = now_, .scope = scope_});
    if (auto* const error = std::get_if<EvaluationError>(&result)) {
      if (!names_itself(expression)) {
        error->text.insert(0, name(expression) + " ");
      }
      return result;
    }
    return std::get<std::string>(result).size() > max_value ? Evaluated(too_long()) : result;
  }

  /// Whether its error is a whole sentence.
  static bool names_itself(const Expression& call) {
    return call.function == config::Function::env || call.function == config::Function::file ||
           call.function == config::Function::credential;
  }

  static std::string name(const Expression& expression) {
    switch (expression.kind) {
      case Expression::Kind::variable:
        return "variable '" + expression.text + "'";
      case Expression::Kind::call:
        return expression.text + "()";
      default:
        return "a value";
    }
  }

  Scope& scope_;
  std::chrono::system_clock::time_point now_;
};

}  // namespace

Evaluated evaluate(const Template& what, Scope& scope) {
  return Evaluator(scope).evaluate(what);
}

}  // namespace wskeep::script
