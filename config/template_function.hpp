#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string_view>

#include "config/template.hpp"

namespace wskeep::config {

/// How a function is called.
struct FunctionShape {
  static constexpr std::size_t any = std::numeric_limits<std::size_t>::max();

  Function function;
  std::string_view name;
  std::size_t least;       ///< arguments
  std::size_t most;        ///< likewise
  std::string_view usage;  ///< as the documents show it
};

/// All of them, by name.
[[nodiscard]] std::span<const FunctionShape> functions();

/// nullptr where there is none.
[[nodiscard]] const FunctionShape* find_function(std::string_view name);

/// Throws TemplateError when the call has not as many arguments as the function takes, or one that
/// must stand there as text (an encoding, a path) does not or is not allowed.
void check_call(const Expression& call, const FunctionShape& shape);

}  // namespace wskeep::config
