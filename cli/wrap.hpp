#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace wskeep::cli {

/// Lines of at most `width` columns (1 or more), broken at spaces, and within words that are longer
/// than a line. At least one line.
[[nodiscard]] std::vector<std::string> wrap(std::string_view text, std::size_t width);

}  // namespace wskeep::cli
