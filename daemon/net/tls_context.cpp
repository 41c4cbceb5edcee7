#include "daemon/net/tls_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <new>
#include <string_view>

#include "daemon/net/tls_files.hpp"

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

int on_certificate_wanted(SSL* ssl, X509** /*certificate*/, EVP_PKEY** /*key*/) {
  if (TlsPeer* peer = peer_of(ssl)) peer->certificate_missing = true;
  return 0;
}

void set_options(SSL_CTX* context, const config::Tls& settings) {
  SSL_CTX_set_min_proto_version(context, settings.min_version == config::TlsVersion::tls1_3
                                             ? TLS1_3_VERSION
                                             : TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  install_certificate_check(context);
  SSL_CTX_set_read_ahead(context, 1);
  constexpr std::array<unsigned char, 9> protocols{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  SSL_CTX_set_alpn_protos(context, protocols.data(), protocols.size());
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &on_new_session);
  SSL_CTX_set_client_cert_cb(context, &on_certificate_wanted);
  // An authority in the middle of a chain that is named in `ca` is accepted as it is.
  X509_STORE_set_flags(SSL_CTX_get_cert_store(context), X509_V_FLAG_PARTIAL_CHAIN);
}

/// OpenSSL passes over names that it does not know.
bool knows_all(SSL_CTX* context, std::string_view suites) {
  const STACK_OF(SSL_CIPHER)* known = SSL_CTX_get_ciphers(context);
  while (!suites.empty()) {
    const std::size_t end = std::min(suites.find(':'), suites.size());
    const std::string_view name = suites.substr(0, end);
    bool found = false;
    for (int i = 0; i < sk_SSL_CIPHER_num(known) && !found; ++i)
      found = name == SSL_CIPHER_get_name(sk_SSL_CIPHER_value(known, i));
    if (!found) return false;
    suites.remove_prefix(std::min(end + 1, suites.size()));
  }
  return true;
}

Failure limit_ciphers(SSL_CTX* context, const config::Tls& settings) {
  const std::string& ciphers = settings.ciphers;
  const std::string& suites = settings.ciphersuites;
  std::string wrong;
  if (!ciphers.empty() && SSL_CTX_set_cipher_list(context, ciphers.c_str()) != 1)
    wrong =
        "tls.ciphers names no cipher of TLS 1.2 that OpenSSL knows; see openssl ciphers -tls1_2";
  if (!suites.empty() &&
      (SSL_CTX_set_ciphersuites(context, suites.c_str()) != 1 || !knows_all(context, suites)))
    wrong = "tls.ciphersuites names one that OpenSSL does not know; see openssl ciphers -s -tls1_3";
  if (wrong.empty()) return {};
  ERR_clear_error();
  return {Error::configuration, std::move(wrong)};
}

TlsContexts::Result make_context(const config::Tls& settings) {
  ERR_clear_error();
  std::unique_ptr<SSL_CTX, FreeTls> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return Failure{Error::out_of_resources, "no memory for a TLS context"};
  set_options(context.get(), settings);
  for (const auto load :
       {&limit_ciphers, &load_authorities, &load_revocation_lists, &load_client_certificate}) {
    if (Failure failure = load(context.get(), settings); failure.error != Error::none)
      return failure;
  }
  ERR_clear_error();
  return std::make_shared<TlsContext>(
      std::move(context), CertificateRules{settings.verify, settings.ignore, settings.pin_sha256},
      !settings.ciphers.empty() || !settings.ciphersuites.empty());
}

}  // namespace

void offer_session(ssl_st* ssl, TlsPeer& peer) {
  const TlsSession session = peer.context->take_session(peer.session_key);
  if (!session) return;
  SSL_set_session(ssl, session.get());
  if (!accepts_chain_of_session(ssl)) SSL_set_session(ssl, nullptr);
}

TlsContexts::Result TlsContexts::get(const config::Tls& settings) {
  config::Tls wanted = settings;
  wanted.server_name.clear();  // belongs to one connection, not to the context
  // Before the files are read: one that changes meanwhile is read again the next time.
  std::vector<FileStamp> stamps = stamps_of(wanted);
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
