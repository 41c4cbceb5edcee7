#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/upstream/name_memory.hpp"
#include "daemon/upstream/timeline.hpp"

namespace wskeep::upstream {

/// One name look-up and all that it found.
struct LookedUp {
  std::vector<daemon::Endpoint> endpoints;  ///< empty: see `step.failure`
  ResolveStep step;                         ///< but for `started`
};

/// The addresses of a host: those that the configuration gives it, else those remembered, else the
/// environment is asked. What is referred to outlives the call.
[[nodiscard]] boost::asio::awaitable<LookedUp> look_up(daemon::Environment& environment,
                                                       const config::ConnectionSettings& settings,
                                                       NameMemory& names, std::string host,
                                                       std::uint16_t port,
                                                       std::chrono::milliseconds timeout);

}  // namespace wskeep::upstream
