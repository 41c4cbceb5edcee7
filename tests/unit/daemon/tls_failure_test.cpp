#include "daemon/net/tls_failure.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/daemon/tls_world.hpp"

namespace wskeep::net {
namespace {

class TlsFailures : public ::testing::Test {
 protected:
  void expect(Error error, const std::string& words) {
    const Outcome outcome = dial(tls_, settings_);
    EXPECT_EQ(outcome.failure.error, error) << outcome.failure.text;
    EXPECT_NE(outcome.failure.text.find(words), std::string::npos) << outcome.failure.text;
    EXPECT_EQ(outcome.requests, 0);
  }

  Infrastructure infrastructure_;
  TestTls tls_ =
      infrastructure_.server(make_certificate({"leaf", "DNS:example.com"}, &infrastructure_.root));
  config::Tls settings_ = infrastructure_.client();
};

TEST_F(TlsFailures, AServerThatIsTooOld) {
  SSL_CTX_set_security_level(tls_.context(), 0);
  SSL_CTX_set_min_proto_version(tls_.context(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(tls_.context(), TLS1_1_VERSION);
  expect(Error::tls_version, "no TLS version from 1.2 on");
}

TEST_F(TlsFailures, AServerOlderThanWhatIsAskedFor) {
  SSL_CTX_set_max_proto_version(tls_.context(), TLS1_2_VERSION);
  settings_.min_version = config::TlsVersion::tls1_3;
  expect(Error::tls_version, "tls.min_version");
}

TEST_F(TlsFailures, AnOldServerThatAnswersWithItsOwnVersion) {
  // TLS 1.0 and 1.1 servers from before 2018 do not know of supported_versions, and answer.
  TestServer server([](int descriptor) {
    char hello[2048];
    if (::recv(descriptor, hello, sizeof hello, 0) <= 0) return;
    std::string answer{"\x16\x03\x02", 3};                         // handshake, TLS 1.1
    answer += std::string{"\x00\x2A\x02\x00\x00\x26\x03\x02", 8};  // ServerHello, TLS 1.1
    answer += std::string(32, 'r');                                // random
    answer +=
        std::string{"\x00\xC0\x13\x00", 4};  // no session, ECDHE-RSA-AES128-SHA, no compression
    ::send(descriptor, answer.data(), answer.size(), MSG_NOSIGNAL);
    ::recv(descriptor, hello, sizeof hello, 0);
  });
  RealNetwork network;
  const Failure failure = dial(network, server.port(), settings_).failure;
  EXPECT_EQ(failure.error, Error::tls_version) << failure.text;
}

TEST_F(TlsFailures, NoCipherInCommon) {
  SSL_CTX_set_max_proto_version(tls_.context(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(tls_.context(), "ECDHE-ECDSA-AES256-GCM-SHA384");
  settings_.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
  expect(Error::tls_protocol, "tls.ciphers");
  settings_.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  const Outcome outcome = dial(tls_, settings_);
  EXPECT_EQ(outcome.failure.error, Error::none) << outcome.failure.text;
  EXPECT_EQ(outcome.information.cipher, settings_.ciphers);
}

TEST_F(TlsFailures, NoCipherSuiteInCommon) {
  SSL_CTX_set_ciphersuites(tls_.context(), "TLS_AES_256_GCM_SHA384");
  SSL_CTX_set_min_proto_version(tls_.context(), TLS1_3_VERSION);
  settings_.ciphersuites = "TLS_AES_128_GCM_SHA256";
  expect(Error::tls_protocol, "tls.ciphersuites");
  settings_.ciphersuites = "TLS_AES_256_GCM_SHA384";
  EXPECT_EQ(dial(tls_, settings_).information.cipher, settings_.ciphersuites);
}

TEST_F(TlsFailures, OurClientCertificateIsRefused) {
  const TestCertificate other = make_certificate({"other", ""});
  other.write(infrastructure_.path("client"), infrastructure_.path("client_key"));
  settings_.certificate = infrastructure_.path("client");
  settings_.key = infrastructure_.path("client_key");
  SSL_CTX_set_verify(tls_.context(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  expect(Error::client_certificate_required, "");  // TLS 1.3 tells when the handshake is over
  SSL_CTX_set_max_proto_version(tls_.context(), TLS1_2_VERSION);
  expect(Error::client_certificate_required, "refuses our client certificate");
}

TEST_F(TlsFailures, AClientCertificateIsRequired) {
  SSL_CTX_set_verify(tls_.context(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  expect(Error::client_certificate_required, "");
  SSL_CTX_set_max_proto_version(tls_.context(), TLS1_2_VERSION);
  expect(Error::client_certificate_required, "tls.certificate");
}

/// What the server does about ALPN.
int choose(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size,
           const unsigned char* offered, unsigned offered_size, void* data) {
  *static_cast<std::string*>(data) = {offered, offered + offered_size};
  static const std::string other = "h2";
  *chosen = reinterpret_cast<const unsigned char*>(other.data());
  *size = 2;
  return SSL_TLSEXT_ERR_OK;
}

int refuse(SSL* /*ssl*/, const unsigned char** /*chosen*/, unsigned char* /*size*/,
           const unsigned char* /*offered*/, unsigned /*offered_size*/, void* /*data*/) {
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

TEST_F(TlsFailures, AnotherProtocolIsChosen) {
  std::string offered;
  SSL_CTX_set_alpn_select_cb(tls_.context(), &choose, &offered);
  expect(Error::tls_protocol, "ALPN");
  EXPECT_EQ(offered, "\x08http/1.1");
}

TEST_F(TlsFailures, HttpIsRefused) {
  SSL_CTX_set_alpn_select_cb(tls_.context(), &refuse, nullptr);
  expect(Error::tls_protocol, "does not speak http/1.1");
}

TEST_F(TlsFailures, SomethingElseOnThePort) {
  for (const std::string& said :
       {std::string("SSH-2.0-OpenSSH_9\r\n"), std::string("HTTP/1.1 400 Bad Request\r\n\r\n")}) {
    TestServer server([&](int descriptor) {
      ::send(descriptor, said.data(), said.size(), MSG_NOSIGNAL);
      char byte = 0;
      ::recv(descriptor, &byte, 1, 0);
    });
    RealNetwork network;
    const Failure failure = dial(network, server.port(), settings_).failure;
    EXPECT_EQ(failure.error, Error::tls_protocol);
    EXPECT_NE(failure.text.find("does not speak TLS"), std::string::npos) << failure.text;
  }
}

}  // namespace
}  // namespace wskeep::net
