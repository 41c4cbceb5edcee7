#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "daemon/error.hpp"

namespace wskeep::net {

/// One certificate of the chain that the peer showed.
struct Certificate {
  std::string subject;
  std::string issuer;
  std::vector<std::string> names;  ///< DNS:..., IP:...
  std::string not_before;          ///< RFC 3339, UTC
  std::string not_after;
  std::string sha256;  ///< of the DER, lower-case hexadecimal
  std::string pin;     ///< base64 of SHA-256 over the SubjectPublicKeyInfo, as `tls.pin_sha256`
  std::chrono::sys_seconds expires{};  ///< not_after, to calculate with
};

/// What is known of an open transport. Strings are empty where there is nothing to say.
struct TransportInformation {
  std::string local_address;  ///< ADDRESS:PORT
  std::string remote_address;
  std::string tls_version;  ///< "TLSv1.3"
  std::string cipher;
  bool resumed = false;
  /// The server's certificate passed every check. False without TLS, with `tls.verify: false`, and
  /// when faults were passed over.
  bool verified = false;
  /// What is wrong with the server's certificates and was passed over, because of `tls.verify:
  /// false` or `tls.ignore`; each fault of each certificate once.
  std::vector<daemon::Failure> ignored_faults;
  /// The server asked for a client certificate, and none is configured.
  bool client_certificate_missing = false;
  std::vector<Certificate> certificates;  ///< the server's own first
};

struct IoResult {
  enum class Status : std::uint8_t {
    done,         ///< `bytes` > 0 were read or written
    would_block,  ///< nothing now: call want_read or want_write
    end,          ///< orderly end of the stream (TLS close_notify, or a bare FIN: `failure` is
                  ///< tls_truncated)
    failed,       ///< see `failure`
  };
  Status status = Status::would_block;
  std::size_t bytes = 0;
  daemon::Error error = daemon::Error::none;
};

/// Told when a transport can go on. Each call answers one want_*; calls come from the transport's
/// executor, never from within want_*, read or write.
class TransportObserver {
 public:
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;

 protected:
  ~TransportObserver() = default;
};

/// An open byte stream, TCP or TLS over it. Non-blocking; belongs to one shard's thread.
class Transport {
 public:
  virtual ~Transport() = default;  ///< closes; no observer is called afterwards

  /// Who is told; nullptr: nobody. May be changed at any time.
  virtual void observe(TransportObserver* observer) noexcept = 0;

  [[nodiscard]] virtual IoResult read(std::span<std::byte> buffer) noexcept = 0;

  /// Takes as much as it can. After would_block or a partial write, the next call must begin with
  /// the same bytes (they may lie elsewhere in memory).
  [[nodiscard]] virtual IoResult write(std::span<const std::byte> data) noexcept = 0;

  /// Asks for one on_readable; also when bytes lie decrypted already. Asking twice is asking once.
  virtual void want_read() = 0;
  virtual void want_write() = 0;

  /// No more writes: close_notify (best effort) and FIN.
  virtual void shutdown() noexcept = 0;

  /// Made once, when the transport was opened.
  [[nodiscard]] virtual const TransportInformation& information() const noexcept = 0;

  /// The kernel's socket, or -1 for a transport without one.
  [[nodiscard]] virtual int descriptor() const noexcept = 0;
};

}  // namespace wskeep::net
