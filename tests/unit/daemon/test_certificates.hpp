#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>

/// Certificates made on the spot, of short life and no worth.
namespace wskeep::simulated {

struct FreeOpenSsl {
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};

struct TestCertificate {
  std::unique_ptr<EVP_PKEY, FreeOpenSsl> key;
  std::unique_ptr<X509, FreeOpenSsl> certificate;

  void write(const std::string& certificate_file, const std::string& key_file = {}) const {
    save(certificate_file, [&](FILE* file) { return PEM_write_X509(file, certificate.get()); });
    if (!key_file.empty())
      save(key_file, [&](FILE* file) {
        return PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
      });
  }

 private:
  template <typename Write>
  static void save(const std::string& name, Write write) {
    struct Close {
      void operator()(FILE* file) const noexcept { std::fclose(file); }
    };
    const std::unique_ptr<FILE, Close> file(std::fopen(name.c_str(), "we"));
    if (!file || write(file.get()) != 1) throw std::runtime_error("cannot write " + name);
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

}  // namespace wskeep::simulated
