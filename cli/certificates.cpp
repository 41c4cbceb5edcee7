#include "cli/certificates.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "config/file.hpp"

namespace wskeep::cli {

namespace {

using config::Tls;
using config::Warning;
using Time = std::chrono::system_clock::time_point;

/// As the daemon has it.
constexpr std::size_t largest_file = std::size_t{16} << 20U;

struct Free {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
  void operator()(X509* certificate) const noexcept { X509_free(certificate); }
  void operator()(X509_CRL* list) const noexcept { X509_CRL_free(list); }
  void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
  void operator()(PKCS12* store) const noexcept { PKCS12_free(store); }
};
template <typename Object>
using Owned = std::unique_ptr<Object, Free>;

struct Certificates {
  std::vector<Owned<X509>> all;
  bool faulty = false;  ///< behind them stands something that cannot be read
};

std::optional<std::string> content_of(const std::string& path) {
  try {
    return config::read_regular_file(path, largest_file);
  } catch (const config::FileError&) {
    return std::nullopt;  // the loader has told of it
  }
}

Owned<BIO> bio_of(const std::string& content) {
  return Owned<BIO>(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
}

/// No more blocks, as opposed to one that cannot be read.
bool at_end() {
  const auto code = ERR_peek_last_error();
  const bool end = ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  return end;
}

Certificates certificates_in(const std::string& content) {
  Certificates found;
  const Owned<BIO> bio = bio_of(content);
  while (X509* const certificate = PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr))
    found.all.emplace_back(certificate);
  found.faulty = !at_end();
  return found;
}

Time time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Time::max();
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

std::string date_text(Time time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)};
}

std::string name_text(const X509_NAME* name) {
  const Owned<BIO> bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "one without a name";
}

std::string subject_of(const X509& certificate) {
  return name_text(X509_get_subject_name(&certificate));
}

int give_password(char* buffer, int size, int /*writing*/, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.size() > static_cast<std::size_t>(size)) return -1;
  std::ranges::copy(text, buffer);
  return static_cast<int>(text.size());
}

/// Looks at one set of TLS settings.
class Look {
 public:
  /// `group`: `tls` or `proxy_tls`.
  Look(std::string connection, std::string group, const Tls& tls, Time now)
      : connection_(std::move(connection)), group_(std::move(group)), tls_(tls), now_(now) {}

  std::vector<Warning> take() && {
    if (!tls_.certificate.empty()) look_at_pem();
    if (!tls_.pkcs12.empty()) look_at_pkcs12();
    if (!tls_.ca.empty()) look_at_authorities();
    if (!tls_.crl.empty()) look_at_revocations();
    ERR_clear_error();
    return std::move(found_);
  }

 private:
  void add(const std::string& key, std::string message) {
    found_.push_back({connection_, group_ + "." + key, std::move(message)});
  }

  std::optional<std::string> password() const {
    try {
      return tls_.password.resolve();
    } catch (const config::TextError&) {
      return std::nullopt;
    }
  }

  /// What upstream is shown.
  void look_at_dates(const std::string& key, const X509& certificate) {
    const Time begin = time_of(X509_get0_notBefore(&certificate));
    const Time end = time_of(X509_get0_notAfter(&certificate));
    const std::string name = subject_of(certificate);
    if (end < now_) {
      add(key, name + " expired on " + date_text(end) + ": servers will refuse it; renew it");
    } else if (begin > now_) {
      add(key, name + " is not valid before " + date_text(begin) +
                   ": servers will refuse it; look at this machine's clock, or wait");
    } else if (end < now_ + certificate_notice) {
      add(key, name + " expires on " + date_text(end) +
                   ": renew it; wskeepd takes a new one at the next connect");
    }
  }

