#pragma once

#include <string>
#include <string_view>

#include "cli/attempts.hpp"
#include "cli/format.hpp"

namespace wskeep::cli {

/// `GET /v1/connections/NAME` for people, with the steps of the last attempt. Throws
/// std::runtime_error if the body is no JSON object.
[[nodiscard]] std::string render_connection(std::string_view body, const Attempts& attempts,
                                            SystemTime now, bool colors);

/// `GET /v1/status` likewise.
[[nodiscard]] std::string render_status(std::string_view body, bool colors);

}  // namespace wskeep::cli
