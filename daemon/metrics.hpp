#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/upstream/connection.hpp"
#include "ipc/accounts.hpp"
#include "ipc/server.hpp"

namespace wskeep::daemon {

/// What is told of one connection: taken on its shard, so that its counters need no lock.
struct ConnectionSample {
  std::string name;
  upstream::State state = upstream::State::connecting;
  upstream::Statistics statistics;
  ipc::Channel::Statistics channel;
  std::size_t subscribers = 0;
  std::map<std::string_view, std::size_t> readers{};  ///< the same by kind
  std::size_t filters = 0;                            ///< different ones that they have
  ipc::Filters::Statistics filtered{};
  std::size_t ring_used = 0;
  std::size_t ring_capacity = 0;
  std::size_t unsent = 0;
  std::size_t outbox_messages = 0;
  std::size_t outbox_bytes = 0;
  std::size_t events = 0;  ///< that are kept for readers
  upstream::ConnectBudgets::Use budget;
  std::int64_t certificate_expires = 0;  ///< seconds since 1970; 0: no session, or no TLS
};

/// TLS handshakes of one shard.
struct HandshakeSample {
  std::size_t under_way = 0;
  std::size_t waiting = 0;
};

/// What local apps take of the daemon.
struct LocalSample {
  ipc::Accounts::Use use{};
  ipc::Accounts::Limits limits{};
  std::vector<std::pair<std::uint32_t, ipc::Accounts::Use>> users{};
  std::array<std::uint64_t, ipc::all_refusals.size()> refusals{};
  ipc::Server::Descriptors descriptors{};
  std::vector<ipc::SocketStatus> sockets{};
};

struct ProcessSample {
  WallTime started;
  LocalSample local{};
  HandshakeSample handshakes{};  ///< summed over shards
  std::size_t handshakes_limit = 0;
  std::size_t merged_readers = 0;  ///< local apps that read all connections in one
  std::size_t event_readers = 0;   ///< of /v1/events
  std::uint64_t events = 0;        ///< that were told there
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
