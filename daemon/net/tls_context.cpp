#include "daemon/net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "daemon/net/certificate.hpp"

namespace wskeep::net {

using daemon::Error;
using daemon::Failure;

void FreeTls::operator()(ssl_ctx_st* context) const noexcept {
  SSL_CTX_free(context);
}
void FreeTls::operator()(ssl_session_st* session) const noexcept {
  SSL_SESSION_free(session);
}

void TlsContext::keep_session(const std::string& key, TlsSession session) {
  const std::lock_guard lock(mutex_);
  if (sessions_.size() == session_capacity) sessions_.pop_front();
  sessions_.emplace_back(key, std::move(session));
}

TlsSession TlsContext::take_session(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(sessions_.rbegin(), sessions_.rend(),
                                  [&](const auto& entry) { return entry.first == key; });
  if (found == sessions_.rend()) return nullptr;
  if (SSL_SESSION_get_protocol_version(found->second.get()) < TLS1_3_VERSION) {
    SSL_SESSION_up_ref(found->second.get());
    return TlsSession(found->second.get());
  }
  TlsSession session = std::move(found->second);
  sessions_.erase(std::next(found).base());
  return session;
}

namespace {

TlsPeer* peer_of(const SSL* ssl) {
  return static_cast<TlsPeer*>(SSL_get_app_data(ssl));
}

int on_new_session(SSL* ssl, SSL_SESSION* session) {
  TlsPeer* peer = peer_of(ssl);
  if (peer == nullptr || SSL_SESSION_is_resumable(session) == 0) return 0;
  try {
    peer->context->keep_session(peer->session_key, TlsSession(session));
  } catch (const std::bad_alloc&) {
    // The session is gone with its unique_ptr; the next handshake is a full one.
  }
  return 1;
}

int on_verified(int accepted, X509_STORE_CTX* verification) {
  if (accepted == 1) return accepted;
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsPeer* peer = ssl == nullptr ? nullptr : peer_of(ssl);
  if (peer != nullptr) peer->refusal = describe_refusal(verification);
  return 0;
}

int on_certificate_wanted(SSL* ssl, X509** /*certificate*/, EVP_PKEY** /*key*/) {
  if (TlsPeer* peer = peer_of(ssl)) peer->certificate_missing = true;
  return 0;
}

/// A key with a passphrase is refused rather than asked for on a terminal.
int no_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return -1;
}

Failure file_failure(const std::string& what, const std::string& file) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = what + " " + file + " cannot be used";
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0)
    text += ": " + std::generic_category().message(errno);
  else if (reason != nullptr)
    text += std::string(": ") + reason;
  ERR_clear_error();
  return {Error::configuration, std::move(text)};
}

void set_options(SSL_CTX* context, const config::Tls& settings) {
  SSL_CTX_set_min_proto_version(context, settings.min_version == config::TlsVersion::tls1_3
                                             ? TLS1_3_VERSION
                                             : TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, &on_verified);
  SSL_CTX_set_read_ahead(context, 1);
  constexpr std::array<unsigned char, 9> protocols{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context, protocols.data(), protocols.size());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &on_new_session);
  SSL_CTX_set_client_cert_cb(context, &on_certificate_wanted);
  SSL_CTX_set_default_passwd_cb(context, &no_passphrase);
}

Failure load_authorities(SSL_CTX* context, const config::Tls& settings) {
  if (settings.ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return {};
    return file_failure("the system's file of authorities", X509_get_default_cert_file());
  }
  if (SSL_CTX_load_verify_file(context, settings.ca.c_str()) == 1) return {};
  return file_failure("the file of authorities", settings.ca);
}

Failure load_certificate(SSL_CTX* context, const config::Tls& settings) {
  if (settings.certificate.empty()) return {};
  const std::string& key = settings.key.empty() ? settings.certificate : settings.key;
  if (SSL_CTX_use_certificate_chain_file(context, settings.certificate.c_str()) != 1)
    return file_failure("the client certificate", settings.certificate);
  if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1 ||
      SSL_CTX_check_private_key(context) != 1)
    return file_failure("the client certificate's key", key);
  return {};
}

TlsContexts::Result make_context(const config::Tls& settings) {
  ERR_clear_error();
  std::unique_ptr<SSL_CTX, FreeTls> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Failure{Error::out_of_resources, "no memory for a TLS context"};
  set_options(context.get(), settings);
  if (Failure failure = load_authorities(context.get(), settings); failure.error != Error::none)
    return failure;
  if (Failure failure = load_certificate(context.get(), settings); failure.error != Error::none)
    return failure;
  ERR_clear_error();
  return std::make_shared<TlsContext>(std::move(context));
}

}  // namespace

std::vector<TlsContexts::Stamp> TlsContexts::stamps_of(const config::Tls& settings) {
  std::vector<Stamp> stamps;
  const std::string system = X509_get_default_cert_file();
  for (const std::string& file :
       {settings.ca.empty() ? system : settings.ca, settings.certificate, settings.key}) {
    struct stat status {};
    if (file.empty() || ::stat(file.c_str(), &status) != 0)
      stamps.emplace_back();
    else
      stamps.push_back({status.st_dev, status.st_ino, status.st_size,
                        status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec});
  }
  return stamps;
}

TlsContexts::Result TlsContexts::get(const config::Tls& settings) {
  config::Tls wanted = settings;
  wanted.server_name.clear();  // belongs to one connection, not to the context
  // Before the files are read: one that changes meanwhile is read again the next time.
  std::vector<Stamp> stamps = stamps_of(wanted);
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.settings == wanted; });
  if (found != entries_.end() && found->stamps == stamps) {
    std::rotate(found, found + 1, entries_.end());
    return entries_.back().context;
  }
  if (found != entries_.end()) entries_.erase(found);
  Result result = make_context(wanted);
  if (const auto* context = std::get_if<std::shared_ptr<TlsContext>>(&result)) {
    if (entries_.size() == capacity) entries_.erase(entries_.begin());
    entries_.push_back({std::move(wanted), std::move(stamps), *context});
  }
  return result;
}

}  // namespace wskeep::net
