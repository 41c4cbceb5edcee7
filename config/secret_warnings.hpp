#pragma once

#include <vector>

#include "config/warnings.hpp"

namespace wskeep::config {

/// Of credentials: those that any user of this machine can read, in the configuration itself or in
/// a file that it names, and those that go over a network in the clear.
[[nodiscard]] std::vector<Warning> secret_warnings(const Config& config, const Places& places);

}  // namespace wskeep::config
