#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "daemon/error.hpp"

struct ssl_ctx_st;
struct ssl_session_st;

namespace wskeep::net {

struct FreeTls {
  void operator()(ssl_ctx_st* context) const noexcept;
  void operator()(ssl_session_st* session) const noexcept;
};
using TlsSession = std::unique_ptr<ssl_session_st, FreeTls>;

/// An SSL_CTX and the sessions to resume that were made with it. Shared by all connections with the
/// same settings; any thread may call.
class TlsContext {
 public:
  explicit TlsContext(std::unique_ptr<ssl_ctx_st, FreeTls> context)
      : context_(std::move(context)) {}

  [[nodiscard]] ssl_ctx_st* native() const noexcept { return context_.get(); }

  /// `key` tells servers apart: name and port.
  void keep_session(const std::string& key, TlsSession session);

  /// The newest session for that server, or nullptr. One of TLS 1.3 is given out once (RFC 8446,
  /// C.4).
  [[nodiscard]] TlsSession take_session(const std::string& key);

  /// Sessions kept at once; the oldest is dropped.
  static constexpr std::size_t session_capacity = 256;

 private:
  std::unique_ptr<ssl_ctx_st, FreeTls> context_;
  std::mutex mutex_;
  std::deque<std::pair<std::string, TlsSession>> sessions_;  ///< oldest first
};

/// What OpenSSL's callbacks learn about one connection. The SSL object's application data points to
/// it; whoever makes an SSL object with a TlsContext sets it and lets it live as long.
struct TlsPeer {
  std::shared_ptr<TlsContext> context;
  std::string session_key;
  daemon::Failure refusal;  ///< why the peer's certificate was refused; Error::none: was not
  bool certificate_missing = false;  ///< the peer asked for a client certificate, and there is none
};

/// The TLS contexts of the process. One is made for each distinct setting and shared, since one
/// with the system's authorities costs some 40 ms and 1 MiB. Any thread may call.
class TlsContexts {
 public:
  using Result = std::variant<std::shared_ptr<TlsContext>, daemon::Failure>;

  /// The context for these settings, made anew when one of its files has changed on disk. Fails
  /// with Error::configuration when a file is gone or is not what it should be.
  [[nodiscard]] Result get(const config::Tls& settings);

  /// Contexts kept at once; beyond, the one not asked for longest is dropped (connections that use
  /// it keep it).
  static constexpr std::size_t capacity = 64;

 private:
  /// A file as it was when it was read.
  struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::int64_t size = 0;
    std::int64_t changed = 0;  ///< nanoseconds
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  struct Entry {
    config::Tls settings;
    std::vector<Stamp> stamps;
    std::shared_ptr<TlsContext> context;
  };
  [[nodiscard]] static std::vector<Stamp> stamps_of(const config::Tls& settings);

  std::mutex mutex_;
  std::vector<Entry> entries_;  ///< the last asked for is at the back
};

}  // namespace wskeep::net
