#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/template.hpp"
#include "config/text.hpp"
#include "config/url.hpp"

/// What the user writes, as typed values. Every member's initial value is the default that the
/// documents name. Durations of zero mean "off" only where the comment says so.
namespace wskeep::config {

using Milliseconds = std::chrono::milliseconds;

/// So many in any stretch of that length: `300/5m`.
struct Rate {
  std::uint32_t count = 0;  ///< 0: no limit
  Milliseconds per{0};

  [[nodiscard]] bool off() const noexcept { return count == 0; }
  friend bool operator==(const Rate&, const Rate&) = default;
};

/// So many bytes in any stretch of that length: `1MiB/1s`.
struct ByteRate {
  std::uint64_t bytes = 0;  ///< 0: no limit
  Milliseconds per{0};

  [[nodiscard]] bool off() const noexcept { return bytes == 0; }
  friend bool operator==(const ByteRate&, const ByteRate&) = default;
};

/// How fast local apps may publish.
struct PublishLimits {
  Rate rate;       ///< messages
  ByteRate bytes;  ///< of their payload

  [[nodiscard]] bool off() const noexcept { return rate.off() && bytes.off(); }
  friend bool operator==(const PublishLimits&, const PublishLimits&) = default;
};

/// An entry of a list of who may do something. Names are looked up when the file is read.
struct Principal {
  enum class Kind : std::uint8_t {
    anyone,  ///< whoever may open the socket
    daemon,  ///< the user that the daemon runs as
    user,
    group,
  };
  Kind kind = Kind::anyone;
  std::uint32_t id = 0;  ///< of the user or the group
  std::string text{};    ///< as in the file

  friend bool operator==(const Principal&, const Principal&) = default;
};

using Principals = std::vector<Principal>;

/// Who may do what. Nothing: what stands further out holds.
struct Access {
  std::optional<Principals> subscribe{};
  std::optional<Principals> publish{};
  std::optional<Principals> control{};

