#pragma once

#include <string>
#include <variant>

#include "config/config.hpp"
#include "config/url.hpp"
#include "daemon/error.hpp"
#include "daemon/script/scope.hpp"
#include "daemon/upstream/secrets.hpp"
#include "websocket/upgrade.hpp"

namespace wskeep::upstream {

/// What is asked for at one URL, and where: the configuration with its variables and files read.
/// Wiped when it is destroyed.
struct Target {
  Target() = default;
  Target(Target&&) noexcept = default;
  Target& operator=(Target&&) = delete;
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  ~Target();

  config::Url url;
  websocket::UpgradeRequest request;  ///< without its key, which each attempt draws
  config::Tls tls;
  Secrets secrets;  ///< in the request, not to be shown where an answer repeats them
};

struct TargetFailure {
  daemon::Failure failure;
  bool of_all = false;  ///< it would be the same for the connection's other URLs
};

/// Reads everything anew, so that a renewed token is used; `url` is one of the connection's, or its
/// script's `resume_url`. Fails with Error::configuration, in a sentence without secrets. A URL
/// that is a value as a whole must be wss://, unless the configuration says otherwise: whoever
/// could forge it would read all that follows.
[[nodiscard]] std::variant<Target, TargetFailure> read_target(const config::Connection& connection,
                                                              const config::Template& url,
                                                              script::Scope& scope);

/// A user in its URL, as an Authorization header, unless there is one.
void add_user_of_url(Target& target);

/// The same asked for where a redirection leads. Another origin (scheme, host or port) is sent
/// nothing but the handshake's own headers and sees no client certificate. `from` stays good for
/// its URL and secrets only.
[[nodiscard]] Target redirected_target(Target& from, config::Url to);

}  // namespace wskeep::upstream
