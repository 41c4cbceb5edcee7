#pragma once

#include <cstdint>
#include <span>

#include "config/session.hpp"
#include "config/session_load.hpp"

namespace wskeep::config {

/// Of a script by what is written: comments and blanks do not count.
[[nodiscard]] std::uint64_t fingerprint_of(std::span<const SessionSource> sources);

}  // namespace wskeep::config
