#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "daemon/error.hpp"
#include "websocket/violation.hpp"

namespace wskeep::upstream {

enum class ClosedBy : std::uint8_t { upstream, wskeep, network };

[[nodiscard]] std::string_view closed_by_name(ClosedBy closed_by) noexcept;

/// How a session ended.
struct SessionEnd {
  daemon::Failure failure;
  std::uint16_t close_code =
      0;  ///< of the Close frame that began the end, either side's; 0: there was none
  std::string reason;
  ClosedBy closed_by = ClosedBy::network;
  /// The closing handshake was not over in time (`timeouts.close`), and we left. `failure` still
  /// says why it was begun; it is Error::close_timeout only where nothing else is to be said.
  bool close_timed_out = false;
  std::chrono::nanoseconds silent{0};  ///< for how long nothing had come from upstream
  /// What a script's refusal says of the next attempt, and where it says so; goes before all else.
  std::optional<config::Verdict> verdict{};
  std::string verdict_rule{};
};

/// What the peer did wrong, by the code that we answer it with.
[[nodiscard]] daemon::Error violation_error(websocket::CloseCode code) noexcept;

/// A sentence about a byte stream that ended, or failed, so.
[[nodiscard]] std::string transport_end_text(daemon::Error error);

}  // namespace wskeep::upstream
