#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

/// Certificates made on the spot, of short life and no worth.
namespace wskeep::simulated {

struct FreeOpenSsl {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(X509_CRL* revocations) const noexcept { X509_CRL_free(revocations); }
  void operator()(PKCS12* store) const noexcept { PKCS12_free(store); }
};

/// Writes by OpenSSL into a file.
template <typename Write>
void write_file(const std::string& name, const char* mode, Write write) {
  struct Close {
    void operator()(FILE* file) const noexcept { std::fclose(file); }
  };
  const std::unique_ptr<FILE, Close> file(std::fopen(name.c_str(), mode));
  if (!file || write(file.get()) != 1) throw std::runtime_error("cannot write " + name);
}

struct TestCertificate {
  std::unique_ptr<EVP_PKEY, FreeOpenSsl> key;
  std::unique_ptr<X509, FreeOpenSsl> certificate;

  void write(const std::string& certificate_file, const std::string& key_file = {}) const {
    write_file(certificate_file, "we",
               [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
    if (!key_file.empty()) write_key(key_file);
  }

  /// Behind what the file has already.
  void append(const std::string& certificate_file) const {
    write_file(certificate_file, "ae",
               [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
  }

  /// Encrypted, where there is a password.
  void write_key(const std::string& key_file, const std::string& password = {}) const {
    write_file(key_file, "we", [&](FILE* file) {
      if (password.empty())
        return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
      return PEM_write_PrivateKey(file, key.get(), EVP_aes_256_cbc(),
                                  reinterpret_cast<const unsigned char*>(password.data()),
                                  static_cast<int>(password.size()), nullptr, nullptr);
    });
  }

  /// `method`: of encrypting, such as NID_pbe_WithSHA1And40BitRC2_CBC; 0: today's. With
  /// `library`: by its providers.
  void write_pkcs12(const std::string& name, const std::string& password, int method = 0,
                    OSSL_LIB_CTX* library = nullptr) const {
    const std::unique_ptr<PKCS12, FreeOpenSsl> store(
        PKCS12_create_ex(password.c_str(), "test", key.get(), certificate.get(), nullptr, method,
                         method, 0, 0, 0, library, nullptr));
    if (!store) throw std::runtime_error("no PKCS#12");
    write_file(name, "we", [&](FILE* file) { return i2d_PKCS12_fp(file, store.get()); });
  }
};

struct TestCertificateSettings {
  std::string subject;
  std::string names;  ///< "DNS:example.com,IP:127.0.0.1"; empty: none
  long from = -3600;  ///< seconds from now
  long until = 3600;
  bool authority = false;
};

inline void add_extension(X509* certificate, X509* issuer, int number, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, number, value.c_str());
  if (extension == nullptr) throw std::runtime_error("bad extension " + value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

/// Signed by `issuer`, or by itself.
inline TestCertificate make_certificate(const TestCertificateSettings& settings,
                                        const TestCertificate* issuer = nullptr) {
  static long serial = 1;
  TestCertificate made{std::unique_ptr<EVP_PKEY, FreeOpenSsl>(EVP_EC_gen("P-256")),
                       std::unique_ptr<X509, FreeOpenSsl>(X509_new())};
  X509* certificate = made.certificate.get();
  X509* parent = issuer == nullptr ? certificate : issuer->certificate.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), settings.from);
  X509_gmtime_adj(X509_getm_notAfter(certificate), settings.until);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(settings.subject.c_str()), -1,
                             -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(parent));
  X509_set_pubkey(certificate, made.key.get());
  add_extension(certificate, parent, NID_basic_constraints,
                settings.authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!settings.names.empty())
    add_extension(certificate, parent, NID_subject_alt_name, settings.names);
  EVP_PKEY* signer = issuer == nullptr ? made.key.get() : issuer->key.get();
  if (X509_sign(certificate, signer, EVP_sha256()) == 0) throw std::runtime_error("cannot sign");
  return made;
}

/// A list of what `issuer` has revoked, in force from and until so many seconds from now. `mode`:
/// "ae" puts it behind what the file has.
inline void write_revocations(const std::string& name, const TestCertificate& issuer,
                              const std::vector<const TestCertificate*>& revoked, long from = -3600,
                              long until = 3600, const char* mode = "we") {
  const std::unique_ptr<X509_CRL, FreeOpenSsl> list(X509_CRL_new());
  X509_CRL_set_version(list.get(), 1);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.certificate.get()));
  ASN1_TIME* time = X509_gmtime_adj(nullptr, from);
  X509_CRL_set1_lastUpdate(list.get(), time);
  for (const TestCertificate* one : revoked) {
    X509_REVOKED* entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one->certificate.get()));
    X509_REVOKED_set_revocationDate(entry, time);
    X509_CRL_add0_revoked(list.get(), entry);
  }
  X509_gmtime_adj(time, until);
  X509_CRL_set1_nextUpdate(list.get(), time);
  ASN1_TIME_free(time);
  X509_CRL_sort(list.get());
  if (X509_CRL_sign(list.get(), issuer.key.get(), EVP_sha256()) == 0)
    throw std::runtime_error("cannot sign");
  write_file(name, mode, [&](FILE* file) { return PEM_write_X509_CRL(file, list.get()); });
}

}  // namespace wskeep::simulated
