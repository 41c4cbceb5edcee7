#pragma once

#include <chrono>
#include <span>
#include <string>

#include "config/template.hpp"
#include "daemon/script/evaluate.hpp"
#include "daemon/script/scope.hpp"

namespace wskeep::script {

/// One call of a function whose arguments are values. As many as it takes: config::Template saw to
/// that, and to those that must stand in the template.
struct Call {
  std::span<const std::string> arguments;
  std::chrono::system_clock::time_point now;
  Scope& scope;
};

/// What the function gives; the text of an error follows the function's name. Any function but
/// `default`, whose first argument may have no value.
[[nodiscard]] Evaluated call_function(config::Function function, const Call& call);

}  // namespace wskeep::script
