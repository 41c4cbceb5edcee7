#pragma once

#include <vector>

#include "config/session.hpp"
#include "config/session_fields.hpp"

namespace wskeep::config {

/// Reads `session.prepare`. What it sets is known to `fields` from then on.
[[nodiscard]] std::vector<PrepareStep> read_prepare(const Field& field, SessionFields& fields);

/// Reads `session.resume_url`: a template of an attempt, as those of `prepare` are.
[[nodiscard]] Template read_resume_url(const Field& field, SessionFields& fields);

/// Reads a code, a range, a class of them or a list of those.
[[nodiscard]] std::vector<CodeRange> read_codes(const Field& field, SessionFields& fields,
                                                std::uint16_t least, std::uint16_t most);

}  // namespace wskeep::config
