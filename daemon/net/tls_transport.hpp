#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <memory>
#include <optional>
#include <string>

#include "daemon/net/readiness.hpp"
#include "daemon/net/socket_bio.hpp"
#include "daemon/net/tls_context.hpp"
#include "daemon/net/transport.hpp"

struct ssl_st;

namespace wskeep::net {

/// TLS over a socket, on the side of the client.
class TlsTransport final : public Transport {
 public:
  /// `name`: for SNI (unless it is an address) and for the check of the certificate.
  /// `server`: what sessions are resumed by; name and port. Takes the descriptor over.
  TlsTransport(boost::asio::any_io_executor executor, int descriptor,
               std::shared_ptr<TlsContext> context, const std::string& name, std::string server);

  /// The same within another TLS that is open: that of a proxy.
  TlsTransport(std::unique_ptr<TlsTransport> outer, std::shared_ptr<TlsContext> context,
               const std::string& name, std::string server);
  ~TlsTransport() override;

  /// One step of the handshake. `done` (with no bytes): it is over, and the transport is open.
  /// `would_block`: call again when the socket is ready for `waits_for()`. Else `failure()` says
  /// why not.
  [[nodiscard]] IoResult handshake();
  [[nodiscard]] Readiness::Direction waits_for() const noexcept { return read_direction_; }
  [[nodiscard]] Readiness::Direction write_waits_for() const noexcept { return write_direction_; }
  [[nodiscard]] const daemon::Failure& failure() const noexcept { return failure_; }
  [[nodiscard]] Readiness& readiness() noexcept { return readiness_; }

  void observe(TransportObserver* observer) noexcept override { readiness_.observe(observer); }
  [[nodiscard]] IoResult read(std::span<std::byte> buffer) noexcept override;
  [[nodiscard]] IoResult write(std::span<const std::byte> data) noexcept override;
  void want_read() override;
  void want_write() override { readiness_.want_write(write_direction_); }
  void shutdown() noexcept override;
  [[nodiscard]] const TransportInformation& information() const noexcept override {
    return information_;
  }
  [[nodiscard]] int descriptor() const noexcept override { return readiness_.descriptor(); }

 private:
  struct FreeSsl {
    void operator()(ssl_st* ssl) const noexcept;
  };

  void begin(const std::string& name);
  void set_name(const std::string& name);
  void describe();
  [[nodiscard]] IoResult stopped(int code, Readiness::Direction& direction) noexcept;
  [[nodiscard]] daemon::Failure handshake_failure() const;

  std::unique_ptr<TlsTransport> outer_;  ///< nullptr: directly over the socket
  std::optional<Readiness> own_;         ///< without `outer_`
  Readiness& readiness_;                 ///< of the socket, there is but one
  SocketBio bio_;
  TlsPeer peer_;
  std::unique_ptr<ssl_st, FreeSsl> ssl_;  ///< behind what it points to
  TransportInformation information_;
  daemon::Failure failure_;
  IoResult read_end_;  ///< not would_block: how reading ended, for the next read to tell
  Readiness::Direction read_direction_ = Readiness::Direction::read;
  Readiness::Direction write_direction_ = Readiness::Direction::write;
  bool more_ = false;    ///< the last read ended because the caller's buffer was full
  bool broken_ = false;  ///< OpenSSL failed: no close_notify any more
};

}  // namespace wskeep::net
