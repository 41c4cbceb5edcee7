#include "daemon/net/certificate_check.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <optional>

#include "daemon/net/certificate.hpp"
#include "daemon/net/tls_context.hpp"

namespace wskeep::net {

using config::CertificateFault;
using daemon::Error;
using daemon::Failure;

namespace {

/// Faults that are told of one chain. A server decides how many there are.
constexpr std::size_t most_faults = 32;

struct FreeVerification {
  void operator()(X509_STORE_CTX* verification) const noexcept {
    X509_STORE_CTX_free(verification);
  }
};

TlsPeer* peer_of(X509_STORE_CTX* verification) {
  const auto* ssl = static_cast<const SSL*>(
      X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx()));
  return ssl == nullptr ? nullptr : static_cast<TlsPeer*>(SSL_get_app_data(ssl));
}

std::optional<CertificateFault> fault_of(Error error) noexcept {
  switch (error) {
    case Error::certificate_expired:
      return CertificateFault::expired;
    case Error::certificate_not_yet_valid:
      return CertificateFault::not_yet_valid;
    case Error::certificate_name_mismatch:
      return CertificateFault::name_mismatch;
    case Error::certificate_self_signed:
      return CertificateFault::self_signed;
    case Error::certificate_issuer_unknown:
      return CertificateFault::issuer_unknown;
    case Error::certificate_untrusted:
      return CertificateFault::untrusted;
    case Error::certificate_revoked:
      return CertificateFault::revoked;
    case Error::certificate_revocation_unknown:
      return CertificateFault::revocation_unknown;
    default:
      return std::nullopt;
  }
}

bool passes_over(const CertificateRules& rules, Error error) {
  if (!rules.verify) return true;
  const std::optional<CertificateFault> fault = fault_of(error);
  return fault && std::find(rules.ignore.begin(), rules.ignore.end(), *fault) != rules.ignore.end();
}

/// Of the server's own certificate it has to be known whether it is revoked; of those above it only
/// where `tls.crl` has a list for their issuer: few have the lists of all authorities at hand. Of
/// the accepted authority nobody asks (RFC 5280, section 6.1).
bool needs_no_list(X509_STORE_CTX* verification, Error error) {
  if (error != Error::certificate_revocation_unknown) return false;
  const int code = X509_STORE_CTX_get_error(verification);
  const int depth = X509_STORE_CTX_get_error_depth(verification);
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(verification);
  const bool last = chain != nullptr && depth == sk_X509_num(chain) - 1;
  return depth > 0 && (last || code == X509_V_ERR_UNABLE_TO_GET_CRL ||
                       code == X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER);
}

void note(std::vector<Failure>& faults, Failure fault) {
  // OpenSSL reports some faults twice, by different codes.
  const bool known = std::any_of(faults.begin(), faults.end(), [&](const Failure& other) {
    return other.error == fault.error && other.text == fault.text;
  });
  if (!known && faults.size() < most_faults) faults.push_back(std::move(fault));
}

int on_checked(int accepted, X509_STORE_CTX* verification) {
  if (accepted == 1) return 1;
  TlsPeer* peer = peer_of(verification);
  if (peer == nullptr) return 0;
  try {
    Failure fault = describe_fault(verification);
    const bool none = needs_no_list(verification, fault.error);
    if (!none && !passes_over(peer->context->rules(), fault.error)) {
      peer->refusal = std::move(fault);
      return 0;
    }
    if (!none) note(peer->ignored_faults, std::move(fault));
    X509_STORE_CTX_set_error(verification, X509_V_OK);
    return 1;
  } catch (const std::bad_alloc&) {
    peer->refusal.error = Error::out_of_resources;
  }
  return 0;
}

/// Whether one of the keys is in the chain. A pinned certificate that merely lies in it, without
/// having signed what is below, counts for nothing: anybody can send a copy of it. With faults
/// passed over, OpenSSL has not seen to that.
bool has_pinned_key(const STACK_OF(X509) * chain, const std::vector<std::string>& pins) {
  for (int i = 0; i < sk_X509_num(chain); ++i) {
    X509* certificate = sk_X509_value(chain, i);
    if (i > 0) {
      EVP_PKEY* key = X509_get0_pubkey(certificate);
      if (key == nullptr || X509_verify(sk_X509_value(chain, i - 1), key) != 1) return false;
    }
    if (std::find(pins.begin(), pins.end(), pin_of(certificate)) != pins.end()) return true;
  }
  return false;
}

void judge_pins(X509_STORE_CTX* verification, TlsPeer& peer) {
  const CertificateRules& rules = peer.context->rules();
  if (rules.pins.empty()) return;
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(verification);
  if (chain != nullptr && has_pinned_key(chain, rules.pins)) return;
  const X509* own = X509_STORE_CTX_get0_cert(verification);
  peer.refusal = own == nullptr ? Failure{Error::certificate_pin_mismatch,
                                          "the server has no certificate, and so no pinned key"}
                                : describe_pin_mismatch(own);
}

/// Instead of X509_verify_cert, which it calls.
int judge(X509_STORE_CTX* verification, void* /*unused*/) {
  TlsPeer* peer = peer_of(verification);
  if (peer == nullptr) return 0;
  try {
    peer->refusal = {};
    peer->ignored_faults.clear();
    const bool accepted = X509_verify_cert(verification) == 1;
    if (!accepted && peer->refusal.error == Error::none) {
      // Not of the chain's doing, for no fault was reported: there was no memory.
      peer->refusal = {Error::certificate_invalid, "the server's certificate cannot be checked"};
    }
    if (peer->refusal.error == Error::none) judge_pins(verification, *peer);
  } catch (const std::bad_alloc&) {
    peer->refusal.error = Error::out_of_resources;
  }
  if (peer->refusal.error == Error::none) return 1;
  if (X509_STORE_CTX_get_error(verification) == X509_V_OK)
    X509_STORE_CTX_set_error(verification, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

}  // namespace

void install_certificate_check(ssl_ctx_st* context) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, &on_checked);
  SSL_CTX_set_cert_verify_callback(context, &judge, nullptr);
}

bool accepts_chain_of_session(ssl_st* ssl) {
  auto* peer = static_cast<TlsPeer*>(SSL_get_app_data(ssl));
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  if (peer == nullptr || chain == nullptr || sk_X509_num(chain) == 0) return false;
  const std::unique_ptr<X509_STORE_CTX, FreeVerification> verification(X509_STORE_CTX_new());
  if (!verification ||
      X509_STORE_CTX_init(verification.get(), SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
                          sk_X509_value(chain, 0), chain) != 1 ||
      X509_STORE_CTX_set_ex_data(verification.get(), SSL_get_ex_data_X509_STORE_CTX_idx(), ssl) !=
          1)
    return false;
  // As OpenSSL does it within a handshake.
  X509_VERIFY_PARAM* wanted = X509_STORE_CTX_get0_param(verification.get());
  X509_VERIFY_PARAM_set_auth_level(wanted, SSL_get_security_level(ssl));
  X509_STORE_CTX_set_default(verification.get(), "ssl_server");
  X509_VERIFY_PARAM_set1(wanted, SSL_get0_param(ssl));
  X509_STORE_CTX_set_verify_cb(verification.get(), &on_checked);
  const bool accepted = judge(verification.get(), nullptr) == 1;
  if (!accepted) {
    peer->refusal = {};
    peer->ignored_faults.clear();
  }
  ERR_clear_error();
  return accepted;
}

}  // namespace wskeep::net
