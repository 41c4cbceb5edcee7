#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "config/problems.hpp"
#include "config/template.hpp"

namespace wskeep::config {

/// Where byte `offset` of a scalar's value stands in the YAML text that it was read from; `begin`
/// is where the scalar begins, quotes and all. Follows quotes, escapes and lines; of a folded text
/// with blank lines it may miss by some lines.
[[nodiscard]] Place place_within(std::string_view yaml, Place begin, std::size_t offset);

/// Adds what is wrong with the template that begins there, where in it that is.
void add_within(Problems& problems, Place begin, const std::string& path,
                const TemplateError& error);

}  // namespace wskeep::config
