#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/format.hpp"
#include "cli/table.hpp"

namespace wskeep::cli {

/// A SUMMARY of docs/ipc.md.
struct Summary {
  std::string name;
  std::string state;
  std::optional<SystemTime> since;
  std::string url;
  std::string remote_address;
  std::uint64_t messages_in = 0;
  std::uint64_t messages_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::optional<double> round_trip_ms;
  std::string last_error;
  std::uint64_t subscribers = 0;
  // Of a daemon that says so.
  std::optional<double> ring_bytes;
  std::optional<std::chrono::milliseconds> ring_span;
  std::optional<std::uint64_t> lag_messages;  ///< of the slowest reader; nothing: there is none
  std::optional<std::chrono::milliseconds> lag;
};

/// Each second.
struct Rates {
  double messages_in = 0;
  double messages_out = 0;
  double bytes_in = 0;
  double bytes_out = 0;
};

/// `GET /v1/connections` at one moment.
struct Overview {
  std::chrono::steady_clock::time_point taken;
  std::vector<Summary> connections;
};

/// Throws std::runtime_error for what is not as docs/ipc.md says.
[[nodiscard]] Overview parse_overview(std::string_view body,
                                      std::chrono::steady_clock::time_point taken);

/// Since `before`; nothing where there is nothing to compare with.
[[nodiscard]] std::optional<Rates> rates_of(const Summary& now, const Overview* before,
                                            const Overview& overview);

/// `3 connections: 2 ready, 1 backing_off`
[[nodiscard]] std::string count_states(const Overview& overview);

/// With columns for rates where there is an earlier overview to compare with.
[[nodiscard]] Table make_table(const Overview& overview, const Overview* before, SystemTime now);

}  // namespace wskeep::cli
