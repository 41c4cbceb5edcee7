#pragma once

#include <boost/json/fwd.hpp>
#include <string>

#include "cli/picture.hpp"
#include "config/config.hpp"

namespace wskeep::cli {

/// What the session scripts do, a sentence for each of their steps. Connections with the same
/// script have it once. Empty where there is none.
[[nodiscard]] std::string explain_scripts(const config::Config& config, const Canvas& canvas);

/// The same for machines: by the connection's name, a list of `part` and `text`.
[[nodiscard]] boost::json::object describe_scripts(const config::Config& config);

}  // namespace wskeep::cli
