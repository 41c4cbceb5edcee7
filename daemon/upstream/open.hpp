#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/script/variables.hpp"
#include "daemon/upstream/address_memory.hpp"
#include "daemon/upstream/name_memory.hpp"
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
  bool at_resume_url = false;          ///< where the script's `resume_url` leads
};

struct OpenFailure {
  daemon::Failure failure;
  unsigned http_status = 0;                         ///< 0: no HTTP answer
  std::optional<std::chrono::seconds> retry_after;  ///< what 429 or 503 asked for
};

using OpenResult = std::variant<Opened, OpenFailure>;

/// Asked before each TCP connect.
class ConnectGate {
 public:
  /// Takes one connect from the budgets, to that host of a URL (in lower case; not the proxy's);
  /// false: there is none left now, and the cycle starts no further address. On the shard.
  [[nodiscard]] virtual bool may_connect(std::string_view host) = 0;

 protected:
  ~ConnectGate() = default;
};

/// What a connection remembers from cycle to cycle of the ways to its servers.
struct OpeningMemory {
  AddressMemory addresses;
  NameMemory names;
};

/// One cycle over the connection's URLs until one gives a session: resolve the name, race the
/// addresses (RFC 8305), and return the first that gets through proxy, TLS and the upgrade. When a
/// later stage fails or hangs, the next address has its turn within the same cycle; when they are
/// used up, the next URL. Bounded by `timeouts.connect`; each address by `timeouts.address`. Where
/// nothing could be started for want of a connect, it ends with Error::budget_spent. Every step is
/// written to `timeline`. Ends promptly when cancelled, with Error::stopped; nothing it started
/// outlives it.
///
/// `variables` are those of the connection's script, nullptr for none. Where they have all that a
/// resume needs, its URL is tried before the others. What is remembered is forgotten when an answer
/// refuses it.
[[nodiscard]] boost::asio::awaitable<OpenResult> open_session(
    daemon::Environment& environment, const config::Connection& connection, OpeningMemory& memory,
    Timeline& timeline, ConnectGate& gate, script::Variables* variables = nullptr);

}  // namespace wskeep::upstream
