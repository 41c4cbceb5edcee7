#include "daemon/net/tls_files.hpp"

#include <gtest/gtest.h>
#include <openssl/objects.h>
#include <openssl/provider.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/daemon/tls_world.hpp"

namespace wskeep::net {
namespace {

constexpr const char* names = "DNS:example.com";

class TlsFiles : public ::testing::Test {
 protected:
  /// The sentence with which the settings are refused; empty: they are not.
  static std::string complaint(const config::Tls& settings) {
    TlsContexts contexts;
    const TlsContexts::Result result = contexts.get(settings);
    const auto* failure = std::get_if<Failure>(&result);
    if (failure == nullptr) return {};
    EXPECT_EQ(failure->error, Error::configuration) << failure->text;
    EXPECT_EQ(failure->text.find("secret"), std::string::npos) << failure->text;
    return failure->text;
  }
  static void expect_complaint(const config::Tls& settings, const std::string& file,
                               const std::string& words) {
    const std::string text = complaint(settings);
    EXPECT_NE(text.find(file), std::string::npos) << text;
    EXPECT_NE(text.find(words), std::string::npos) << text;
  }
  void put(const std::string& name, const std::string& content) {
    std::ofstream(infrastructure_.path(name)) << content;
  }
  std::string path(const std::string& name) { return infrastructure_.path(name); }

