#pragma once

#include <chrono>
#include <vector>

#include "config/config.hpp"
#include "config/warnings.hpp"

namespace wskeep::cli {

/// From when on the end of a certificate is told of beforehand.
inline constexpr std::chrono::hours certificate_notice{30 * 24};

/// What is wrong, or soon will be, with the certificates, keys and revocation lists that a
/// configuration names. Each file is read once.
[[nodiscard]] std::vector<config::Warning> certificate_warnings(
    const config::Config& config, std::chrono::system_clock::time_point now);

}  // namespace wskeep::cli
