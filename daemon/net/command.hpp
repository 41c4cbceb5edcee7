#pragma once

#include <boost/asio/awaitable.hpp>

#include "daemon/environment.hpp"
#include "daemon/net/child_process.hpp"

namespace wskeep::net {

/// See daemon::Environment::run_command, whose clock and alarms it uses. `left` outlives it.
[[nodiscard]] boost::asio::awaitable<daemon::CommandResult> run_command(
    daemon::Environment& environment, LeftChildren& left, daemon::Command command);

}  // namespace wskeep::net
