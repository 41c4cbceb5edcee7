#include "daemon/net/tls_transport.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <boost/asio/ip/address.hpp>
#include <new>
#include <utility>

#include "daemon/net/certificate.hpp"
#include "daemon/net/socket.hpp"
#include "daemon/net/tls_failure.hpp"

namespace wskeep::net {

using daemon::Error;
using daemon::Failure;
using Status = IoResult::Status;
using Direction = Readiness::Direction;

void TlsTransport::FreeSsl::operator()(ssl_st* ssl) const noexcept {
  SSL_free(ssl);
}

TlsTransport::TlsTransport(boost::asio::any_io_executor executor, int descriptor,
                           std::shared_ptr<TlsContext> context, const std::string& name,
                           std::string server)
    : own_(std::in_place, std::move(executor), descriptor),
      readiness_(*own_),
      bio_(descriptor),
      peer_{std::move(context), std::move(server), {}, false},
      ssl_(SSL_new(peer_.context->native())) {
  begin(name);
}

TlsTransport::TlsTransport(std::unique_ptr<TlsTransport> outer, std::shared_ptr<TlsContext> context,
                           const std::string& name, std::string server)
    : outer_(std::move(outer)),
      readiness_(outer_->readiness_),
      bio_(*outer_),
      peer_{std::move(context), std::move(server), {}, false},
      ssl_(SSL_new(peer_.context->native())) {
  begin(name);
}

void TlsTransport::begin(const std::string& name) {
  BIO* bio = ssl_ ? bio_.make_native() : nullptr;
  if (bio == nullptr) throw std::bad_alloc();
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), &peer_);
  SSL_set_connect_state(ssl_.get());
  set_name(name);
  offer_session(ssl_.get(), peer_);
}

TlsTransport::~TlsTransport() {
  // A session whose connection was cut off without close_notify is as good as any other.
  SSL_set_quiet_shutdown(ssl_.get(), 1);
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

void TlsTransport::set_name(const std::string& name) {
  boost::system::error_code not_an_address;
  const auto address = boost::asio::ip::make_address(name, not_an_address);
  if (!not_an_address) {  // RFC 6066, section 3: no SNI for addresses
    std::string bare = address.to_string();
    bare.resize(std::min(bare.size(), bare.find('%')));
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), bare.c_str());
    return;
  }
  std::string host = name;
  if (host.ends_with('.')) host.pop_back();
  // What the macro SSL_set_tlsext_host_name stands for, without its C cast.
  SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
  SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_set1_host(ssl_.get(), host.c_str());
}

IoResult TlsTransport::handshake() {
  ERR_clear_error();
  bio_.refill();
  const int code = SSL_do_handshake(ssl_.get());
  if (code == 1) {
    failure_ = protocol_failure(ssl_.get());
    if (failure_.error != Error::none) return {Status::failed, 0, failure_.error};
    describe();
    // What came together with the end of the handshake lies within OpenSSL: the socket will not
    // tell of it. With a TLS around ours, it may lie there; then a read that brings nothing is
    // cheaper than to know.
    more_ = SSL_has_pending(ssl_.get()) == 1 || outer_ != nullptr;
    return {Status::done, 0, Error::none};
  }
  const IoResult result = stopped(code, read_direction_);
  if (result.status != Status::would_block) failure_ = handshake_failure();
  ERR_clear_error();
  return result;
}

Failure TlsTransport::handshake_failure() const {
  if (peer_.refusal.error != Error::none) return peer_.refusal;
  if (bio_.ended()) return {Error::connection_closed, "the server closed TCP during the handshake"};
  if (bio_.error() != Error::none) return {bio_.error(), "TCP failed during the handshake"};
  return handshake_failure_of_queue(peer_);
}

void TlsTransport::describe() {
  describe_addresses(readiness_.descriptor(), information_);
  information_.tls_version = SSL_get_version(ssl_.get());
  information_.cipher = SSL_get_cipher_name(ssl_.get());
  information_.resumed = SSL_session_reused(ssl_.get()) == 1;
  information_.verified = peer_.context->rules().verify && peer_.ignored_faults.empty();
  information_.ignored_faults = peer_.ignored_faults;
  information_.client_certificate_missing = peer_.certificate_missing;
  information_.certificates = describe_chain(ssl_.get());
}

IoResult TlsTransport::read(std::span<std::byte> buffer) noexcept {
  if (read_end_.status != Status::would_block) return read_end_;
  if (buffer.empty()) return {};
  ERR_clear_error();
  bio_.refill();
  read_direction_ = Direction::read;
  more_ = false;
  std::size_t done = 0;
  while (done < buffer.size()) {
    std::size_t count = 0;
    const int code = SSL_read_ex(ssl_.get(), buffer.data() + done, buffer.size() - done, &count);
    if (code != 1) {
      read_end_ = stopped(code, read_direction_);
      break;
    }
    done += count;
  }
  more_ = done == buffer.size();
  // A session ticket has OpenSSL take its buffers, and those for writing it would keep until the
  // next write: 16 KiB of each idle connection.
  if (!more_) SSL_free_buffers(ssl_.get());
  if (done == 0) return read_end_;
  return {Status::done, done, Error::none};
}

void TlsTransport::want_read() {
  if (more_ || read_end_.status != Status::would_block)
    readiness_.post_readable();
  else
    readiness_.want_read(read_direction_);
}

IoResult TlsTransport::write(std::span<const std::byte> data) noexcept {
  ERR_clear_error();
  write_direction_ = Direction::write;
  std::size_t done = 0;
  while (done < data.size()) {
    std::size_t count = 0;
    const int code = SSL_write_ex(ssl_.get(), data.data() + done, data.size() - done, &count);
    if (code != 1) {
      const IoResult result = stopped(code, write_direction_);
      if (done == 0) return result;
      break;  // an error comes again with the next write
    }
    done += count;
  }
  if (done == 0) return {};
  return {Status::done, done, Error::none};
}

IoResult TlsTransport::stopped(int code, Direction& direction) noexcept {
  switch (SSL_get_error(ssl_.get(), code)) {
    case SSL_ERROR_WANT_READ:
      direction = outer_ ? outer_->read_direction_ : Direction::read;
      return {};
    case SSL_ERROR_WANT_WRITE:
      direction = outer_ ? outer_->write_direction_ : Direction::write;
      return {};
    case SSL_ERROR_ZERO_RETURN:
      return {Status::end, 0, Error::none};
    default:
      broken_ = true;
      if (alert_in_queue()) return {Status::failed, 0, error_of_queue(peer_)};
      if (bio_.ended()) return {Status::end, 0, Error::tls_truncated};
      if (bio_.error() != Error::none) return {Status::failed, 0, bio_.error()};
      return {Status::failed, 0, error_of_queue(peer_)};
  }
}

void TlsTransport::shutdown() noexcept {
  ERR_clear_error();
  if (!broken_ && SSL_is_init_finished(ssl_.get()) == 1) SSL_shutdown(ssl_.get());
  ERR_clear_error();
  if (outer_)
    outer_->shutdown();
  else
    ::shutdown(readiness_.descriptor(), SHUT_WR);
}

}  // namespace wskeep::net
