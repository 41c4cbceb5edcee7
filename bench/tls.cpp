#include "bench/tls.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace wskeep::bench {
namespace {

void check(bool ok, const char* what) {
  if (!ok) {
    const char* reason = ERR_reason_error_string(ERR_peek_last_error());
    throw std::runtime_error(std::string(what) + ": " + (reason == nullptr ? "failed" : reason));
  }
}

TlsContext new_context(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method));
  check(context != nullptr, "SSL_CTX_new");
  // Idle sessions give their buffers back: the figures of 2,000 connections depend on it.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

}  // namespace

TlsContext server_context(const std::string& certificate, const std::string& key) {
  TlsContext context = new_context(TLS_server_method());
  check(SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) == 1, "certificate");
  check(SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) == 1, "key");
  return context;
}

TlsContext client_context(const std::string& authorities, std::size_t read_ahead) {
  TlsContext context = new_context(TLS_client_method());
  check(SSL_CTX_load_verify_file(context.get(), authorities.c_str()) == 1, "authorities");
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (read_ahead > 0) {
    SSL_CTX_set_read_ahead(context.get(), 1);
    SSL_CTX_set_default_read_buffer_len(context.get(), read_ahead);
  }
  return context;
}

TlsSession new_session(const TlsContext& context, const Descriptor& socket) {
  TlsSession session(SSL_new(context.get()));
  check(session != nullptr && SSL_set_fd(session.get(), socket.get()) == 1, "SSL_new");
  return session;
}

TlsSession connect_tls(const TlsContext& context, const Descriptor& socket) {
  TlsSession session = new_session(context, socket);
  check(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), "127.0.0.1") == 1, "address");
  check(SSL_connect(session.get()) == 1, "SSL_connect");
  return session;
}

TlsWant tls_want(const TlsSession& session, int result) {
  switch (SSL_get_error(session.get(), result)) {
    case SSL_ERROR_NONE:
      return TlsWant::nothing;
    case SSL_ERROR_WANT_READ:
      return TlsWant::read;
    case SSL_ERROR_WANT_WRITE:
      return TlsWant::write;
    default:
      ERR_clear_error();
      return TlsWant::end;
  }
}

}  // namespace wskeep::bench
