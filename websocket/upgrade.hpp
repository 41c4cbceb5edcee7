#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "websocket/deflate.hpp"
#include "websocket/http.hpp"

namespace wskeep::websocket {

/// What a client asks for in its opening handshake (RFC 6455, section 4.1).
struct UpgradeRequest {
  std::string host;    ///< for the Host header: name, and the port unless it is the scheme's own
  std::string target;  ///< path and query, "/" at least
  std::vector<std::pair<std::string, std::string>>
      headers;                            ///< more of them; a Host here takes the place of `host`
  std::vector<std::string> subprotocols;  ///< most wanted first
  std::optional<DeflateParameters> compression;  ///< permessage-deflate, offered
  std::string key;                               ///< from make_key
};

/// The Sec-WebSocket-Key for 16 random bytes, which the caller draws anew for each attempt.
[[nodiscard]] std::string make_key(std::span<const std::byte, 16> random);

/// The Sec-WebSocket-Accept that answers a key (section 4.2.2).
[[nodiscard]] std::string compute_accept(std::string_view key);

/// Throws std::invalid_argument for what must not be sent: line breaks and other control
/// characters, headers that are the handshake's own, subprotocols that are no tokens or there
/// twice. So it serves to check a configuration.
[[nodiscard]] std::string write_upgrade_request(const UpgradeRequest& request);

enum class UpgradeError : std::uint8_t {
  none,
  not_101,
  bad_upgrade_header,
  bad_connection_header,
  bad_accept,  ///< missing, more than one, or not the one for our key
  unexpected_subprotocol,
  unexpected_extension,  ///< not offered, or not within the offer
};

struct UpgradeResult {
  bool accepted = false;
  UpgradeError error = UpgradeError::none;
  std::string text;                              ///< of an error: what the server answered
  std::string subprotocol;                       ///< empty if the server chose none
  std::optional<DeflateParameters> compression;  ///< as agreed
};

/// Judges a server's answer. None of the subprotocols being chosen is not an error.
[[nodiscard]] UpgradeResult check_upgrade_response(const UpgradeRequest& request,
                                                   const HttpHead& response);

/// What a server makes of a request for an upgrade (section 4.2.1).
struct UpgradeCheck {
  bool ok = false;
  unsigned status = 101;  ///< what to answer: 400, 405 or 426 if not ok
  std::string text;       ///< of a refusal, for its body
  std::vector<std::pair<std::string, std::string>>
      headers;  ///< that the refusal must have, such as Sec-WebSocket-Version
  std::string key;
  std::vector<std::string> subprotocols;  ///< offered, most wanted first
};

/// The offers of extensions are `request.values("sec-websocket-extensions")`, for choose_deflate.
[[nodiscard]] UpgradeCheck check_upgrade_request(const HttpHead& request);

/// The 101. `subprotocol` is one of those offered, or empty; `extension` is DeflateChoice::header.
[[nodiscard]] std::string write_upgrade_response(
    std::string_view key, std::string_view subprotocol,
    const std::optional<std::string>& extension = std::nullopt);

}  // namespace wskeep::websocket
