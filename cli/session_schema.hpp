#pragma once

#include <boost/json/object.hpp>

namespace wskeep::cli {

/// The definitions of all maps under `session`, to be merged into `$defs` of the configuration's
/// schema, which has `off`.
[[nodiscard]] boost::json::object session_definitions();

/// What `session` takes, by these definitions.
[[nodiscard]] boost::json::object session_schema();

}  // namespace wskeep::cli
