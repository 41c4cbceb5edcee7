#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <variant>

#include "daemon/environment.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/secrets.hpp"
#include "websocket/http.hpp"
#include "websocket/upgrade.hpp"

namespace wskeep::upstream {

/// An answer that sends us elsewhere.
struct Redirection {
  websocket::HttpHead response;
};

using Answer = std::variant<Opened, Redirection, OpenFailure>;

/// Sends the request over an open transport and reads the answer, byte by byte if need be: whoever
/// calls sets the deadline, by cancelling. Then it ends with Error::stopped. Takes nothing from the
/// transport that came behind the 101 but `Opened::early_bytes`. Cookies are not kept: they are not
/// in `Opened::response`. `request` and `secrets`, which stand in no failure's text, outlive it.
[[nodiscard]] boost::asio::awaitable<Answer> upgrade(daemon::Environment& environment,
                                                     std::unique_ptr<net::Transport> transport,
                                                     const websocket::UpgradeRequest& request,
                                                     const Secrets& secrets);

/// An answer's head may have this many bytes; of a refusal's body this many are read, and waited
/// for this long.
inline constexpr std::size_t max_answer_head = 8U << 10U;
inline constexpr std::size_t max_refusal_body = 4U << 10U;
inline constexpr std::chrono::milliseconds refusal_body_time{1000};

}  // namespace wskeep::upstream
