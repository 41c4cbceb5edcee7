#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "daemon/net/certificate.hpp"
#include "daemon/net/certificate_check.hpp"
#include "tests/unit/daemon/tls_world.hpp"

namespace wskeep::net {
namespace {

constexpr const char* names = "DNS:example.com";

/// A fault of the server's certificates, how it is told, and what lets it pass.
struct FaultCase {
  std::string name;
  Error error;
  CertificateFault fault;
  std::vector<std::string> said;
};

void PrintTo(const FaultCase& one, std::ostream* output) {
  *output << one.name;
}

class CertificateFaults : public ::testing::TestWithParam<FaultCase> {
 protected:
  /// Brings the fault about.
  TestTls make(config::Tls& settings) {
    const std::string& name = GetParam().name;
    if (name == "expired") return leaf({"leaf", names, -7200, -3600});
    if (name == "not_yet_valid") return leaf({"leaf", names, 3600, 7200});
    if (name == "name_mismatch") return leaf({"leaf", "DNS:a.example,DNS:b.example"});
    if (name == "self_signed") return infrastructure_.server(make_certificate({"leaf", names}));
    if (name == "issuer_unknown")
      return infrastructure_.server(
          make_certificate({"leaf", names}, &infrastructure_.intermediate));
    if (name == "untrusted") {
      const TestCertificate other = make_certificate({"Other root", "", -3600, 3600, true});
      return infrastructure_.server(make_certificate({"leaf", names}, &other), {&other});
    }
    const TestCertificate made = make_certificate({"leaf", names}, &infrastructure_.root);
    settings.crl = infrastructure_.path("crl");
    if (name == "revoked") write_revocations(settings.crl, infrastructure_.root, {&made});
    if (name == "revocation_unknown")
      write_revocations(settings.crl, infrastructure_.intermediate, {});
    if (name == "revocation_expired")
      write_revocations(settings.crl, infrastructure_.root, {}, -7200, -3600);
    return infrastructure_.server(made);
  }

  TestTls leaf(const TestCertificateSettings& settings) {
    return infrastructure_.server(make_certificate(settings, &infrastructure_.root));
  }

