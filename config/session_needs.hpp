#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/problems.hpp"
#include "config/session.hpp"
#include "config/session_fields.hpp"

namespace wskeep::config {

/// Finds what `resume` and `resume_url`, where they are given, need of an earlier session:
/// `script.resume_needs`. `prepared`: what has a value in each attempt.
void note_needs(SessionScript& script, const std::optional<Field>& resume,
                const std::optional<Field>& resume_url, const std::vector<std::string>& prepared,
                Problems& problems);

}  // namespace wskeep::config
