#include "daemon/net/certificate.hpp"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <chrono>
#include <ctime>
#include <memory>
#include <string>

#include "websocket/base64.hpp"

namespace wskeep::net {

using daemon::Error;
using daemon::Failure;

namespace {

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
struct FreeNames {
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};

std::string text_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, FreeBio> memory(BIO_new(BIO_s_mem()));
  if (!memory || X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253) < 0) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

/// RFC 3339, in UTC.
std::string date_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

std::chrono::sys_seconds time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

/// Names are plain ASCII; what a certificate has beyond that is not passed on to logs and JSON.
std::string text_of(const ASN1_STRING* string) {
  const unsigned char* data = ASN1_STRING_get0_data(string);
  std::string text(data, data + ASN1_STRING_length(string));
  for (char& c : text)
    if (c < 0x20 || c > 0x7E) c = '?';
  return text;
}

std::string text_of_address(const ASN1_OCTET_STRING* address) {
  const int family = ASN1_STRING_length(address) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(address) != 16) return {};
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
  return text.data();
}

std::vector<std::string> names_of(X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> result;
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) result.push_back("DNS:" + text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) result.push_back("IP:" + text_of_address(name->d.iPAddress));
  }
  return result;
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += digits[digest[i] >> 4U];
    text += digits[digest[i] & 0xFU];
  }
  return text;
}

Error error_of(int code) noexcept {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return Error::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return Error::certificate_not_yet_valid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return Error::certificate_name_mismatch;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return Error::certificate_self_signed;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return Error::certificate_issuer_unknown;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED:
      return Error::certificate_untrusted;
    case X509_V_ERR_CERT_REVOKED:
      return Error::certificate_revoked;
    case X509_V_ERR_UNABLE_TO_GET_CRL:
    case X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER:
    case X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE:
    case X509_V_ERR_CRL_SIGNATURE_FAILURE:
    case X509_V_ERR_CRL_NOT_YET_VALID:
    case X509_V_ERR_CRL_HAS_EXPIRED:
    case X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD:
    case X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD:
    case X509_V_ERR_KEYUSAGE_NO_CRL_SIGN:
    case X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION:
    case X509_V_ERR_DIFFERENT_CRL_SCOPE:
    case X509_V_ERR_CRL_PATH_VALIDATION_ERROR:
      return Error::certificate_revocation_unknown;
    default:
      return Error::certificate_invalid;
  }
}

std::string list(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i)
    text += (i == 0 ? "" : ", ") + names[i];
  if (names.size() > most) text += ", and " + std::to_string(names.size() - most) + " more";
  return text.empty() ? "no name" : text;
}

std::string quoted(const X509_NAME* name) {
  return '"' + text_of(name) + '"';
}

/// The name that the certificate should have.
std::string wanted_name(X509_STORE_CTX* verification) {
  X509_VERIFY_PARAM* wanted = X509_STORE_CTX_get0_param(verification);
  if (const char* host = X509_VERIFY_PARAM_get0_host(wanted, 0)) return host;
  struct FreeText {
    void operator()(char* text) const noexcept { OPENSSL_free(text); }
  };
  const std::unique_ptr<char, FreeText> address(X509_VERIFY_PARAM_get1_ip_asc(wanted));
  return address ? address.get() : std::string();
}

std::string revoked_text(X509_STORE_CTX* verification, X509* certificate) {
  X509_CRL* revocations = X509_STORE_CTX_get0_current_crl(verification);
  X509_REVOKED* entry = nullptr;
  std::string text = " was revoked";
  if (revocations != nullptr && X509_CRL_get0_by_cert(revocations, &entry, certificate) != 0)
    text += " at " + date_of(X509_REVOKED_get0_revocationDate(entry));
  return text + ", says the list of " + quoted(X509_get_issuer_name(certificate)) +
         "; the server needs a new one";
}

