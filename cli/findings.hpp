#pragma once

#include <vector>

#include "cli/finding.hpp"
#include "cli/machine.hpp"
#include "config/capacity.hpp"
#include "config/config.hpp"
#include "config/load.hpp"

namespace wskeep::cli {

/// All that is to be said of a configuration that can be used, in the order of the files, and last
/// of the machine. Reads the files that it names, as whom it runs as; asks no network.
[[nodiscard]] std::vector<Finding> find_all(const config::Config& config,
                                            const config::Places& places,
                                            const config::Capacity& capacity,
                                            const Machine& machine);

}  // namespace wskeep::cli
