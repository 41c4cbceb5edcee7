#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wskeep::config {

/// The offset of the first byte that is not UTF-8 or is a control character other than tab, line
/// feed and carriage return; the size of `text` where there is none.
[[nodiscard]] std::size_t first_not_text(std::string_view text);

/// Whether there is a control character in it, tab and line ends included.
[[nodiscard]] bool has_control(std::string_view text);

/// With the letters of ASCII in lower case.
[[nodiscard]] std::string folded(std::string_view text);

}  // namespace wskeep::config