  friend bool operator==(const Access&, const Access&) = default;
};

struct Timeouts {
  Milliseconds connect{60'000};   ///< a whole cycle: names, all addresses, proxy, TLS, upgrade
  Milliseconds address{10'000};   ///< one address: TCP, proxy, TLS, upgrade
  Milliseconds resolve{5'000};    ///< the name look-up
  Milliseconds send{30'000};      ///< bytes queued for upstream and none accepted
  Milliseconds receive{30'000};   ///< nothing at all from upstream, pongs included
  Milliseconds message{30'000};   ///< a message begun and not ended
  Milliseconds first_message{0};  ///< from the 101 to the first whole message; 0: off
  Milliseconds silence{0};        ///< between whole messages, whatever pings say; 0: off
  Milliseconds close{5'000};      ///< from our Close frame to the end of the TCP connection
  Milliseconds publish{10'000};   ///< within a message that is sent in parts, nothing from its app
};

enum class Family : std::uint8_t { any, ipv4, ipv6 };

/// In which order the URLs of one connection are tried within a cycle.
enum class UrlOrder : std::uint8_t { listed, shuffled };

/// RFC 8305, section 5.
struct Fallback {
  Milliseconds delay{250};      ///< until the next address is started beside one that hangs
  std::uint32_t addresses = 5;  ///< how many of a name's addresses a cycle tries
  Family family = Family::any;
  UrlOrder urls = UrlOrder::listed;
};

/// What follows a refusal: the usual back-off, the slowest pace at once, or nothing until a person
/// says so.
enum class Verdict : std::uint8_t { retry, slow, stop };

/// The verdict on a range of HTTP statuses or close codes. Of several that hold a code the
/// narrowest counts, and of equally narrow ones the last.
struct CodeRule {
  std::uint16_t first = 0;
  std::uint16_t last = 0;  ///< inclusive
  Verdict verdict = Verdict::retry;

  friend bool operator==(const CodeRule&, const CodeRule&) = default;
};

/// Full jitter: the wait is drawn between zero and min(max, initial * 2^failures).
struct Reconnect {
  Milliseconds initial{500};
  Milliseconds max{30'000};
  Milliseconds stable_after{10'000};        ///< a session this old resets the back-off
  Rate budget{300, Milliseconds{300'000}};  ///< connects (TCP) of this connection
  std::vector<CodeRule> on_status{};  ///< by HTTP status; go before what upstream/policy.hpp has
  std::vector<CodeRule> on_close{};   ///< by WebSocket close code; likewise
  /// After what only a person can mend: a certificate, a file, credentials for a proxy.
  Verdict on_lasting = Verdict::slow;
};

struct Keepalive {
  Milliseconds ping{10'000};  ///< 0: no pings from us
  Milliseconds pong{0};       ///< unsolicited pongs (RFC 6455, 5.5.3); 0: none
};

enum class TlsVersion : std::uint8_t { tls1_2, tls1_3 };

/// Faults of a server's certificate that can be passed over, one by one.
enum class CertificateFault : std::uint8_t {
  expired,
  not_yet_valid,
  name_mismatch,
  self_signed,
  issuer_unknown,
  untrusted,
  revoked,
  revocation_unknown,
};

struct Tls {
  std::string ca;  ///< PEM file of accepted authorities, or a directory as c_rehash makes it;
                   ///< empty: the system's
  std::string certificate;              ///< PEM file of the client certificate chain; empty: none
  std::string key;                      ///< PEM file of its private key
  std::string pkcs12;                   ///< PKCS#12 file instead of the two
  Text password;                        ///< of `key` or `pkcs12`; read when the file is
  std::string server_name;              ///< for SNI and the host check; empty: the URL's host
  std::vector<std::string> pin_sha256;  ///< base64 of SHA-256 over the SubjectPublicKeyInfo of any
                                        ///< certificate of the chain; empty: any key
  TlsVersion min_version = TlsVersion::tls1_2;
  std::string ciphers;       ///< OpenSSL's list for TLS 1.2; empty: OpenSSL's default
  std::string ciphersuites;  ///< for TLS 1.3, likewise
  std::string crl;           ///< PEM file of revocation lists; empty: revocation is not checked
  bool verify = true;        ///< false: any certificate will do; only pins are still checked
  std::vector<CertificateFault> ignore;  ///< passed over, in ascending order, none twice

  friend bool operator==(const Tls&, const Tls&) = default;
};

/// What a plain subscriber that was lapped gets: the end of its connection, or the messages that
/// are left.
enum class Gap : std::uint8_t { close, skip };

/// How a message of more than `max_message` is passed on: not at all, or in parts as they come.
enum class Passing : std::uint8_t { message, stream };

/// Messages of local apps that wait until the connection is ready.
struct Outbox {
  std::uint32_t messages = 1000;
  std::uint64_t bytes = 1U << 20U;  ///< of their payload
  Milliseconds ttl{0};              ///< how long one may wait; 0: none waits
};

/// Exclusive, and so with a header Authorization or a user in the URL.
struct Authorization {
  Template basic;   ///< "user:password"
  Template bearer;  ///< the token
};

/// Addresses of a host that no name server is asked for.
struct ResolveOverride {
  std::string host;
  std::uint16_t port = 0;  ///< 0: any
  std::vector<std::string> addresses;

  friend bool operator==(const ResolveOverride&, const ResolveOverride&) = default;
};

enum class LogLevel : std::uint8_t { trace, debug, info, warning, error };

struct SessionScript;  // config/session.hpp

/// Everything that can stand under `defaults` as well as in a connection.
struct ConnectionSettings {
  Timeouts timeouts;
  Fallback fallback;
  Reconnect reconnect;
  Keepalive keepalive;
  Tls tls;
  Text proxy;     ///< URL: http, https, socks5; "environment"; empty: none
  Tls proxy_tls;  ///< for an https proxy
  std::vector<ResolveOverride> resolve;
  Authorization authorization;
  std::uint32_t redirects = 0;                            ///< how many are followed in a row
  std::vector<std::pair<std::string, Template>> headers;  ///< in the order of the file
  std::vector<std::string> subprotocols;
  bool compression = false;               ///< offer permessage-deflate (RFC 7692)
  std::uint64_t history = 1U << 20U;      ///< bytes of the ring
  std::uint64_t max_message = 1U << 20U;  ///< bytes of one message's payload, after inflating
  std::uint64_t send_buffer = 1U << 20U;  ///< bytes waiting for upstream before publishers wait
  Passing receive = Passing::message;
  Passing send = Passing::message;
  Outbox outbox;
  Rate send_rate;            ///< frames to upstream, control frames too
  Milliseconds lifetime{0};  ///< a session is renewed when it is that old; 0: never
  std::shared_ptr<const SessionScript> session{};  ///< null: nothing is said or awaited
  Milliseconds patience{100};  ///< how long a reader about to be lapped may hold upstream up
  Gap gap = Gap::close;
  PublishLimits publish;                ///< of all local apps together
  Access access;                        ///< nothing: what `ipc.access` says
  std::optional<LogLevel> log_level{};  ///< of what is logged about it; nothing: `log.level`
};

struct Connection {
  std::string name;            ///< [A-Za-z0-9_.-]{1,64}, stands in URLs and metric labels
  std::vector<Template> urls;  ///< one or more; read anew at each attempt
  ConnectionSettings settings;
};

struct IpcLimits {
  std::uint32_t clients = 4096;                 ///< local sockets at once
  std::uint32_t clients_per_user = 2048;        ///< and of any one uid
  std::uint32_t subscriptions = 4096;           ///< local apps that read, at once
  std::uint32_t subscriptions_per_user = 2048;  ///< and of any one uid
  std::uint32_t reserved_descriptors = 64;      ///< file descriptors that no local app gets
  std::uint64_t in_flight = 256U << 20U;        ///< bytes held for local apps, over all of them
  PublishLimits publish;                        ///< of any one client
  std::uint64_t request_head = 16U << 10U;      ///< bytes of a request line and its headers
  std::uint64_t subscriber_buffer =
      256U << 10U;                     ///< bytes of encoded messages a reader may leave unread
  Milliseconds request{10'000};        ///< from the first byte of a request to its last
  Milliseconds idle{60'000};           ///< a kept-alive HTTP client that asks nothing
  Milliseconds comments{15'000};       ///< between two comments to who reads server-sent events
  std::uint32_t filters = 64;          ///< different ones on one connection
  std::uint64_t filter = 4U << 10U;    ///< bytes of one filter's text
  std::uint64_t events = 256U << 10U;  ///< bytes of the daemon's own events that are kept
};

/// A Unix socket beside `ipc.socket`.
struct LocalSocket {
  std::string path;
  std::uint32_t mode = 0660;
  std::string group;  ///< empty: the daemon's own
  Access access;      ///< for those who come by it, beside what the connection says

  friend bool operator==(const LocalSocket&, const LocalSocket&) = default;
};

struct Ipc {
  std::string socket = "/run/wskeep/wskeep.sock";
  std::uint32_t mode = 0660;         ///< of the socket file
  std::string group;                 ///< that owns the socket file; empty: the daemon's own
  std::vector<LocalSocket> sockets;  ///< further ones
  std::string allow_origin;          ///< for browsers behind a proxy; empty: none
  Access access;
  IpcLimits limits;
};

struct Metrics {
  std::string listen;  ///< ADDRESS:PORT; empty: only on the local socket
};

/// `automatic`: journald where stderr goes to systemd's journal, else text.
enum class LogFormat : std::uint8_t { automatic, text, json, journald };

struct Log {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::automatic;
  Rate rate{20, Milliseconds{10'000}};  ///< lines of one kind about one connection
  std::uint64_t queue = 1U << 20U;      ///< bytes of lines that wait to be written
};

/// Limits of connecting that span connections.
struct Connects {
  Rate per_host;                                    ///< connects (TCP) to any one host of a URL
  std::vector<std::pair<std::string, Rate>> hosts;  ///< instead of it, for these
  std::uint32_t handshakes = 32;                    ///< TLS handshakes at once on one thread
};

struct Config {
  Ipc ipc;
  Metrics metrics;
  Log log;
  std::uint32_t threads = 1;  ///< shards, 1 to 64
  Connects connects;
  std::string state_directory;  ///< where budgets outlive the process; empty: $STATE_DIRECTORY, and
                                ///< where that is not set, nowhere
  bool core_dumps = false;      ///< they hold what the configuration holds
  Milliseconds shutdown{5'000};         ///< from SIGTERM to the end of the process
  std::vector<Connection> connections;  ///< in the order of the file
};

}  // namespace wskeep::config