  void look_at_pem() {
    const auto content = content_of(tls_.certificate);
    if (!content) return;
    const Certificates chain = certificates_in(*content);
    if (chain.all.empty()) {
      add("certificate",
          tls_.certificate + " holds no certificate: a PEM file is needed, with BEGIN CERTIFICATE");
      return;
    }
    for (const Owned<X509>& certificate : chain.all) look_at_dates("certificate", *certificate);
    const auto key_content = content_of(tls_.key);
    if (!key_content) return;
    const Owned<BIO> bio = bio_of(*key_content);
    std::string phrase = password().value_or("");
    const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_password, &phrase));
    if (!key) {
      const bool encrypted = key_content->find("ENCRYPTED") != std::string::npos;
      add("key", tls_.key + (encrypted ? " cannot be decrypted: look at " + group_ + ".password"
                                       : " holds no private key: a PEM file is needed, with BEGIN "
                                         "PRIVATE KEY"));
    } else if (X509_check_private_key(chain.all.front().get(), key.get()) != 1) {
      add("key", tls_.key + " does not belong to the first certificate in " + tls_.certificate +
                     ": give the two that were made together, the client's certificate first");
    }
  }

  void look_at_pkcs12() {
    const auto content = content_of(tls_.pkcs12);
    const auto phrase = password();
    if (!content || !phrase) return;
    const Owned<BIO> bio = bio_of(*content);
    const Owned<PKCS12> store(d2i_PKCS12_bio(bio.get(), nullptr));
    EVP_PKEY* key = nullptr;
    X509* certificate = nullptr;
    if (!store) {
      add("pkcs12", tls_.pkcs12 + " is no PKCS#12 file");
    } else if (PKCS12_parse(store.get(), phrase->c_str(), &key, &certificate, nullptr) != 1) {
      add("pkcs12", tls_.pkcs12 + " cannot be opened: look at " + group_ + ".password");
    } else if (certificate == nullptr || key == nullptr) {
      add("pkcs12", tls_.pkcs12 + " does not hold both a certificate and its private key");
    } else {
      look_at_dates("pkcs12", *certificate);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
  }

  /// A bundle always has some that have ended: what counts is whether one is left.
  void look_at_authorities() {
    std::error_code error;
    if (std::filesystem::is_directory(tls_.ca, error)) return;
    const auto content = content_of(tls_.ca);
    if (!content) return;
    const Certificates authorities = certificates_in(*content);
    if (authorities.all.empty()) {
      add("ca", tls_.ca + " holds no certificate: a PEM file is needed, with BEGIN CERTIFICATE");
      return;
    }
    const auto end_of = [](const Owned<X509>& one) {
      return time_of(X509_get0_notAfter(one.get()));
    };
    const auto last = std::ranges::max_element(authorities.all, {}, end_of);
    const std::string name = subject_of(**last);
    if (end_of(*last) < now_) {
      add("ca", "no authority in " + tls_.ca + " is valid any more; the last, " + name +
                    ", expired on " + date_text(end_of(*last)) +
                    ": no server will be trusted; renew it");
    } else if (end_of(*last) < now_ + certificate_notice) {
      add("ca", "the last authority in " + tls_.ca + ", " + name + ", expires on " +
                    date_text(end_of(*last)) + ": then no server will be trusted; renew it");
    }
    if (authorities.faulty) {
      add("ca", tls_.ca +
                    " holds something that cannot be read behind its certificates; wskeepd "
                    "will refuse it: make it anew");
    }
  }

  void look_at_revocations() {
    const auto content = content_of(tls_.crl);
    if (!content) return;
    const Owned<BIO> bio = bio_of(*content);
    std::size_t count = 0;
    while (
        const Owned<X509_CRL> list{PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)}) {
      ++count;
      const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(list.get());
      if (next == nullptr || time_of(next) >= now_) continue;
      add("crl", "the list of " + name_text(X509_CRL_get_issuer(list.get())) +
                     " was to be renewed by " + date_text(time_of(next)) +
                     ": certificates of that authority are refused until it is");
    }
    if (count == 0) add("crl", tls_.crl + " holds no revocation list: a PEM file is needed");
  }

  std::string connection_;
  std::string group_;
  const Tls& tls_;
  Time now_;
  std::vector<Warning> found_;
};

}  // namespace

std::vector<Warning> certificate_warnings(const config::Config& config, Time now) {
  std::vector<std::pair<std::string, const Tls*>> seen;
  std::vector<Warning> found;
  const auto look = [&](const std::string& connection, const std::string& group, const Tls& tls) {
    const auto same = [&](const auto& other) {
      return other.first == group && *other.second == tls;
    };
    if (std::ranges::any_of(seen, same)) return;
    seen.emplace_back(group, &tls);
    for (Warning& warning : Look(connection, group, tls, now).take())
      found.push_back(std::move(warning));
  };
  for (const config::Connection& connection : config.connections) {
    look(connection.name, "tls", connection.settings.tls);
    look(connection.name, "proxy_tls", connection.settings.proxy_tls);
  }
  return found;
}

}  // namespace wskeep::cli
