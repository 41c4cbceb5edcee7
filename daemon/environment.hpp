#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "daemon/error.hpp"
#include "daemon/net/transport.hpp"

namespace wskeep::daemon {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using WallTime = std::chrono::system_clock::time_point;
using Endpoint = boost::asio::ip::tcp::endpoint;

/// What one dial went through, filled in while it goes, so that it is right also when it is cut
/// off.
struct DialProgress {
  enum class Stage : std::uint8_t { tcp, proxy, tls, done };
  Stage stage = Stage::tcp;
  TimePoint started;
  TimePoint connected;  ///< TCP was there; only from `proxy` on
  TimePoint proxied;    ///< the proxy let us through; only with one, and only from `tls` on
  TimePoint secured;    ///< TLS was there; only at `done`
};

/// Stands between TCP and what comes behind it, so that of several addresses only one goes on.
class DialGate {
 public:
  /// Called once when TCP is there; the dial goes on when it ends. Ends promptly when cancelled.
  [[nodiscard]] virtual boost::asio::awaitable<void> pass() = 0;

 protected:
  ~DialGate() = default;
};

/// What a name is.
struct Resolved {
  std::vector<Endpoint> endpoints;  ///< in no promised order
  std::chrono::seconds ttl{0};      ///< how long that holds; max(): it does not change
};

/// A proxy that stands between us and upstream.
struct Proxy {
  enum class Kind : std::uint8_t { http, https, socks5 };
  Kind kind = Kind::http;
  std::string host;  ///< of the proxy, as config::Url has it
  std::uint16_t port = 0;
  std::string user;  ///< empty: no credentials
  std::string password;
};

/// A program that is run for its output. It is given nothing but this and what every program needs
/// (PATH, HOME, the locale, ...).
struct Command {
  std::vector<std::string> arguments;    ///< the program's path first
  std::vector<std::string> environment;  ///< `NAME=VALUE`
  std::chrono::milliseconds timeout{0};
  std::size_t max_output = 0;  ///< bytes
};

/// How it ended. Nothing of it is left running, nor of what it started in its process group.
struct CommandEnd {
  enum class Kind : std::uint8_t {
    exited,     ///< by itself, `code` being its status
    signalled,  ///< `code` is the signal
    timed_out,
    output_too_large,
  };
  Kind kind = Kind::exited;
  int code = 0;
  std::string output;
  std::string errors;  ///< the beginning of what it wrote to standard error
};

using CommandResult = std::variant<CommandEnd, Failure>;
using ResolveResult = std::variant<Resolved, Failure>;
using DialResult = std::variant<std::unique_ptr<net::Transport>, Failure>;

/// The one seam to all that our code does not decide: time, chance, names, the network. Real in the
/// daemon, scripted in tests. One per shard; used on that shard's thread only.
///
/// The awaitables end promptly when the awaiting coroutine is cancelled (terminal cancellation):
/// with Error::stopped where they have a result; never with an exception of their own.
class Environment {
 public:
  virtual ~Environment() = default;

  [[nodiscard]] virtual boost::asio::any_io_executor executor() = 0;
  [[nodiscard]] virtual TimePoint now() const = 0;
  [[nodiscard]] virtual WallTime wall_now() const = 0;

  /// A number for policies (jitter, order): 64 uniform bits. Not for secrets.
  [[nodiscard]] virtual std::uint64_t random() = 0;

  /// Four unpredictable bytes at a time for masking keys and handshake keys (RFC 6455, 10.3).
  [[nodiscard]] virtual std::uint32_t unpredictable() = 0;

  /// A flag that coroutines wait on, with a clock.
  class Alarm {
   public:
    virtual ~Alarm() = default;
    /// Ends at `deadline` (TimePoint::max(): never), or when `wake` is called, or was called since
    /// the last wait ended.
    [[nodiscard]] virtual boost::asio::awaitable<void> wait_until(TimePoint deadline) = 0;
    virtual void wake() = 0;
  };
  [[nodiscard]] virtual std::unique_ptr<Alarm> make_alarm() = 0;

  /// Addresses of a name. Address literals (with zone id) do not ask anybody.
  [[nodiscard]] virtual boost::asio::awaitable<ResolveResult> resolve(
      std::string host, std::uint16_t port, config::Family family,
      std::chrono::milliseconds timeout) = 0;

  /// TCP to `endpoint`; then, where there is a proxy, what it takes to be let through to `host` and
  /// `port`; then, where `secure`, TLS with `tls` and `host` for SNI and the host check. `progress`
  /// and what pointers point to outlive the call.
  struct DialTarget {
    Endpoint endpoint;  ///< of the proxy, where there is one
    bool secure = false;
    std::string host;
    std::uint16_t port = 0;
    const config::Tls* tls = nullptr;
    DialGate* gate = nullptr;                   ///< nullptr: nothing to wait for
    const Proxy* proxy = nullptr;               ///< nullptr: none
    const config::Tls* proxy_tls = nullptr;     ///< for a proxy of Kind::https
    std::chrono::milliseconds user_timeout{0};  ///< TCP_USER_TIMEOUT; 0: the system's
    std::chrono::milliseconds probe_after{0};   ///< TCP keep-alive when idle for that; 0: none
  };
  [[nodiscard]] virtual boost::asio::awaitable<DialResult> dial(DialTarget target,
                                                                DialProgress& progress) = 0;

  /// Runs a program to its end, or ends it. Fails where it cannot be started.
  [[nodiscard]] virtual boost::asio::awaitable<CommandResult> run_command(Command command) = 0;
};

}  // namespace wskeep::daemon
