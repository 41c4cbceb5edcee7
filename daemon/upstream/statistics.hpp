#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "daemon/error.hpp"
#include "daemon/upstream/traffic_history.hpp"

namespace wskeep::upstream {

/// Counts since the daemon began. Plain numbers: they are written and read on the connection's
/// shard only.
struct Statistics {
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;
  std::uint64_t bytes_in = 0;  ///< payload of whole messages
  std::uint64_t bytes_out = 0;
  std::uint64_t wire_bytes_in = 0;  ///< as received, control frames and headers included
  std::uint64_t wire_bytes_out = 0;
  std::uint64_t pings_in = 0;
  std::uint64_t pongs_in = 0;
  std::uint64_t discarded_messages = 0;  ///< begun, and never ended
  std::uint64_t rejected_messages = 0;   ///< of local apps, not sent
  std::uint64_t outbox_expired = 0;      ///< likewise, for they waited too long
  std::uint64_t sessions = 0;
  std::uint64_t attempts_failed = 0;  ///< cycles that got no session
  std::array<std::uint64_t, daemon::error_count>
      ended{};                       ///< sessions and cycles, by how they ended
  std::uint64_t close_timeouts = 0;  ///< sessions whose closing handshake was not over in time
  std::chrono::nanoseconds round_trip{0};            ///< the last measured; 0: none
  std::chrono::nanoseconds round_trip_smoothed{0};   ///< of the session (RFC 6298, 2: SRTT)
  std::chrono::nanoseconds round_trip_variation{0};  ///< likewise (RTTVAR)
  std::chrono::nanoseconds time_to_ready{0};         ///< the last cycle's that got a session
  std::chrono::nanoseconds time_to_ready_sum{0};
  TrafficHistory traffic;  ///< of wire_bytes
};

}  // namespace wskeep::upstream