  Infrastructure infrastructure_;
};

class AuthorityDirectory : public TlsFiles {
 protected:
  AuthorityDirectory() {
    std::filesystem::create_directory(directory_);
    settings_.ca = directory_;
  }
  Error dial_now() { return dial(network_, server_.port(), settings_).failure.error; }
  void hash() {
    const std::string command = "openssl rehash '" + directory_ + "' 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }

  std::string directory_ = path("authorities");
  config::Tls settings_;
  TestTls tls_ = infrastructure_.server(make_certificate({"leaf", names}, &infrastructure_.root));
  Greeter server_{tls_};
  RealNetwork network_;
};

TEST_F(AuthorityDirectory, OfFilesWithTheirUsualNames) {
  for (const char* name : {"root.pem", "root.crt", "root.cer"}) {
    SCOPED_TRACE(name);
    const std::string file = directory_ + "/" + name;
    infrastructure_.root.write(file);
    EXPECT_EQ(dial_now(), Error::none);
    std::filesystem::remove(file);
  }
}

TEST_F(AuthorityDirectory, AsRehashMakesIt) {
  infrastructure_.root.write(directory_ + "/root.pem");
  hash();
  EXPECT_EQ(dial_now(), Error::none);
  // The hashed names alone will do; so will a copy of it in place of a link.
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    if (!entry.is_symlink()) continue;
    const std::string link = entry.path();
    std::filesystem::remove(link);
    std::filesystem::rename(directory_ + "/root.pem", link);
    break;
  }
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/root.pem"));
  EXPECT_EQ(dial_now(), Error::none);
}

TEST_F(AuthorityDirectory, OtherThingsInItAreInNobodysWay) {
  std::ofstream(directory_ + "/rubbish.pem") << "rubbish";
  std::ofstream(directory_ + "/broken.crt")
      << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  std::ofstream(directory_ + "/README") << "text";
  std::filesystem::create_directory(directory_ + "/folder.pem");
  infrastructure_.root.write(directory_ + "/root.txt");
  expect_complaint(settings_, directory_, "has no certificate in PEM form");
  infrastructure_.root.write(directory_ + "/root.pem");
  EXPECT_EQ(dial_now(), Error::none);
}

TEST_F(AuthorityDirectory, IsReadAnewWhenItChanges) {
  infrastructure_.intermediate.write(directory_ + "/one.pem");
  EXPECT_EQ(dial_now(), Error::certificate_issuer_unknown);
  infrastructure_.root.write(directory_ + "/two.pem");  // a file more
  EXPECT_EQ(dial_now(), Error::none);
  infrastructure_.intermediate.write(directory_ + "/two.pem");  // other content
  EXPECT_EQ(dial_now(), Error::certificate_issuer_unknown);
  infrastructure_.root.write(path("elsewhere"));
  std::filesystem::remove(directory_ + "/two.pem");
  std::filesystem::create_symlink(path("elsewhere"), directory_ + "/two.pem");
  EXPECT_EQ(dial_now(), Error::none);
  infrastructure_.intermediate.write(path("elsewhere"));  // behind the link
  EXPECT_EQ(dial_now(), Error::certificate_issuer_unknown);
}

TEST_F(TlsFiles, TheSystemsAuthoritiesAreReadAnewToo) {
  const TestTls tls =
      infrastructure_.server(make_certificate({"leaf", names}, &infrastructure_.root));
  const std::string folder = path("system");
  std::filesystem::create_directory(folder);
  infrastructure_.intermediate.write(path("bundle"));
  ::setenv("SSL_CERT_FILE", path("bundle").c_str(), 1);
  ::setenv("SSL_CERT_DIR", folder.c_str(), 1);
  {
    Greeter server(tls);
    RealNetwork network;
    const config::Tls settings;
    EXPECT_EQ(dial(network, server.port(), settings).failure.error,
              Error::certificate_issuer_unknown);
    infrastructure_.root.write(folder + "/root.pem");
    const std::string command = "openssl rehash '" + folder + "' 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);
    EXPECT_EQ(dial(network, server.port(), settings).failure.error, Error::none);
  }
  ::unsetenv("SSL_CERT_FILE");
  ::unsetenv("SSL_CERT_DIR");
}

TEST_F(TlsFiles, WhatIsNoAuthorityIsSaid) {
  config::Tls settings;
  settings.ca = path("none");
  expect_complaint(settings, settings.ca, "No such file");
  put("none", "");
  expect_complaint(settings, settings.ca, "has no certificate in PEM form");
  put("none", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  expect_complaint(settings, settings.ca, "cannot be used");
}

TEST_F(TlsFiles, RevocationListsAreSaidWhenTheyAreNone) {
  config::Tls settings = infrastructure_.client();
  settings.crl = path("crl");
  expect_complaint(settings, settings.crl, "No such file");
  infrastructure_.root.write(settings.crl);
  expect_complaint(settings, settings.crl, "has no list in PEM form");
  put("crl", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
  expect_complaint(settings, settings.crl, "cannot be used");
  write_revocations(settings.crl, infrastructure_.root, {});
  EXPECT_EQ(complaint(settings), "");
}

TEST_F(TlsFiles, WrongCiphersAreSaid) {
  config::Tls settings = infrastructure_.client();
  settings.ciphers = "NO-SUCH-CIPHER";
  expect_complaint(settings, "tls.ciphers", "no cipher");
  settings.ciphers = "ECDHE+AESGCM";
  EXPECT_EQ(complaint(settings), "");
  settings.ciphersuites = "TLS_AES_128_GCM_SHA256:TLS_NONE";
  expect_complaint(settings, "tls.ciphersuites", "does not know");
  settings.ciphersuites = "TLS_AES_128_GCM_SHA256";
  EXPECT_EQ(complaint(settings), "");
}

/// A client's certificate, in each of the forms it may come in.
class ClientCertificate : public TlsFiles {
 protected:
  ClientCertificate() {
    SSL_CTX_set_verify(tls_.context(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_load_verify_file(tls_.context(), path("root").c_str());
    client_.write(path("client"), path("client_key"));
  }
  Error dial_with(const config::Tls& settings) {
    return dial(network_, server_.port(), settings).failure.error;
  }

  TestCertificate client_ = make_certificate({"client", ""}, &infrastructure_.root);
  TestTls tls_ = infrastructure_.server(make_certificate({"leaf", names}, &infrastructure_.root));
  Greeter server_{tls_};
  RealNetwork network_;
  config::Tls settings_ = infrastructure_.client();
};

TEST_F(ClientCertificate, AsPem) {
  EXPECT_EQ(dial_with(settings_), Error::client_certificate_required);
  settings_.certificate = path("client");
  settings_.key = path("client_key");
  EXPECT_EQ(dial_with(settings_), Error::none);
}

TEST_F(ClientCertificate, AsPemWithAnIntermediateAndAnEncryptedKey) {
  const TestCertificate client = make_certificate({"client", ""}, &infrastructure_.intermediate);
  client.write(path("client"));
  infrastructure_.intermediate.append(path("client"));
  client.write_key(path("client_key"), "secret");
  settings_.certificate = path("client");
  settings_.key = path("client_key");
  expect_complaint(settings_, settings_.key, "is encrypted; set tls.password");
  put("password", "secret2\n");
  settings_.password = config::Text("${file:" + path("password") + "}");
  expect_complaint(settings_, settings_.key, "tls.password does not fit");
  put("password", "secret\n");
  EXPECT_EQ(dial_with(settings_), Error::none);
  std::filesystem::remove(path("password"));
  expect_complaint(settings_, path("password"), "tls.password: ");
}

TEST_F(ClientCertificate, AsPkcs12) {
  settings_.pkcs12 = path("client.p12");
  expect_complaint(settings_, settings_.pkcs12, "No such file");
  client_.write_pkcs12(settings_.pkcs12, "secret");
  expect_complaint(settings_, settings_.pkcs12, "is encrypted; set tls.password");
  settings_.password = config::Text("secret2");
  expect_complaint(settings_, settings_.pkcs12, "tls.password does not fit");
  settings_.password = config::Text("secret");
  EXPECT_EQ(dial_with(settings_), Error::none);
  client_.write(settings_.pkcs12);
  expect_complaint(settings_, settings_.pkcs12, "not in PKCS#12 form");
}

TEST_F(ClientCertificate, AsPkcs12OfOldMeans) {
  struct FreeLibrary {
    void operator()(OSSL_LIB_CTX* library) const noexcept { OSSL_LIB_CTX_free(library); }
  };
  struct Unload {
    void operator()(OSSL_PROVIDER* provider) const noexcept { OSSL_PROVIDER_unload(provider); }
  };
  const std::unique_ptr<OSSL_LIB_CTX, FreeLibrary> library(OSSL_LIB_CTX_new());
  const std::unique_ptr<OSSL_PROVIDER, Unload> old(OSSL_PROVIDER_load(library.get(), "legacy"));
  const std::unique_ptr<OSSL_PROVIDER, Unload> usual(OSSL_PROVIDER_load(library.get(), "default"));
  if (!old || !usual) GTEST_SKIP() << "OpenSSL's legacy provider is not installed";
  settings_.pkcs12 = path("client.p12");
  settings_.password = config::Text("secret");
  client_.write_pkcs12(settings_.pkcs12, "secret", NID_pbe_WithSHA1And40BitRC2_CBC, library.get());
  expect_complaint(settings_, settings_.pkcs12, "openssl pkcs12 -legacy");
}

TEST_F(ClientCertificate, IsReadAnewWhenItChanges) {
  const TestCertificate other = make_certificate({"client", ""});
  other.write(path("client"), path("client_key"));
  settings_.certificate = path("client");
  settings_.key = path("client_key");
  EXPECT_EQ(dial_with(settings_), Error::client_certificate_required);
  client_.write(path("client"), path("client_key"));
  EXPECT_EQ(dial_with(settings_), Error::none);

  config::Tls packed = infrastructure_.client();
  packed.pkcs12 = path("client.p12");
  other.write_pkcs12(packed.pkcs12, "");
  EXPECT_EQ(dial_with(packed), Error::client_certificate_required);
  client_.write_pkcs12(packed.pkcs12, "");
  EXPECT_EQ(dial_with(packed), Error::none);
}

TEST_F(ClientCertificate, ItsLackIsToldWhereTheServerOnlyAsked) {
  SSL_CTX_set_verify(tls_.context(), SSL_VERIFY_PEER, nullptr);
  const Outcome without = dial(network_, server_.port(), settings_);
  EXPECT_EQ(without.failure.error, Error::none);
  EXPECT_TRUE(without.information.client_certificate_missing);
  settings_.certificate = path("client");
  settings_.key = path("client_key");
  EXPECT_FALSE(dial(network_, server_.port(), settings_).information.client_certificate_missing);
}

TEST(TlsContexts, AreSharedByEqualSettingsOnly) {
  const Infrastructure infrastructure;
  make_certificate({"client", ""})
      .write(infrastructure.path("client"), infrastructure.path("client_key"));
  write_revocations(infrastructure.path("crl"), infrastructure.root, {});
  TlsContexts contexts;
  const auto get = [&](const config::Tls& settings) {
    return std::get<std::shared_ptr<TlsContext>>(contexts.get(settings));
  };
  config::Tls settings = infrastructure.client();
  std::vector<std::shared_ptr<TlsContext>> all{get(settings)};
  const auto expect_another = [&](const config::Tls& changed) {
    const auto context = get(changed);
    for (const auto& other : all) EXPECT_NE(context, other);
    EXPECT_EQ(context, get(changed));
    all.push_back(context);
  };
  settings.certificate = infrastructure.path("client");
  settings.key = infrastructure.path("client_key");
  expect_another(settings);
  settings.password = config::Text("${env:PATH}");
  expect_another(settings);
  settings.password = config::Text("${env:HOME}");
  expect_another(settings);
  settings.crl = infrastructure.path("crl");
  expect_another(settings);
  settings.ignore = {CertificateFault::expired};
  expect_another(settings);
  settings.verify = false;
  expect_another(settings);
  settings.ciphers = "ECDHE+AESGCM";
  expect_another(settings);
  settings.min_version = config::TlsVersion::tls1_3;
  expect_another(settings);
}

}  // namespace
}  // namespace wskeep::net
