#pragma once

#include <cstddef>
#include <string>
#include <variant>

#include "config/template.hpp"
#include "daemon/script/scope.hpp"

namespace wskeep::script {

/// Bytes that a template, or any value within it, can come to.
inline constexpr std::size_t max_value = std::size_t{1} << 20U;

struct EvaluationError {
  std::string text;      ///< for people, without any value: they may be secret
  bool missing = false;  ///< a variable, an environment variable or a file is not there
};

using Evaluated = std::variant<std::string, EvaluationError>;

/// What the template stands for now. Reads the files and environment variables that it names; all
/// times within it are one moment. Keys and other values on the way are wiped from memory; to wipe
/// the result is up to the caller.
[[nodiscard]] Evaluated evaluate(const config::Template& what, Scope& scope);

}  // namespace wskeep::script
