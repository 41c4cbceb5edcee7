#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "daemon/upstream/connection.hpp"

namespace wskeep::daemon {

/// What is told of one connection: taken on its shard, so that its counters need no lock.
struct ConnectionSample {
  std::string name;
  upstream::State state = upstream::State::connecting;
  upstream::Statistics statistics;
  ipc::Channel::Statistics channel;
  std::size_t subscribers = 0;
  std::size_t ring_used = 0;
  std::size_t ring_capacity = 0;
  std::size_t unsent = 0;
  std::size_t events = 0;  ///< that are kept for readers
  upstream::ConnectBudgets::Use budget;
  std::int64_t certificate_expires = 0;  ///< seconds since 1970; 0: no session, or no TLS
};

/// TLS handshakes of one shard.
struct HandshakeSample {
  std::size_t under_way = 0;
  std::size_t waiting = 0;
};

struct ProcessSample {
  std::uint32_t clients = 0;
  std::uint32_t clients_limit = 0;
  WallTime started;
  HandshakeSample handshakes{};  ///< summed over shards
  std::size_t handshakes_limit = 0;
  std::uint64_t log_dropped = 0;
  std::uint64_t state_write_failures = 0;
  std::vector<std::pair<std::string, upstream::ConnectBudgets::Use>> host_budgets{};
};

/// On the connection's shard.
[[nodiscard]] ConnectionSample sample_connection(const upstream::Connection& connection);

/// Prometheus text format 0.0.4. Labels come from the configuration and our own enumerations alone.
[[nodiscard]] std::string write_metrics(const std::vector<ConnectionSample>& connections,
                                        const ProcessSample& process);

}  // namespace wskeep::daemon
