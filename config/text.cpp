#include "config/text.hpp"

#include <type_traits>

#include "config/characters.hpp"
#include "config/source.hpp"

namespace wskeep::config {
namespace {

constexpr std::string_view env_kind = "env:";
constexpr std::string_view file_kind = "file:";
constexpr std::string_view credential_kind = "credential:";

}  // namespace

// The errors name the kinds that are allowed and never what was found: text that merely looks like
// a place-holder may be part of a password.
Text::Text(std::string_view source) : source_(source) {
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) {
      parts_.emplace_back(Literal{std::move(literal)});
      literal.clear();
    }
  };
  for (std::size_t at = 0; at < source.size();) {
    const std::string_view rest = source.substr(at);
    if (rest.starts_with("$$")) {
      literal += '$';
      at += 2;
      continue;
    }
    if (!rest.starts_with("${")) {
      literal += rest.front();
      ++at;
      continue;
    }
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos) {
      throw TextError("a place-holder '${' is not closed; '$$' stands for a dollar sign");
    }
    const std::string_view inside = rest.substr(2, end - 2);
    end_literal();
    add_placeholder(inside);
    at += end + 1;
  }
  end_literal();
}

void Text::add_placeholder(std::string_view inside) {
  if (inside.find('$') != std::string_view::npos) {
    throw TextError("a place-holder cannot hold another, nor a dollar sign");
  }
  if (inside.starts_with(env_kind)) {
    const std::string_view name = inside.substr(env_kind.size());
    if (!is_variable_name(name)) {
      throw TextError("a place-holder ${env:NAME} needs a NAME of letters, digits and _");
    }
    parts_.emplace_back(Variable{std::string(name)});
  } else if (inside.starts_with(file_kind)) {
    const std::string_view path = inside.substr(file_kind.size());
    if (path.empty() || has_control(path)) {
      throw TextError("a place-holder ${file:PATH} needs a PATH without control characters");
    }
    parts_.emplace_back(File{std::string(path)});
  } else if (inside.starts_with(credential_kind)) {
    const std::string_view name = inside.substr(credential_kind.size());
    if (!is_credential_name(name)) {
      throw TextError("a place-holder ${credential:NAME} needs the NAME of a file, without '/'");
    }
    parts_.emplace_back(Credential{std::string(name)});
  } else {
    throw TextError(
        "unknown kind of place-holder; allowed: ${env:NAME}, ${file:PATH}, ${credential:NAME}, and "
        "$$ for a dollar sign");
  }
}

std::string Text::resolve() const {
  std::string value;
  for (const auto& part : parts_) {
    value += std::visit(
        [](const auto& one) -> std::string {
          using Part = std::decay_t<decltype(one)>;
          if constexpr (std::is_same_v<Part, Literal>) {
            return one.value;
          } else if constexpr (std::is_same_v<Part, Variable>) {
            return read_environment(one.name);
          } else if constexpr (std::is_same_v<Part, Credential>) {
            return read_credential(one.name);
          } else {
            return read_value_file(one.path);
          }
        },
        part);
  }
  return value;
}

bool Text::has_placeholder() const noexcept {
  for (const auto& part : parts_) {
    if (!std::holds_alternative<Literal>(part)) {
      return true;
    }
  }
  return false;
}

}  // namespace wskeep::config
