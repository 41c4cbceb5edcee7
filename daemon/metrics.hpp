#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/log.hpp"
#include "daemon/upstream/connection.hpp"
#include "ipc/accounts.hpp"
#include "ipc/server.hpp"

namespace wskeep::daemon {

/// What is told of one connection: taken on its shard, so that its counters need no lock.
struct ConnectionSample {
  std::string name;
  upstream::State state = upstream::State::connecting;
  upstream::Counts counts;
  ipc::Channel::Statistics channel;
  ipc::Channel::DeliveryLag delivery_lag{};
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

/// Parts of all connections.
using ConnectionSamples = std::vector<std::vector<ConnectionSample>>;

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

/// Of the configuration, since the start.
struct ReloadSample {
  std::uint64_t succeeded = 0;
  std::uint64_t failed = 0;
  bool last_succeeded = true;  ///< or there was none
  WallTime taken{};            ///< when the configuration that runs was taken
};

struct ProcessSample {
  WallTime started;
  ReloadSample reloads{};
  LocalSample local{};
  HandshakeSample handshakes{};  ///< summed over shards
  std::size_t handshakes_limit = 0;
  std::size_t merged_readers = 0;  ///< local apps that read all connections in one
  std::size_t event_readers = 0;   ///< of /v1/events
  std::uint64_t events = 0;        ///< that were told there
  Log::Statistics log{};
  std::uint64_t state_write_failures = 0;
  std::vector<std::pair<std::string, upstream::ConnectBudgets::Use>> host_budgets{};
};

/// On the connection's shard.
[[nodiscard]] ConnectionSample sample_connection(const upstream::Connection& connection);

/// Everything that was sampled at one time. Nothing of it changes any more, so that any thread may
/// read it.
struct MetricsSample {
  ConnectionSamples connections;
  ProcessSample process;

  [[nodiscard]] std::size_t count() const noexcept;
};

/// Prometheus text format 0.0.4, family by family, for that of ten thousand connections is tens of
/// megabytes. Labels come from the configuration and our own enumerations alone. Any thread, one at
/// a time.
class MetricsText {
 public:
  explicit MetricsText(std::shared_ptr<const MetricsSample> sample) : sample_(std::move(sample)) {}

  /// The next families, in one piece; empty: there are no more. With the last of them the sample is
  /// let go.
  [[nodiscard]] std::string next();
  [[nodiscard]] bool at_end() const noexcept { return sample_ == nullptr; }

 private:
  std::shared_ptr<const MetricsSample> sample_;
  std::size_t section_ = 0;
};

}  // namespace wskeep::daemon
