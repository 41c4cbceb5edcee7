#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/text.hpp"
#include "config/url.hpp"

/// What the user writes, as typed values. Every member's initial value is the default that the
/// documents name. Durations of zero mean "off" only where the comment says so.
namespace wskeep::config {

using Milliseconds = std::chrono::milliseconds;

struct Timeouts {
  Milliseconds connect{60'000};  ///< a whole cycle: names, all addresses, TLS, upgrade
  Milliseconds address{10'000};  ///< one address: TCP, TLS, upgrade
  Milliseconds resolve{5'000};   ///< the name look-up
  Milliseconds send{30'000};     ///< bytes queued for upstream and none accepted
  Milliseconds receive{30'000};  ///< nothing at all from upstream, pongs included
  Milliseconds message{30'000};  ///< a message begun and not ended
  Milliseconds close{5'000};     ///< from our Close frame to the end of the TCP connection
};

enum class Family : std::uint8_t { any, ipv4, ipv6 };

/// RFC 8305, section 5.
struct Fallback {
  Milliseconds delay{250};      ///< until the next address is started beside one that hangs
  std::uint32_t addresses = 5;  ///< how many of a name's addresses a cycle tries
  Family family = Family::any;
};

/// Full jitter: the wait is drawn between zero and min(max, initial * 2^failures).
struct Reconnect {
  Milliseconds initial{500};
  Milliseconds max{30'000};
  Milliseconds stable_after{10'000};  ///< a session this old resets the back-off
};

struct Keepalive {
  Milliseconds ping{10'000};  ///< 0: no pings from us
};

enum class TlsVersion : std::uint8_t { tls1_2, tls1_3 };

struct Tls {
  std::string ca;           ///< PEM file of accepted authorities; empty: the system's
  std::string certificate;  ///< PEM file of the client certificate chain; empty: none
  std::string key;          ///< PEM file of its private key
  std::string server_name;  ///< for SNI and the host check; empty: the URL's host
  TlsVersion min_version = TlsVersion::tls1_2;

  friend bool operator==(const Tls&, const Tls&) = default;
};

/// What a plain subscriber that was lapped gets: the end of its connection, or the messages that
/// are left.
enum class Gap : std::uint8_t { close, skip };

/// Everything that can stand under `defaults` as well as in a connection.
struct ConnectionSettings {
  Timeouts timeouts;
  Fallback fallback;
  Reconnect reconnect;
  Keepalive keepalive;
  Tls tls;
  std::vector<std::pair<std::string, Text>> headers;  ///< in the order of the file
  std::vector<std::string> subprotocols;
  bool compression = false;               ///< offer permessage-deflate (RFC 7692)
  std::uint64_t history = 1U << 20U;      ///< bytes of the ring
  std::uint64_t max_message = 1U << 20U;  ///< bytes of one message's payload, after inflating
  std::uint64_t send_buffer = 1U << 20U;  ///< bytes waiting for upstream before publishers wait
  Milliseconds patience{100};  ///< how long a reader about to be lapped may hold upstream up
  Gap gap = Gap::close;
};

struct Connection {
  std::string name;  ///< [A-Za-z0-9_.-]{1,64}, stands in URLs and metric labels
  Text url;          ///< read anew at each attempt
  ConnectionSettings settings;
};

struct IpcLimits {
  std::uint32_t clients = 4096;             ///< local sockets at once
  std::uint64_t request_head = 16U << 10U;  ///< bytes of a request line and its headers
  std::uint64_t subscriber_buffer =
      256U << 10U;               ///< bytes of encoded messages a reader may leave unread
  Milliseconds request{10'000};  ///< from the first byte of a request to its last
  Milliseconds idle{60'000};     ///< a kept-alive HTTP client that asks nothing
};

struct Ipc {
  std::string socket = "/run/wskeep/wskeep.sock";
  std::uint32_t mode = 0660;  ///< of the socket file
  std::string group;          ///< that owns the socket file; empty: the daemon's own
  IpcLimits limits;
};

struct Metrics {
  std::string listen;  ///< ADDRESS:PORT; empty: only on the local socket
};

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };

struct Log {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::text;
};

struct Config {
  Ipc ipc;
  Metrics metrics;
  Log log;
  std::uint32_t threads = 1;            ///< shards, 1 to 64
  Milliseconds shutdown{5'000};         ///< from SIGTERM to the end of the process
  std::vector<Connection> connections;  ///< in the order of the file
};

}  // namespace wskeep::config
