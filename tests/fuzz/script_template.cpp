// Any text is a template or a TemplateError; what a JSON template comes to is JSON, whatever the
// values are. The first byte says which kind; a line `NAME=VALUE` each gives a variable its value,
// and an empty line ends them. Files and the environment are left alone.

#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/json.hpp"
#include "daemon/script/evaluate.hpp"

namespace {

using namespace wskeep;
using config::Template;

void require(bool holds) {
  if (!holds) std::abort();
}

class FuzzScope : public script::Scope {
 public:
  std::optional<std::string_view> variable(std::string_view name) const override {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  }

  std::chrono::system_clock::time_point wall_now() const override { return {}; }

  void random(std::span<std::byte> bytes) override {
    for (std::byte& byte : bytes) byte = std::byte{0x5A};
  }

  std::map<std::string_view, std::string_view, std::less<>> variables;
};

bool reads_files(const config::Expression& expression) {
  if (expression.kind == config::Expression::Kind::call &&
      (expression.function == config::Function::file ||
       expression.function == config::Function::env)) {
    return true;
  }
  for (const config::Expression& argument : expression.arguments) {
    if (reads_files(argument)) return true;
  }
  return false;
}

bool reads_files(const Template& what) {
  for (const Template::Part& part : what.parts()) {
    const auto* const placeholder = std::get_if<Template::Placeholder>(&part);
    if (placeholder != nullptr && reads_files(placeholder->expression)) return true;
  }
  return false;
}

std::string_view read_variables(std::string_view input, FuzzScope& scope) {
  while (true) {
    const std::size_t end = input.find('\n');
    const std::string_view line = input.substr(0, end);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || end == std::string_view::npos) {
      return line.empty() && end != std::string_view::npos ? input.substr(1) : input;
    }
    scope.variables[line.substr(0, equals)] = line.substr(equals + 1);
    input = input.substr(end + 1);
  }
}

// What simdjson refuses beyond the grammar: numbers that no double or 64-bit integer holds, and
// half surrogate pairs.
void require_json(const std::string& text) {
  require(config::is_json(text));
  static simdjson::dom::parser parser;
  const simdjson::error_code error = parser.parse(text).error();
  require(error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR ||
          error == simdjson::STRING_ERROR || error == simdjson::DEPTH_ERROR);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  FuzzScope scope;
  const std::string_view source =
      read_variables(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1), scope);
  const auto kind = (data[0] & 1U) != 0 ? Template::Kind::json : Template::Kind::text;
  try {
    const Template what(source, kind);
    std::vector<std::string_view> known;
    for (const auto& [name, value] : scope.variables) known.push_back(name);
    try {
      what.check_variables(known);
    } catch (const config::TemplateError& error) {
      require(error.offset() < source.size());
    }
    if (reads_files(what)) return 0;
    const script::Evaluated evaluated = script::evaluate(what, scope);
    if (const auto* const text = std::get_if<std::string>(&evaluated)) {
      require(text->size() <= script::max_value);
      if (kind == Template::Kind::json) require_json(*text);
    }
  } catch (const config::TemplateError& error) {
    require(error.offset() <= source.size());
  }
  return 0;
}
