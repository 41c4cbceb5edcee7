#pragma once

#include <variant>

#include "config/config.hpp"
#include "config/url.hpp"
#include "daemon/error.hpp"
#include "websocket/upgrade.hpp"

namespace wskeep::upstream {

/// What one cycle asks for and where: the configuration with its variables and files read.
struct Target {
  config::Url url;
  websocket::UpgradeRequest request;  ///< without its key, which each attempt draws
};

/// Reads everything anew, so that a renewed token is used. Fails with Error::configuration, in a
/// sentence without secrets.
[[nodiscard]] std::variant<Target, daemon::Failure> read_target(
    const config::Connection& connection);

}  // namespace wskeep::upstream
