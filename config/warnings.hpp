#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace wskeep::config {

/// What is allowed and hardly meant: rights that nobody has. Sentences that begin with the key.
/// Asks the system for users and groups.
[[nodiscard]] std::vector<std::string> warnings(const Config& config);

}  // namespace wskeep::config
