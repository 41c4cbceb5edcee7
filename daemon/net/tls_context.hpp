#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "daemon/error.hpp"
#include "daemon/net/certificate_check.hpp"
#include "daemon/net/file_stamp.hpp"

struct ssl_st;
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
  /// `ciphers_limited`: the settings allow fewer ciphers than OpenSSL would.
  TlsContext(std::unique_ptr<ssl_ctx_st, FreeTls> context, CertificateRules rules,
             bool ciphers_limited)
      : context_(std::move(context)), rules_(std::move(rules)), ciphers_limited_(ciphers_limited) {}

  [[nodiscard]] ssl_ctx_st* native() const noexcept { return context_.get(); }
  [[nodiscard]] const CertificateRules& rules() const noexcept { return rules_; }
  [[nodiscard]] bool ciphers_limited() const noexcept { return ciphers_limited_; }

  /// `key` tells servers apart: name and port.
  void keep_session(const std::string& key, TlsSession session);

  /// The newest session for that server, or nullptr. One of TLS 1.3 is given out once (RFC 8446,
  /// C.4).
  [[nodiscard]] TlsSession take_session(const std::string& key);

  /// Sessions kept at once; the oldest is dropped.
  static constexpr std::size_t session_capacity = 256;

 private:
  std::unique_ptr<ssl_ctx_st, FreeTls> context_;
  CertificateRules rules_;
  bool ciphers_limited_;
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
  std::vector<daemon::Failure> ignored_faults{};  ///< see TransportInformation
};

/// Has the SSL object, to which its TlsPeer is known, resume the newest session with that server,
/// where there is one that would be accepted now.
void offer_session(ssl_st* ssl, TlsPeer& peer);

/// The TLS contexts of the process. One is made for each distinct setting and shared, since one
/// with the system's authorities costs some 40 ms and 1 MiB. Any thread may call.
class TlsContexts {
 public:
  using Result = std::variant<std::shared_ptr<TlsContext>, daemon::Failure>;

  /// The context for these settings, made anew when one of its files has changed on disk; the
  /// sessions of the old one are not resumed. Fails with Error::configuration when a file is gone
  /// or is not what it should be, or a setting is not.
  [[nodiscard]] Result get(const config::Tls& settings);

  /// Contexts kept at once; beyond, the one not asked for longest is dropped (connections that use
  /// it keep it).
  static constexpr std::size_t capacity = 64;

 private:
  struct Entry {
    config::Tls settings;
    std::vector<FileStamp> stamps;
    std::shared_ptr<TlsContext> context;
  };

  std::mutex mutex_;
  std::vector<Entry> entries_;  ///< the last asked for is at the back
};

}  // namespace wskeep::net
