#pragma once

#include <cstdint>

#include "config/config.hpp"
#include "daemon/error.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/session.hpp"
#include "daemon/upstream/timeline.hpp"

/// What follows a failure: pure functions of the configuration and of what happened.
namespace wskeep::upstream {

/// What is decided, and by which rule; how long the wait is comes from Backoff.
struct Decision {
  config::Verdict verdict = config::Verdict::retry;
  std::string rule;  ///< "default", "reconnect.on_status 403", "reconnect.on_close 4000-4999", ...
};

/// After a cycle that got no session. The configuration's rules go first; where there is none: 401,
/// 403, 407 and what only a person can mend are slow, all else is retried.
[[nodiscard]] Decision decide(const config::Reconnect& settings, const OpenFailure& failure);

/// After a session. Where the configuration has no rule: 1008 is slow, all else is retried.
[[nodiscard]] Decision decide(const config::Reconnect& settings, const SessionEnd& end);

/// What a retry will hardly mend: someone has to change a setting, a certificate or an account.
[[nodiscard]] bool is_lasting(daemon::Error error) noexcept;

}  // namespace wskeep::upstream
