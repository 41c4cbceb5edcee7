#pragma once

#include <cstdint>
#include <string_view>
#include <variant>

#include "config/url.hpp"
#include "daemon/error.hpp"
#include "websocket/http.hpp"

namespace wskeep::upstream {

/// Whether the answer sends us elsewhere: 301, 302, 303, 307 or 308 with a Location.
[[nodiscard]] bool is_redirection(const websocket::HttpHead& response) noexcept;

/// Scheme, host and port are the same: what is meant for the one may be told the other.
[[nodiscard]] bool same_origin(const config::Url& a, const config::Url& b) noexcept;

/// Where a redirection leads: `location` (absolute or relative, RFC 3986, section 5.2; http and
/// https stand for ws and wss), without user and fragment. `followed` have been in a row, and
/// `allowed` may be. Fails with Error::http_redirect, in a sentence that says where to, what is
/// against it and what to do: never from wss to ws.
[[nodiscard]] std::variant<config::Url, daemon::Failure> follow_redirection(
    const config::Url& from, const websocket::HttpHead& response, std::uint32_t followed,
    std::uint32_t allowed);

}  // namespace wskeep::upstream
