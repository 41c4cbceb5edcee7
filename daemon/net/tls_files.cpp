#include "daemon/net/tls_files.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "config/file.hpp"

namespace wskeep::net {

using daemon::Error;
using daemon::Failure;

namespace {

constexpr std::size_t authorities_limit = std::size_t{16} << 20U;
constexpr std::size_t revocations_limit = std::size_t{64} << 20U;
constexpr std::size_t identity_limit = std::size_t{1} << 20U;

/// A file cannot be used; the sentence about it.
class Unusable : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Free {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(X509_CRL* revocations) const noexcept { X509_CRL_free(revocations); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(PKCS12* store) const noexcept { PKCS12_free(store); }
  void operator()(STACK_OF(X509) * chain) const noexcept { sk_X509_pop_free(chain, X509_free); }
};
template <typename Object>
using Owned = std::unique_ptr<Object, Free>;

/// Text that is wiped out when it has been used.
class Secret {
 public:
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret() { OPENSSL_cleanse(text_.data(), text_.size()); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

/// A file in memory, for OpenSSL to read. Its content may be a key.
class File {
 public:
  /// `what`: begins the sentence when it cannot be read.
  File(const std::string& what, const std::string& path, std::size_t limit)
      : content_(read(what, path, limit)),
        bio_(BIO_new_mem_buf(content_.text().data(), static_cast<int>(content_.text().size()))) {
    if (!bio_) throw std::bad_alloc();
  }
  [[nodiscard]] BIO* bio() const noexcept { return bio_.get(); }

 private:
  static std::string read(const std::string& what, const std::string& path, std::size_t limit) {
    try {
      return config::read_regular_file(path, limit);
    } catch (const config::FileError& error) {
      throw Unusable(what + " cannot be read: " + error.what());
    }
  }

  Secret content_;
  Owned<BIO> bio_;
};

[[noreturn]] void fail(const std::string& what, const std::string& otherwise) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  throw Unusable(what +
                 (reason == nullptr ? otherwise : std::string(" cannot be used: ") + reason));
}

/// To be called when no further PEM block could be read. Whether that is because there is none,
/// rather than a faulty one.
bool no_more_blocks() {
  const auto code = ERR_peek_last_error();
  const bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  if (end) ERR_clear_error();
  return end;
}

/// Adds a PEM file's certificates; how many.
std::size_t add_authorities(X509_STORE* store, const std::string& what, const std::string& path) {
  const File file(what, path, authorities_limit);
  std::size_t count = 0;
  while (
      const Owned<X509> certificate{PEM_read_bio_X509_AUX(file.bio(), nullptr, nullptr, nullptr)}) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1) throw std::bad_alloc();
    ++count;
  }
  if (!no_more_blocks()) fail(what, "");
  return count;
}

/// Files that cannot be read or hold something else are passed over: all kinds of things lie about
/// in such directories. That nothing is left is an error.
std::size_t add_authorities_in(X509_STORE* store, const std::string& what,
                               const std::string& directory) {
  const std::vector<std::string> files = authority_files_in(directory);
  if (files.size() > most_authority_files)
    throw Unusable(what + " has more than " + std::to_string(most_authority_files) +
                   " files; put the certificates into one");
  std::vector<FileStamp> seen;  // a hashed name is a link to another file there
  std::size_t count = 0;
  for (const std::string& file : files) {
    const FileStamp stamp = stamp_of(file);
    if (std::find(seen.begin(), seen.end(), stamp) != seen.end()) continue;
    seen.push_back(stamp);
    try {
      count += add_authorities(store, what, file);
    } catch (const Unusable&) {
      ERR_clear_error();
    }
  }
  return count;
}

struct PasswordRequest {
  const std::string& password;
  bool asked = false;
};

/// OpenSSL asks only where the key is encrypted. Without a password it is refused rather than asked
/// for on a terminal.
int give_password(char* buffer, int size, int /*writing*/, void* data) {
  auto& request = *static_cast<PasswordRequest*>(data);
  request.asked = true;
  const std::string& password = request.password;
  if (password.empty() || password.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, password.data(), password.size());
  return static_cast<int>(password.size());
}

/// A client's certificate with all that belongs to it.
struct Identity {
  Owned<X509> certificate;
  Owned<EVP_PKEY> key;
  Owned<STACK_OF(X509)> chain;  ///< what is sent behind it; may be nullptr
};

void read_pem_certificates(const std::string& path, Identity& identity) {
  const std::string what = "the client certificate " + path;
  const File file(what, path, identity_limit);
  identity.certificate.reset(PEM_read_bio_X509_AUX(file.bio(), nullptr, nullptr, nullptr));
  if (!identity.certificate) {
    if (no_more_blocks()) throw Unusable(what + " is not in PEM form");
    fail(what, "");
  }
  identity.chain.reset(sk_X509_new_null());
  if (!identity.chain) throw std::bad_alloc();
  while (Owned<X509> next{PEM_read_bio_X509(file.bio(), nullptr, nullptr, nullptr)}) {
    if (sk_X509_push(identity.chain.get(), next.get()) == 0) throw std::bad_alloc();
    static_cast<void>(next.release());
  }
  if (!no_more_blocks()) fail(what, "");
}

void read_pem_key(const std::string& path, const std::string& password, Identity& identity) {
  const std::string what = "the client certificate's key " + path;
  const File file(what, path, identity_limit);
  PasswordRequest request{password};
  identity.key.reset(PEM_read_bio_PrivateKey(file.bio(), nullptr, &give_password, &request));
  ERR_clear_error();
  if (identity.key) return;
  if (request.asked && password.empty()) throw Unusable(what + " is encrypted; set tls.password");
  if (request.asked) throw Unusable(what + " cannot be decrypted: tls.password does not fit it");
  throw Unusable(what + " has no private key in PEM form");
}

[[noreturn]] void fail_pkcs12(const std::string& what, bool has_password) {
  bool wrong = false;
  bool legacy = false;
  std::string said;
  while (const auto code = ERR_get_error()) {
    wrong = wrong || (ERR_GET_LIB(code) == ERR_LIB_PKCS12 &&
                      ERR_GET_REASON(code) == PKCS12_R_MAC_VERIFY_FAILURE);
    legacy = legacy || ERR_GET_REASON(code) == ERR_R_UNSUPPORTED;
    if (const char* reason = ERR_reason_error_string(code)) said = reason;
  }
  if (wrong)
    throw Unusable(what + (has_password ? " cannot be decrypted: tls.password does not fit it"
                                        : " is encrypted; set tls.password"));
  if (legacy)
    throw Unusable(what +
                   " is encrypted by a method that OpenSSL 3 has given up (RC2 or DES); write it "
                   "anew: openssl pkcs12 -legacy -in OLD -nodes | openssl pkcs12 -export -out NEW");
  throw Unusable(what + " cannot be used" + (said.empty() ? "" : ": " + said));
}

void read_pkcs12(const std::string& path, const std::string& password, Identity& identity) {
  const std::string what = "the PKCS#12 file " + path;
  const File file(what, path, identity_limit);
  const Owned<PKCS12> store(d2i_PKCS12_bio(file.bio(), nullptr));
  ERR_clear_error();
  if (!store) throw Unusable(what + " is not in PKCS#12 form");
  X509* certificate = nullptr;
  EVP_PKEY* key = nullptr;
  STACK_OF(X509)* chain = nullptr;
  const int code = PKCS12_parse(store.get(), password.c_str(), &key, &certificate, &chain);
  identity.certificate.reset(certificate);
  identity.key.reset(key);
  identity.chain.reset(chain);
  if (code != 1) fail_pkcs12(what, !password.empty());
  ERR_clear_error();
  if (certificate == nullptr || key == nullptr)
    throw Unusable(what + " has no " +
                   (key == nullptr ? "private key" : "certificate for its key"));
}

void use(SSL_CTX* context, const config::Tls& settings, const Identity& identity) {
  X509* certificate = identity.certificate.get();
  EVP_PKEY* key = identity.key.get();
  if (SSL_CTX_use_cert_and_key(context, certificate, key, identity.chain.get(), 1) == 1) return;
  const std::string& file = settings.pkcs12.empty() ? settings.certificate : settings.pkcs12;
  if (X509_check_private_key(certificate, key) != 1)
    throw Unusable("the client certificate's key " + settings.key +
                   " does not belong to the certificate " + file);
  fail("the client certificate " + file, " cannot be used");
}

/// Runs it; what it throws becomes a value.
template <typename Load>
Failure attempt(Load load) {
  ERR_clear_error();
  Failure failure;
  try {
    load();
  } catch (const Unusable& error) {
    failure = {Error::configuration, error.what()};
  } catch (const config::TextError& error) {
    failure = {Error::configuration, std::string("tls.password: ") + error.what()};
  }
  ERR_clear_error();
  return failure;
}

/// As OpenSSL's own default: what the variable names, or what it was built with.
std::string system_path(const char* variable, const char* built_in) {
  const char* value = std::getenv(variable);
  return value == nullptr ? built_in : value;
}

}  // namespace

Failure load_authorities(ssl_ctx_st* context, const config::Tls& settings) {
  return attempt([&] {
    if (settings.ca.empty()) {
      if (SSL_CTX_set_default_verify_paths(context) != 1)
        fail("the system's authorities", " cannot be used");
      return;
    }
    const bool directory = is_directory(settings.ca);
    const std::string what =
        (directory ? "the directory of authorities " : "the file of authorities ") + settings.ca;
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    const std::size_t count = directory ? add_authorities_in(store, what, settings.ca)
                                        : add_authorities(store, what, settings.ca);
    if (count > 0) return;
    throw Unusable(
        what + " has no certificate in PEM form" +
        (directory ? ": no such file NAME.pem, .crt or .cer, or named as c_rehash does" : ""));
  });
}

Failure load_client_certificate(ssl_ctx_st* context, const config::Tls& settings) {
  if (settings.certificate.empty() && settings.pkcs12.empty()) return {};
  return attempt([&] {
    Identity identity;
    const Secret password(settings.password.resolve());
    if (settings.pkcs12.empty()) {
      read_pem_certificates(settings.certificate, identity);
      const std::string& key = settings.key.empty() ? settings.certificate : settings.key;
      read_pem_key(key, password.text(), identity);
    } else {
      read_pkcs12(settings.pkcs12, password.text(), identity);
    }
    use(context, settings, identity);
  });
}

Failure load_revocation_lists(ssl_ctx_st* context, const config::Tls& settings) {
  if (settings.crl.empty()) return {};
  return attempt([&] {
    const std::string what = "the file of revocation lists " + settings.crl;
    const File file(what, settings.crl, revocations_limit);
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    std::size_t count = 0;
    while (const Owned<X509_CRL> revocations{
        PEM_read_bio_X509_CRL(file.bio(), nullptr, nullptr, nullptr)}) {
      if (X509_STORE_add_crl(store, revocations.get()) != 1) throw std::bad_alloc();
      ++count;
    }
    if (!no_more_blocks()) fail(what, "");
    if (count == 0) throw Unusable(what + " has no list in PEM form");
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  });
}

std::vector<FileStamp> stamps_of(const config::Tls& settings) {
  std::vector<FileStamp> stamps;
  for (const std::string* file :
       {&settings.ca, &settings.certificate, &settings.key, &settings.pkcs12, &settings.crl})
    stamps.push_back(stamp_of(*file));
  if (settings.ca.empty()) {
    stamps.push_back(
        stamp_of(system_path(X509_get_default_cert_file_env(), X509_get_default_cert_file())));
    stamps.push_back(
        stamp_of(system_path(X509_get_default_cert_dir_env(), X509_get_default_cert_dir())));
  } else if (is_directory(settings.ca)) {
    for (const std::string& file : authority_files_in(settings.ca))
      stamps.push_back(stamp_of(file));
  }
  return stamps;
}

}  // namespace wskeep::net
