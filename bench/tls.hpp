#pragma once

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <string>

#include "bench/sockets.hpp"

namespace wskeep::bench {

struct TlsDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* session) const { SSL_free(session); }
};
using TlsContext = std::unique_ptr<SSL_CTX, TlsDeleter>;
using TlsSession = std::unique_ptr<SSL, TlsDeleter>;

TlsContext server_context(const std::string& certificate, const std::string& key);

/// Checks the server's certificate against `authorities` (PEM). `read_ahead` is how many bytes
/// OpenSSL asks the kernel for at once; 0: record by record, as is OpenSSL's default.
TlsContext client_context(const std::string& authorities, std::size_t read_ahead);

/// On the descriptor itself, which stays the caller's.
TlsSession new_session(const TlsContext& context, const Descriptor& socket);

/// Connects to 127.0.0.1 and does the handshake. Blocks.
TlsSession connect_tls(const TlsContext& context, const Descriptor& socket);

enum class TlsWant { nothing, read, write, end };

/// What the session waits for after `result` of SSL_read, SSL_write or SSL_accept.
TlsWant tls_want(const TlsSession& session, int result);

}  // namespace wskeep::bench
