#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/environment.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/secrets.hpp"

namespace wskeep::upstream {

/// Retry-After in either form (RFC 9110, section 10.2.3), seconds or a date of HTTP; clamped to
/// between zero and Backoff::longest_retry_after. nullopt for anything else.
[[nodiscard]] std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                                    daemon::WallTime now);

/// The beginning of what a server says, fit for one line of a log.
[[nodiscard]] std::string excerpt(std::string_view text);

/// What an answer other than 101 means. `body`: what was read of it, for the sentence, in which
/// `secrets` do not stand.
[[nodiscard]] OpenFailure refusal(const websocket::HttpHead& response, std::string_view body,
                                  const Secrets& secrets, daemon::WallTime now);

/// Whether another address of the same name may well answer differently. A server that failed may
/// be one of several; credentials, paths and rates are judged alike by all of them, and asking on
/// would only annoy.
[[nodiscard]] bool worth_another_address(const OpenFailure& failure) noexcept;

}  // namespace wskeep::upstream
