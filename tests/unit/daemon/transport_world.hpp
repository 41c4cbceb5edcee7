#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "tests/unit/daemon/real_network.hpp"
#include "tests/unit/daemon/test_certificates.hpp"
#include "tests/unit/daemon/test_server.hpp"

/// What the tests over real sockets share.
namespace wskeep::net {

using daemon::DialResult;
using daemon::Error;
using daemon::Failure;
using simulated::Collector;
using simulated::make_certificate;
using simulated::RealNetwork;
using simulated::TestCertificate;
using simulated::TestServer;
using simulated::TestTls;
using Status = IoResult::Status;

/// An authority, and what it and others have signed, in files.
class Authority {
 public:
  Authority() : folder_(::testing::TempDir() + "/wskeep_tls_" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder_);
    authority_ = make_certificate({"Test authority", "", -3600, 3600, true});
    authority_.write(file("ca"));
    issue("good", {"good", "DNS:example.com,IP:127.0.0.1"});
    issue("expired", {"expired", "DNS:example.com", -7200, -3600});
    issue("early", {"early", "DNS:example.com", 3600, 7200});
    issue("other", {"other", "DNS:other.example"});
    issue("client", {"client", ""});
    make_certificate({"alone", "DNS:example.com"}).write(file("alone"), file("alone_key"));
  }
  ~Authority() { std::filesystem::remove_all(folder_); }
  Authority(const Authority&) = delete;
  Authority& operator=(const Authority&) = delete;

  std::string file(const std::string& name) const { return folder_ + "/" + name + ".pem"; }
  TestTls tls(const std::string& name) const { return {file(name), file(name + "_key")}; }
  config::Tls client() const {
    config::Tls tls;
    tls.ca = file("ca");
    return tls;
  }

 private:
  void issue(const std::string& name, const simulated::TestCertificateSettings& settings) {
    make_certificate(settings, &authority_).write(file(name), file(name + "_key"));
  }
  std::string folder_;
  TestCertificate authority_;
};

inline const Authority& authority() {
  static const Authority one;
  return one;
}

inline std::unique_ptr<Transport> transport_of(DialResult result) {
  if (auto* failure = std::get_if<Failure>(&result)) {
    ADD_FAILURE() << error_name(failure->error) << ": " << failure->text;
    std::abort();
  }
  return std::move(std::get<std::unique_ptr<Transport>>(result));
}

inline Failure failure_of(const DialResult& result) {
  const auto* failure = std::get_if<Failure>(&result);
  return failure == nullptr ? Failure{} : *failure;
}

inline std::string pattern(std::size_t size, unsigned seed) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24U);
  return bytes;
}

}  // namespace wskeep::net
