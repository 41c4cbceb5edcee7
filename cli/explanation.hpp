#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "cli/attempts.hpp"
#include "cli/picture.hpp"

namespace wskeep::cli {

/// Answers "why is it not connected?" in words: a line that says it all, and then what is known of
/// it, what comes next and what a person can do. `connection` is `GET /v1/connections/NAME`.
[[nodiscard]] std::string explain(const boost::json::object& connection, const Attempts& attempts,
                                  SystemTime now, const Canvas& canvas);

/// The error that keeps it from being connected, or that ended the last session; empty: none.
[[nodiscard]] std::string current_error(const boost::json::object& connection,
                                        const Attempts& attempts);

}  // namespace wskeep::cli
