#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/difference.hpp"
#include "config/load.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::daemon {

/// As docs/ipc.md has it: "in_place", "new_session", "new_ring", "next_start".
[[nodiscard]] std::string_view effect_name(config::Effect effect);

/// "1 problem", "2 problems".
[[nodiscard]] std::string problem_count(std::size_t count);

/// What a configuration makes different, or would; 200.
[[nodiscard]] ipc::ReloadAnswer answer_with(const config::Difference& difference, bool applied,
                                            const std::vector<config::Problem>& warnings);

/// Nothing was changed. `error` is the stable name, `message` is for people.
[[nodiscard]] ipc::ReloadAnswer answer_failure(unsigned status, std::string_view error,
                                               const std::string& message,
                                               const std::vector<config::Problem>& problems = {});

/// The configuration is not good; 422.
[[nodiscard]] ipc::ReloadAnswer answer_broken(const std::vector<config::Problem>& problems);

}  // namespace wskeep::daemon
