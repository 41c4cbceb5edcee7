#pragma once

#include <vector>

#include "config/config.hpp"
#include "config/load.hpp"
#include "daemon/log.hpp"

namespace wskeep::daemon {

/// What `wskeep check` would warn of, in the log. No more than a person reads.
void log_warnings(const std::vector<config::Problem>& warnings, Log& log);

/// Says so when all connections cannot have the descriptors that they need.
void log_want_of_descriptors(const config::Config& config, Log& log);

}  // namespace wskeep::daemon