  Infrastructure infrastructure_;
};

TEST_P(CertificateFaults, AreRefusedBeforeAnyByteAndPassedOverWhenToldTo) {
  const FaultCase& one = GetParam();
  config::Tls settings = infrastructure_.client();
  const TestTls tls = make(settings);

  const Outcome refused = dial(tls, settings);
  EXPECT_EQ(refused.failure.error, one.error) << refused.failure.text;
  for (const std::string& words : one.said)
    EXPECT_NE(refused.failure.text.find(words), std::string::npos) << refused.failure.text;
  EXPECT_EQ(refused.requests, 0);

  // Any other fault's word does not help.
  for (int number = 0; number <= static_cast<int>(CertificateFault::revocation_unknown); ++number)
    if (const auto fault = static_cast<CertificateFault>(number); fault != one.fault)
      settings.ignore.push_back(fault);
  EXPECT_EQ(dial(tls, settings).failure.error, one.error);

  settings.ignore = {one.fault};
  const Outcome ignored = dial(tls, settings);
  EXPECT_EQ(ignored.failure.error, Error::none) << ignored.failure.text;
  EXPECT_FALSE(ignored.information.verified);
  EXPECT_EQ(errors_of(ignored.information.ignored_faults), std::vector<Error>{one.error});

  settings.ignore.clear();
  settings.verify = false;
  const Outcome unchecked = dial(tls, settings);
  EXPECT_EQ(unchecked.failure.error, Error::none) << unchecked.failure.text;
  EXPECT_FALSE(unchecked.information.verified);
  EXPECT_EQ(errors_of(unchecked.information.ignored_faults), std::vector<Error>{one.error});
}

INSTANTIATE_TEST_SUITE_P(
    All, CertificateFaults,
    ::testing::Values(
        FaultCase{"expired",
                  Error::certificate_expired,
                  CertificateFault::expired,
                  {"\"CN=leaf\" expired at 20", "needs a new one"}},
        FaultCase{"not_yet_valid",
                  Error::certificate_not_yet_valid,
                  CertificateFault::not_yet_valid,
                  {"\"CN=leaf\" is not valid before 20", "clock"}},
        FaultCase{"name_mismatch",
                  Error::certificate_name_mismatch,
                  CertificateFault::name_mismatch,
                  {"DNS:a.example, DNS:b.example", "\"example.com\"", "tls.server_name"}},
        FaultCase{"self_signed",
                  Error::certificate_self_signed,
                  CertificateFault::self_signed,
                  {"\"CN=leaf\" is self-signed", "tls.ca"}},
        FaultCase{"issuer_unknown",
                  Error::certificate_issuer_unknown,
                  CertificateFault::issuer_unknown,
                  {"\"CN=leaf\" was issued by \"CN=Intermediate\"", "intermediate", "tls.ca"}},
        FaultCase{"untrusted",
                  Error::certificate_untrusted,
                  CertificateFault::untrusted,
                  {"\"CN=Other root\"", "tls.ca"}},
        FaultCase{"revoked",
                  Error::certificate_revoked,
                  CertificateFault::revoked,
                  {"\"CN=leaf\" was revoked at 20", "\"CN=Root\""}},
        FaultCase{"revocation_unknown",
                  Error::certificate_revocation_unknown,
                  CertificateFault::revocation_unknown,
                  {"\"CN=leaf\"", "list of \"CN=Root\" is not in tls.crl"}},
        FaultCase{"revocation_expired",
                  Error::certificate_revocation_unknown,
                  CertificateFault::revocation_unknown,
                  {"\"CN=leaf\"", "list of \"CN=Root\" was in force until 20"}}),
    [](const auto& test) { return test.param.name; });

TEST(Certificates, AGoodChainIsVerified) {
  const Infrastructure infrastructure;
  const TestCertificate leaf = make_certificate({"leaf", names}, &infrastructure.intermediate);
  const TestTls tls = infrastructure.server(leaf, {&infrastructure.intermediate});
  const Outcome outcome = dial(tls, infrastructure.client());
  EXPECT_EQ(outcome.failure.error, Error::none) << outcome.failure.text;
  EXPECT_TRUE(outcome.information.verified);
  EXPECT_TRUE(outcome.information.ignored_faults.empty());
  ASSERT_EQ(outcome.information.certificates.size(), 2U);
  EXPECT_EQ(outcome.information.certificates[0].pin, pin_of(leaf));
  EXPECT_EQ(outcome.information.certificates[1].pin, pin_of(infrastructure.intermediate));
  const auto left = outcome.information.certificates[0].expires - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::minutes(30));
  EXPECT_LT(left, std::chrono::minutes(61));
}

TEST(Certificates, AnAuthorityInTheMiddleCanBeTheAcceptedOne) {
  const Infrastructure infrastructure;
  const TestTls tls =
      infrastructure.server(make_certificate({"leaf", names}, &infrastructure.intermediate));
  config::Tls settings;
  settings.ca = infrastructure.path("intermediate");
  EXPECT_EQ(dial(tls, settings).failure.error, Error::none);
}

TEST(Certificates, EveryFaultThatIsPassedOverIsTold) {
  const Infrastructure infrastructure;
  const TestTls tls =
      infrastructure.server(make_certificate({"leaf", "DNS:other.example", -7200, -3600}));
  config::Tls settings = infrastructure.client();
  settings.ignore = {CertificateFault::expired, CertificateFault::name_mismatch};
  EXPECT_EQ(dial(tls, settings).failure.error, Error::certificate_self_signed);
  settings.ignore.push_back(CertificateFault::self_signed);
  EXPECT_EQ(errors_of(dial(tls, settings).information.ignored_faults),
            (std::vector<Error>{Error::certificate_self_signed, Error::certificate_name_mismatch,
                                Error::certificate_expired}));
}

TEST(Certificates, OtherFaultsAreInvalid) {
  const Infrastructure infrastructure;
  // Signed by a certificate that is no authority.
  const TestCertificate between = make_certificate({"between", names}, &infrastructure.root);
  const TestTls tls =
      infrastructure.server(make_certificate({"leaf", names}, &between), {&between});
  config::Tls settings = infrastructure.client();
  for (int number = 0; number <= static_cast<int>(CertificateFault::revocation_unknown); ++number)
    settings.ignore.push_back(static_cast<CertificateFault>(number));
  const Outcome outcome = dial(tls, settings);
  EXPECT_EQ(outcome.failure.error, Error::certificate_invalid);
  EXPECT_NE(outcome.failure.text.find("\"CN=between\""), std::string::npos) << outcome.failure.text;
  EXPECT_EQ(outcome.requests, 0);
}

TEST(Certificates, OnlyTheServersOwnNeedsARevocationList) {
  const Infrastructure infrastructure;
  const TestCertificate leaf = make_certificate({"leaf", names}, &infrastructure.intermediate);
  const TestTls tls = infrastructure.server(leaf, {&infrastructure.intermediate});
  config::Tls settings = infrastructure.client();
  settings.crl = infrastructure.path("crl");
  write_revocations(settings.crl, infrastructure.intermediate, {});
  const Outcome accepted = dial(tls, settings);
  EXPECT_EQ(accepted.failure.error, Error::none) << accepted.failure.text;
  EXPECT_TRUE(accepted.information.verified);

  // But where there is one for those above it, it counts.
  write_revocations(settings.crl, infrastructure.root, {&infrastructure.intermediate}, -3600, 3600,
                    "ae");
  const Outcome revoked = dial(tls, settings);
  EXPECT_EQ(revoked.failure.error, Error::certificate_revoked);
  EXPECT_NE(revoked.failure.text.find("\"CN=Intermediate\""), std::string::npos)
      << revoked.failure.text;
}

class Pins : public ::testing::Test {
 protected:
  Outcome dial_with(const std::string& pin) {
    settings_.pin_sha256 = {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", pin};
    return dial(tls_, settings_);
  }

  Infrastructure infrastructure_;
  TestCertificate leaf_ = make_certificate({"leaf", names}, &infrastructure_.intermediate);
  TestTls tls_ = infrastructure_.server(leaf_, {&infrastructure_.intermediate});
  config::Tls settings_ = infrastructure_.client();
};

TEST_F(Pins, AnyKeyOfTheChainWillDo) {
  for (const TestCertificate* one : {&leaf_, &infrastructure_.intermediate, &infrastructure_.root})
    EXPECT_EQ(dial_with(pin_of(*one)).failure.error, Error::none);
}

TEST_F(Pins, AnotherKeyIsRefusedBeforeAnyByte) {
  const std::string other = pin_of(make_certificate({"other", names}));
  for (const bool verify : {true, false}) {
    settings_.verify = verify;
    const Outcome outcome = dial_with(other);
    EXPECT_EQ(outcome.failure.error, Error::certificate_pin_mismatch);
    EXPECT_NE(outcome.failure.text.find(pin_of(leaf_)), std::string::npos) << outcome.failure.text;
    EXPECT_EQ(outcome.requests, 0);
  }
}

TEST_F(Pins, HoldWithoutVerifyToo) {
  settings_.verify = false;
  settings_.ca = infrastructure_.path("other");
  make_certificate({"Other root", "", -3600, 3600, true}).write(settings_.ca);
  EXPECT_EQ(dial_with(pin_of(leaf_)).failure.error, Error::none);
  EXPECT_EQ(dial_with(pin_of(infrastructure_.intermediate)).failure.error, Error::none);
}

TEST_F(Pins, ACopyOfThePinnedCertificateIsNotEnough) {
  // Somebody else's certificate of the same issuer's name, and behind it the real issuer's.
  const TestCertificate false_issuer = make_certificate({"Intermediate", "", -3600, 3600, true});
  const TestTls tls = infrastructure_.server(make_certificate({"leaf", names}, &false_issuer),
                                             {&infrastructure_.intermediate});
  settings_.verify = false;
  settings_.pin_sha256 = {pin_of(infrastructure_.intermediate)};
  const Outcome outcome = dial(tls, settings_);
  EXPECT_EQ(outcome.failure.error, Error::certificate_pin_mismatch);
  EXPECT_EQ(outcome.requests, 0);
}

TEST_F(Pins, HoldWhenASessionIsResumed) {
  Greeter server(tls_);
  RealNetwork network;
  EXPECT_EQ(dial(network, server.port(), settings_).failure.error, Error::none);
  EXPECT_TRUE(dial(network, server.port(), settings_).information.resumed);
  settings_.pin_sha256 = {pin_of(make_certificate({"other", names}))};
  EXPECT_EQ(dial(network, server.port(), settings_).failure.error, Error::certificate_pin_mismatch);
  settings_.pin_sha256 = {pin_of(leaf_)};
  const Outcome first = dial(network, server.port(), settings_);
  EXPECT_EQ(first.failure.error, Error::none);
  EXPECT_FALSE(first.information.resumed);
  EXPECT_TRUE(dial(network, server.port(), settings_).information.resumed);
}

TEST(Resumption, AChainThatWouldNotBeAcceptedNowIsNotResumed) {
  const Infrastructure infrastructure;
  const TestCertificate short_lived =
      make_certificate({"short", names, -3600, 2}, &infrastructure.root);
  const TestTls tls = infrastructure.server(short_lived);
  Greeter server(tls);
  RealNetwork network;
  EXPECT_EQ(dial(network, server.port(), infrastructure.client()).failure.error, Error::none);
  while (X509_cmp_current_time(X509_get0_notAfter(short_lived.certificate.get())) > 0)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(dial(network, server.port(), infrastructure.client()).failure.error,
            Error::certificate_expired);
}

TEST(Resumption, WhatIsPassedOverIsToldAgain) {
  const Infrastructure infrastructure;
  const TestTls tls = infrastructure.server(make_certificate({"leaf", names}));
  config::Tls settings = infrastructure.client();
  settings.ignore = {CertificateFault::self_signed};
  Greeter server(tls);
  RealNetwork network;
  for (const bool resumed : {false, true}) {
    const Outcome outcome = dial(network, server.port(), settings);
    EXPECT_EQ(outcome.information.resumed, resumed);
    EXPECT_FALSE(outcome.information.verified);
    EXPECT_EQ(errors_of(outcome.information.ignored_faults),
              std::vector<Error>{Error::certificate_self_signed});
  }
}

TEST(Resumption, NotAfterAFileHasChanged) {
  const Infrastructure infrastructure;
  const TestCertificate leaf = make_certificate({"leaf", names}, &infrastructure.root);
  const TestTls tls = infrastructure.server(leaf);
  Greeter server(tls);
  RealNetwork network;
  config::Tls settings = infrastructure.client();
  settings.crl = infrastructure.path("crl");
  write_revocations(settings.crl, infrastructure.root, {});
  EXPECT_EQ(dial(network, server.port(), settings).failure.error, Error::none);
  EXPECT_TRUE(dial(network, server.port(), settings).information.resumed);
  write_revocations(settings.crl, infrastructure.root, {&leaf});
  EXPECT_EQ(dial(network, server.port(), settings).failure.error, Error::certificate_revoked);
  write_revocations(settings.crl, infrastructure.root, {});
  EXPECT_FALSE(dial(network, server.port(), settings).information.resumed);
  // Another authority of the same name is another one.
  make_certificate({"Root", "", -3600, 3600, true}).write(settings.ca);
  EXPECT_NE(dial(network, server.port(), settings).failure.error, Error::none);
}

}  // namespace
}  // namespace wskeep::net
