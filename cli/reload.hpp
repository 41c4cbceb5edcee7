#pragma once

#include <string>
#include <string_view>

namespace wskeep::cli {

/// The daemon's answer to a reload, or to what one would do: a line for each thing that changes.
[[nodiscard]] std::string render_reload(std::string_view body, bool colors);

}  // namespace wskeep::cli