std::string revocation_text(X509_STORE_CTX* verification, int code, X509* certificate) {
  const X509_CRL* revocations = X509_STORE_CTX_get0_current_crl(verification);
  const std::string which =
      " may be revoked: the revocation list of " + quoted(X509_get_issuer_name(certificate));
  if (code == X509_V_ERR_UNABLE_TO_GET_CRL) return which + " is not in tls.crl; add it there";
  if (code == X509_V_ERR_CRL_HAS_EXPIRED && revocations != nullptr)
    return which + " was in force until " + date_of(X509_CRL_get0_nextUpdate(revocations)) +
           "; put the present one into tls.crl";
  return which + " cannot be used: " + X509_verify_cert_error_string(code) +
         "; put the right one into tls.crl";
}

/// What is wrong with this certificate, in the words of its own dates and names.
std::string detail(X509_STORE_CTX* verification, Error error, int code, X509* certificate) {
  switch (error) {
    case Error::certificate_expired:
      return " expired at " + date_of(X509_get0_notAfter(certificate)) +
             "; the server needs a new one";
    case Error::certificate_not_yet_valid:
      return " is not valid before " + date_of(X509_get0_notBefore(certificate)) +
             "; does this machine's clock go right?";
    case Error::certificate_name_mismatch:
      return " is for another name: it has " + list(names_of(certificate)) + ", and not \"" +
             wanted_name(verification) +
             "\"; if it is the right server, set tls.server_name to a name that it has";
    case Error::certificate_self_signed:
      return " is self-signed: no authority vouches for it; if it is the right one, name a PEM "
             "file of it in tls.ca. Its sha256 is " +
             fingerprint_of(certificate);
    case Error::certificate_issuer_unknown:
      return " was issued by " + quoted(X509_get_issuer_name(certificate)) +
             ", which neither the server sent nor is a known authority; the server should send "
             "its intermediate certificates, or else tls.ca should name the authority";
    case Error::certificate_untrusted:
      return " is at the root of the server's chain and is no accepted authority; if it is to be "
             "one, name a PEM file of it in tls.ca";
    case Error::certificate_revoked:
      return revoked_text(verification, certificate);
    case Error::certificate_revocation_unknown:
      return revocation_text(verification, code, certificate);
    default:
      return " (issued by " + quoted(X509_get_issuer_name(certificate)) +
             ") is refused: " + X509_verify_cert_error_string(code);
  }
}

}  // namespace

std::string pin_of(const x509_st* certificate) {
  // X509_pubkey_digest would leave out the algorithm.
  unsigned char* encoded = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
  if (size <= 0) return {};
  std::array<unsigned char, 32> digest{};
  const bool done = EVP_Digest(encoded, static_cast<std::size_t>(size), digest.data(), nullptr,
                               EVP_sha256(), nullptr) == 1;
  OPENSSL_free(encoded);
  if (!done) return {};
  return websocket::to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::vector<Certificate> describe_chain(const ssl_st* ssl) {
  std::vector<Certificate> chain;
  const STACK_OF(X509)* certificates = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; certificates != nullptr && i < sk_X509_num(certificates); ++i) {
    X509* certificate = sk_X509_value(certificates, i);
    chain.push_back({text_of(X509_get_subject_name(certificate)),
                     text_of(X509_get_issuer_name(certificate)), names_of(certificate),
                     date_of(X509_get0_notBefore(certificate)),
                     date_of(X509_get0_notAfter(certificate)), fingerprint_of(certificate),
                     pin_of(certificate), time_of(X509_get0_notAfter(certificate))});
  }
  return chain;
}

Failure describe_fault(x509_store_ctx_st* verification) {
  const int code = X509_STORE_CTX_get_error(verification);
  const Error error = error_of(code);
  X509* certificate = X509_STORE_CTX_get_current_cert(verification);
  if (certificate == nullptr)
    return {error, std::string("the server's certificate is refused: ") +
                       X509_verify_cert_error_string(code)};
  return {error, "the certificate " + quoted(X509_get_subject_name(certificate)) +
                     detail(verification, error, code, certificate)};
}

Failure describe_pin_mismatch(const x509_st* certificate) {
  return {Error::certificate_pin_mismatch,
          "the certificate " + quoted(X509_get_subject_name(certificate)) +
              " and those above it have none of the keys in tls.pin_sha256; its own is " +
              pin_of(certificate) + ": if the server's key was changed on purpose, add that"};
}

}  // namespace wskeep::net
