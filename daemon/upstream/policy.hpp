#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

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

/// What holds for an HTTP status or a close code that the configuration has no rule for. Codes that
/// stand in neither are retried.
[[nodiscard]] std::span<const config::CodeRule> default_status_rules() noexcept;
[[nodiscard]] std::span<const config::CodeRule> default_close_rules() noexcept;

/// "403", "4000-4999"
[[nodiscard]] std::string codes_text(const config::CodeRule& rule);

[[nodiscard]] std::string_view verdict_name(config::Verdict verdict) noexcept;

/// After a cycle that got no session. For an HTTP status the configuration's rules go first, then
/// the default ones; for what only a person can mend it is `reconnect.on_lasting`; all else is
/// retried.
[[nodiscard]] Decision decide(const config::Reconnect& settings, const OpenFailure& failure);

/// After a session. What its script says goes first; what only a person can mend is
/// `reconnect.on_lasting`. Where the configuration has no rule: 1008 is slow, all else is retried.
[[nodiscard]] Decision decide(const config::Reconnect& settings, const SessionEnd& end);

/// What a retry will hardly mend: someone has to change a setting, a certificate or an account. Of
/// what HTTP statuses say only the usual words for it.
[[nodiscard]] bool is_lasting(daemon::Error error) noexcept;

}  // namespace wskeep::upstream
