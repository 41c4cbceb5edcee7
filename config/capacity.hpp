#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/config.hpp"

/// What a configuration can take of the machine at the most: an upper bound, reckoned from the
/// limits that it sets. Nothing is asked of the system.
namespace wskeep::config {

/// What the daemon itself decides. They stand here because the command line, which knows the
/// configuration alone, reckons with them; tests of the daemon hold them against the real ones.
struct Costs {
  /// ring/ring.cpp: how a ring is laid out.
  static constexpr std::uint64_t ring_headroom = std::uint64_t{32} << 10U;
  static constexpr std::uint64_t ring_bytes_per_slot = 64;
  static constexpr std::uint64_t ring_smallest_index = 4096;
  static constexpr std::uint64_t ring_entry = 24;
  static constexpr std::uint64_t ring_header = 128;
  static constexpr std::uint64_t page = 4096;

  /// The program with what it touches of its libraries: docs/benchmarks.md has 12 MiB (PSS).
  static constexpr std::uint64_t program = std::uint64_t{16} << 20U;
  /// A thread: its stack, and the buffers that its connections share.
  static constexpr std::uint64_t thread = std::uint64_t{2} << 20U;
  /// A set of TLS settings, with the system's authorities.
  static constexpr std::uint64_t tls_settings = std::uint64_t{2} << 20U;

  /// A connection whatever its settings: what an idle one costs (docs/benchmarks.md), records that
  /// TLS has under way, its events and its timeline.
  static constexpr std::uint64_t connection = std::uint64_t{192} << 10U;
  /// Windows of zlib in both directions, and what was read and waits to be inflated.
  static constexpr std::uint64_t compression = std::uint64_t{512} << 10U;
  /// The answer to what is asked for before an attempt, and what is made of it.
  static constexpr std::uint64_t prepare = std::uint64_t{3} << 20U;
  /// The largest value of a variable of a script.
  static constexpr std::uint64_t variable = std::uint64_t{64} << 10U;
  /// A regular expression (config/regular_expression.hpp).
  static constexpr std::uint64_t expression = std::uint64_t{1} << 20U;
  /// A message in an outbox, beside its payload.
  static constexpr std::uint64_t outbox_message = 256;

  /// A local app whatever it does; what it sends and does not read counts as `in_flight`.
  static constexpr std::uint64_t client = std::uint64_t{32} << 10U;
  /// The largest of the daemon's own events.
  static constexpr std::uint64_t event = std::uint64_t{16} << 10U;
  /// Forms that one connection's messages can be encoded in, without filters.
  static constexpr std::uint64_t encodings = 3;

  /// Descriptors: of the program and its log, of each thread (epoll, its timer, its wake-up, two
  /// for a name look-up), of clients of the metrics listener.
  static constexpr std::uint64_t program_descriptors = 32;
  static constexpr std::uint64_t thread_descriptors = 16;
  static constexpr std::uint64_t monitors = 256;
  /// What local apps leave to each connection, and how many of them are let in all the same.
  static constexpr std::uint64_t descriptors_per_connection = 2;
  static constexpr std::uint64_t least_clients = 16;
};

/// Bytes of a ring's memory: index and messages, of which each page is touched sooner or later.
[[nodiscard]] std::uint64_t ring_bytes(std::uint64_t history, std::uint64_t max_message) noexcept;

/// Bytes that one connection can take.
struct ConnectionCapacity {
  std::string name;
  std::uint64_t ring = 0;       ///< filled by every connection that receives long enough
  std::uint64_t fixed = 0;      ///< whatever it does, with its page tables
  std::uint64_t sending = 0;    ///< while upstream takes nothing
  std::uint64_t receiving = 0;  ///< what is inflated, or passed on in parts
  std::uint64_t outbox = 0;
  std::uint64_t script = 0;  ///< what is prepared, variables, regular expressions

  [[nodiscard]] std::uint64_t beside_ring() const noexcept {
    return fixed + sending + receiving + outbox + script;
  }
  [[nodiscard]] std::uint64_t total() const noexcept { return ring + beside_ring(); }
};

/// Bytes that all local apps together can take, as many as the limits let in.
struct LocalCapacity {
  std::uint64_t clients = 0;
  std::uint64_t in_flight = 0;
  std::uint64_t readers = 0;  ///< batches that were made for them and that they do not read
  std::uint64_t filters = 0;  ///< and what these remember of messages

  [[nodiscard]] std::uint64_t total() const noexcept {
    return clients + in_flight + readers + filters;
  }
};

struct DescriptorCapacity {
  std::uint64_t process = 0;      ///< the daemon itself, its listeners, who scrapes it
  std::uint64_t connections = 0;  ///< all connect at once, to as many addresses as they may
  std::uint64_t clients = 0;
  std::uint64_t needed = 0;  ///< with fewer, connections cannot all be held

  [[nodiscard]] std::uint64_t total() const noexcept { return process + connections + clients; }
};

struct Capacity {
  std::uint64_t process = 0;  ///< bytes: the program, its threads, TLS settings, the log, events
  std::vector<ConnectionCapacity> connections;  ///< in the order of the file
  LocalCapacity local;
  DescriptorCapacity descriptors;

  [[nodiscard]] std::uint64_t rings() const noexcept;
  [[nodiscard]] std::uint64_t beside_rings() const noexcept;
  /// Without local apps: what is taken as time goes by, and by upstreams that do not read.
  [[nodiscard]] std::uint64_t upstreams() const noexcept {
    return process + rings() + beside_rings();
  }
  [[nodiscard]] std::uint64_t total() const noexcept { return upstreams() + local.total(); }
};

/// Without what the kernel holds for sockets. Messages that a reader gets as JSON are reckoned with
/// twice their size.
[[nodiscard]] Capacity capacity(const Config& config);

}  // namespace wskeep::config
