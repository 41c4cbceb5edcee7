#pragma once

#include <openssl/bio.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <string>

#include "tests/unit/daemon/transport_world.hpp"

/// Proxies that a test scripts, by blocking calls in the thread of a TestServer, and dials through
/// them.
namespace wskeep::net {

using daemon::DialProgress;
using daemon::Proxy;
using Ssl = std::unique_ptr<SSL, TestTls::Free>;

/// The bytes of a client, plain or in TLS.
struct ProxyPeer {
  int descriptor = -1;
  SSL* ssl = nullptr;

  /// Exactly so many; fewer when the client ends.
  std::string read(std::size_t size) const {
    std::string bytes;
    while (bytes.size() < size) {
      char byte = 0;
      const bool got =
          ssl != nullptr ? SSL_read(ssl, &byte, 1) == 1 : ::recv(descriptor, &byte, 1, 0) == 1;
      if (!got) break;
      bytes += byte;
    }
    return bytes;
  }
  std::string read_head() const {
    std::string head;
    while (!head.ends_with("\r\n\r\n")) {
      const std::string byte = read(1);
      if (byte.empty()) break;
      head += byte;
    }
    return head;
  }
  void send(const std::string& bytes) const {
    if (ssl != nullptr)
      SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()));
    else
      ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  /// A byte at a time, each on its way before the next.
  void drip(const std::string& bytes) const {
    for (const char byte : bytes) {
      send(std::string(1, byte));
      ::usleep(500);
    }
  }
  void wait_for_end() const { (void)read(1U << 20U); }
};

/// TLS of a server within the TLS to a proxy. `outer` outlives it.
inline Ssl accept_within(const TestTls& tls, SSL* outer) {
  Ssl inner(SSL_new(tls.context()));
  BIO* bio = BIO_new(BIO_f_ssl());
  BIO_set_ssl(bio, outer, BIO_NOCLOSE);
  SSL_set_bio(inner.get(), bio, bio);
  if (SSL_accept(inner.get()) != 1) inner.reset();
  return inner;
}

/// One dial, with everything that it points to.
class ProxiedDial {
 public:
  ProxiedDial(Proxy::Kind kind, std::uint16_t port, bool secure)
      : proxy{kind, "127.0.0.1", port, {}, {}}, tls(authority().client()), proxy_tls(tls) {
    target.endpoint = {boost::asio::ip::address_v4::loopback(), port};
    target.secure = secure;
    target.host = "example.com";
    target.port = 443;
    target.tls = &tls;
    target.proxy = &proxy;
    target.proxy_tls = &proxy_tls;
  }
  ProxiedDial(const ProxiedDial&) = delete;
  ProxiedDial& operator=(const ProxiedDial&) = delete;

  Proxy proxy;
  config::Tls tls;
  config::Tls proxy_tls;
  daemon::Environment::DialTarget target;
  DialProgress progress;

  DialResult run(RealNetwork& network) {
    return network.await(network.environment.dial(target, progress));
  }

  void start(RealNetwork& network) {
    boost::asio::co_spawn(
        network.context, network.environment.dial(target, progress),
        boost::asio::bind_cancellation_slot(
            stop.slot(), [this](const std::exception_ptr& thrown, DialResult value) {
              EXPECT_FALSE(thrown);
              result = std::move(value);
            }));
  }
  boost::asio::cancellation_signal stop;
  std::optional<DialResult> result;
};

}  // namespace wskeep::net
