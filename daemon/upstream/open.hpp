#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/upstream/timeline.hpp"
#include "websocket/http.hpp"
#include "websocket/permessage_deflate.hpp"

namespace wskeep::upstream {

/// A session that is open: the 101 has been read and checked.
struct Opened {
  std::unique_ptr<net::Transport> transport;
  websocket::HttpHead response;
  std::string subprotocol;                                  ///< empty: none
  std::optional<websocket::DeflateParameters> compression;  ///< as agreed
  std::vector<std::byte> early_bytes;  ///< frames that came together with the 101
};

struct OpenFailure {
  daemon::Failure failure;
  unsigned http_status = 0;                         ///< 0: no HTTP answer
  std::optional<std::chrono::seconds> retry_after;  ///< what 429 or 503 asked for
};

using OpenResult = std::variant<Opened, OpenFailure>;

/// What a connection remembers of its addresses from cycle to cycle: the one that worked goes
/// first, those that failed lately go last.
class AddressMemory;

/// One cycle: resolve the name, race the addresses (RFC 8305), and on the first that gets through
/// TLS and the upgrade, return it. Bounded by `timeouts.connect`; each address by
/// `timeouts.address`. When a later stage fails or hangs, the next address has its turn within the
/// same cycle. Every step is written to `timeline`. Ends promptly when cancelled, with
/// Error::stopped; nothing it started outlives it.
[[nodiscard]] boost::asio::awaitable<OpenResult> open_session(daemon::Environment& environment,
                                                              const config::Connection& connection,
                                                              AddressMemory& memory,
                                                              Timeline& timeline);

}  // namespace wskeep::upstream
