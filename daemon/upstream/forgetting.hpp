#pragma once

#include <cstdint>

#include "config/config.hpp"
#include "config/session.hpp"

/// When what is remembered of earlier sessions is not to be used again, so that the next session
/// begins anew.
namespace wskeep::upstream {

/// Whether an HTTP answer to `url`, one of the connection's or its script's, refuses what was
/// remembered. Where the script does not say which statuses do (`forget.status`), it is any 4xx
/// that is not about credentials or haste, if what was asked for named something remembered.
[[nodiscard]] bool refuses_remembered(const config::SessionScript& script,
                                      const config::Connection& connection,
                                      const config::Template& url, unsigned status);

/// Whether a Close frame of upstream's with that code does (`forget.close`).
[[nodiscard]] bool refuses_remembered(const config::SessionScript& script,
                                      std::uint16_t close_code) noexcept;

}  // namespace wskeep::upstream
