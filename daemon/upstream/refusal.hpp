#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "daemon/environment.hpp"
#include "daemon/upstream/open.hpp"

namespace wskeep::upstream {

/// Retry-After in either form (RFC 9110, section 10.2.3), seconds or a date of HTTP; clamped to
/// between zero and Backoff::longest_retry_after. nullopt for anything else.
[[nodiscard]] std::optional<std::chrono::seconds> parse_retry_after(std::string_view value,
                                                                    daemon::WallTime now);

/// What an answer other than 101 means. `body`: what was read of it, for the sentence. Redirections
/// are not followed: the sentence says where to.
[[nodiscard]] OpenFailure refusal(const websocket::HttpHead& response, std::string_view body,
                                  daemon::WallTime now);

/// Whether another address of the same name may well answer differently. A server that failed may
/// be one of several; credentials, paths and rates are judged alike by all of them, and asking on
/// would only annoy.
[[nodiscard]] bool worth_another_address(const OpenFailure& failure) noexcept;

}  // namespace wskeep::upstream
