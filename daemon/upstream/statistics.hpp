#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "daemon/error.hpp"
#include "daemon/upstream/traffic_history.hpp"
#include "ipc/histogram.hpp"

namespace wskeep::upstream {

/// From a peer in the same rack over one at the other end of the world to one that hardly answers.
inline constexpr ipc::HistogramBounds round_trip_bounds{500,     1'000,   2'500,     5'000,
                                                        10'000,  25'000,  50'000,    100'000,
                                                        250'000, 500'000, 1'000'000, 5'000'000};
/// Up to the default of timeouts.connect.
inline constexpr ipc::HistogramBounds time_to_ready_bounds{
    10'000,    25'000,    50'000,    100'000,    250'000,    500'000,
    1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000, 60'000'000};

/// Counts since the daemon began. Plain numbers: they are written and read on the connection's
/// shard only.
struct Counts {
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
  ipc::Histogram<round_trip_bounds, std::uint32_t> round_trips;  ///< of pings
  ipc::Histogram<time_to_ready_bounds, std::uint32_t>
      times_to_ready;  ///< of cycles that got a session
};

/// The same with what changed lately.
struct Statistics : Counts {
  TrafficHistory traffic;  ///< of wire_bytes
};

}  // namespace wskeep::upstream
