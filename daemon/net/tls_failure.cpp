#include "daemon/net/tls_failure.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <string>
#include <string_view>

namespace wskeep::net {

using daemon::Error;
using daemon::Failure;

namespace {

/// SSL_R_*; 0 when the first error is not of TLS.
int reason_of_queue() noexcept {
  const auto code = ERR_peek_error();
  return ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
}

bool has_certificate(const TlsPeer& peer) noexcept {
  return SSL_CTX_get0_certificate(peer.context->native()) != nullptr;
}

std::string least_version(const TlsPeer& peer) {
  const bool newest = SSL_CTX_get_min_proto_version(peer.context->native()) == TLS1_3_VERSION;
  return newest ? "the server does not speak TLS 1.3, which tls.min_version asks for; lower that, "
                  "or have the server updated"
                : "the server speaks no TLS version from 1.2 on, and older ones are not safe; have "
                  "the server updated";
}

std::string client_certificate_text(const TlsPeer& peer, int reason) {
  if (!has_certificate(peer))
    return "the server requires a client certificate; set tls.certificate and tls.key, or "
           "tls.pkcs12";
  const char* alert = ERR_reason_error_string(ERR_PACK(ERR_LIB_SSL, 0, reason));
  return std::string("the server refuses our client certificate (") +
         (alert == nullptr ? "no reason" : alert) +
         "); have the server accept it, or configure another";
}

std::string protocol_text(const TlsPeer& peer, int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_RECORD_LENGTH_MISMATCH:
      return "what answered does not speak TLS; is it the right port, or a server for ws:// rather "
             "than wss://?";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
      return peer.context->ciphers_limited()
                 ? "the server refuses the handshake: it probably has none of the ciphers that "
                   "tls.ciphers and tls.ciphersuites allow; allow more, or have the server changed"
                 : "the server refuses the handshake: there is probably no cipher or key exchange "
                   "in common; have the server updated";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME:
      return "the server knows no host of that name; is the URL right? Else set tls.server_name";
    case SSL_R_BAD_EXTENSION:
      return "the server's hello has an extension that does not fit ours: another protocol than "
             "http/1.1 (ALPN), perhaps; is it the right port?";
    case SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL:
      return "the server does not speak http/1.1 (ALPN), which a WebSocket begins with; is it the "
             "right port?";
    default:
      break;
  }
  const char* said = ERR_reason_error_string(ERR_peek_error());
  return std::string("TLS failed: ") + (said == nullptr ? "unknown error" : said);
}

}  // namespace

bool alert_in_queue() noexcept {
  return reason_of_queue() >= SSL_AD_REASON_OFFSET;
}

Error error_of_queue(const TlsPeer& peer) noexcept {
  switch (reason_of_queue()) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_UNKNOWN_SSL_VERSION:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_TLSV1_ALERT_INAPPROPRIATE_FALLBACK:
      return Error::tls_version;
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return Error::client_certificate_required;
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return peer.certificate_missing ? Error::client_certificate_required : Error::tls_protocol;
    case SSL_R_SSLV3_ALERT_NO_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
      // A server has no other certificate to judge than ours.
      return peer.certificate_missing || has_certificate(peer) ? Error::client_certificate_required
                                                               : Error::tls_protocol;
    default:
      return Error::tls_protocol;
  }
}

Failure handshake_failure_of_queue(const TlsPeer& peer) {
  const Error error = error_of_queue(peer);
  const int reason = reason_of_queue();
  if (error == Error::client_certificate_required)
    return {error, client_certificate_text(peer, reason)};
  if (error == Error::tls_version) return {error, least_version(peer)};
  return {error, protocol_text(peer, reason)};
}

Failure protocol_failure(const ssl_st* ssl) {
  const unsigned char* data = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &data, &size);
  const std::string_view chosen(reinterpret_cast<const char*>(data), size);
  if (chosen.empty() || chosen == "http/1.1") return {};
  return {Error::tls_protocol,
          "the server chose another protocol than http/1.1 (ALPN), the only one offered"};
}

}  // namespace wskeep::net
