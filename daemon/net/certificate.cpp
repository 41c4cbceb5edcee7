#include "daemon/net/certificate.hpp"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>
#include <string>

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
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {text.data(), size};
}

std::string text_of(const ASN1_STRING* string) {
  const unsigned char* data = ASN1_STRING_get0_data(string);
  return {data, data + ASN1_STRING_length(string)};
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
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
    case X509_V_ERR_CERT_REJECTED:
      return Error::certificate_untrusted;
    case X509_V_ERR_CERT_REVOKED:
      return Error::certificate_revoked;
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

/// What is wrong with this certificate, in the words of its own dates and names.
std::string detail(Error error, int code, X509* certificate) {
  switch (error) {
    case Error::certificate_expired:
      return " expired at " + date_of(X509_get0_notAfter(certificate));
    case Error::certificate_not_yet_valid:
      return " is not valid before " + date_of(X509_get0_notBefore(certificate));
    case Error::certificate_name_mismatch:
      return " is for another name: it has " + list(names_of(certificate));
    default:
      return " (issued by \"" + text_of(X509_get_issuer_name(certificate)) +
             "\") is refused: " + X509_verify_cert_error_string(code);
  }
}

}  // namespace

std::vector<Certificate> describe_chain(const ssl_st* ssl) {
  std::vector<Certificate> chain;
  const STACK_OF(X509)* certificates = SSL_get_peer_cert_chain(ssl);
  for (int i = 0; certificates != nullptr && i < sk_X509_num(certificates); ++i) {
    X509* certificate = sk_X509_value(certificates, i);
    chain.push_back({text_of(X509_get_subject_name(certificate)),
                     text_of(X509_get_issuer_name(certificate)), names_of(certificate),
                     date_of(X509_get0_notBefore(certificate)),
                     date_of(X509_get0_notAfter(certificate)), fingerprint_of(certificate)});
  }
  return chain;
}

Failure describe_refusal(x509_store_ctx_st* verification) {
  const int code = X509_STORE_CTX_get_error(verification);
  const Error error = error_of(code);
  X509* certificate = X509_STORE_CTX_get_current_cert(verification);
  if (certificate == nullptr) return {error, X509_verify_cert_error_string(code)};
  return {error, "the certificate \"" + text_of(X509_get_subject_name(certificate)) + "\"" +
                     detail(error, code, certificate)};
}

}  // namespace wskeep::net
