#pragma once

#include <string_view>

namespace wskeep::daemon {

inline constexpr std::string_view version = WSKEEP_VERSION;

}  // namespace wskeep::daemon
