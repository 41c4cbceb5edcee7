#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "config/config.hpp"
#include "config/url.hpp"
#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// The value of an environment variable; nullptr where it is not set.
using EnvironmentVariables = std::function<const char*(const char* name)>;

/// Those of this process.
[[nodiscard]] EnvironmentVariables process_variables();

/// The proxy to use, and its name for people. The password is wiped from memory with the object.
struct ChosenProxy {
  ChosenProxy() = default;
  ChosenProxy(ChosenProxy&&) noexcept = default;
  ChosenProxy& operator=(ChosenProxy&&) noexcept = default;
  ChosenProxy(const ChosenProxy&) = delete;
  ChosenProxy& operator=(const ChosenProxy&) = delete;
  ~ChosenProxy();

  daemon::Proxy proxy;
  std::string shown;  ///< `http://proxy:3128`: no credentials
};

using ProxyChoice = std::variant<std::optional<ChosenProxy>, daemon::Failure>;

/// The proxy through which `settings` want `target` reached; none: directly. Reads the
/// configuration's variables and files anew. Fails with Error::configuration, in a sentence without
/// secrets.
///
/// With `proxy: environment` as curl does it: for wss:// HTTPS_PROXY, then ALL_PROXY; for ws://
/// http_proxy (a CGI program's HTTP_PROXY is a header of whoever asks), then ALL_PROXY; those in
/// lower case go first. An empty variable is as one that is not set. NO_PROXY names hosts that are
/// reached directly.
[[nodiscard]] ProxyChoice choose_proxy(const config::ConnectionSettings& settings,
                                       const config::Url& target,
                                       const EnvironmentVariables& variables);

}  // namespace wskeep::upstream
