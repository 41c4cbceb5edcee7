#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <vector>

#include "cli/finding.hpp"
#include "cli/machine.hpp"
#include "config/capacity.hpp"

/// What a configuration takes of the machine at the most, beside what there is.
namespace wskeep::cli {

[[nodiscard]] std::string render_capacity(const config::Capacity& capacity, const Machine& machine,
                                          bool colors);

[[nodiscard]] boost::json::object describe_capacity(const config::Capacity& capacity);
[[nodiscard]] boost::json::object describe_machine(const Machine& machine);

/// Where it takes more than there is, and what to change.
[[nodiscard]] std::vector<Finding> capacity_findings(const config::Capacity& capacity,
                                                     const Machine& machine);

}  // namespace wskeep::cli
