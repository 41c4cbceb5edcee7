#pragma once

#include <cstddef>
#include <string_view>

#include "config/template.hpp"

namespace wskeep::config {

/// Reads the place-holder that begins with the `${` at `at`, and moves `at` behind its `}`. Throws
/// TemplateError.
[[nodiscard]] Expression parse_placeholder(std::string_view source, std::size_t& at);

}  // namespace wskeep::config
