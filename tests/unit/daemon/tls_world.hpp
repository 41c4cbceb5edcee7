#pragma once

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "daemon/net/certificate.hpp"
#include "tests/unit/daemon/transport_world.hpp"

/// For tests of who is accepted: a public key infrastructure of the test's own, and servers that
/// greet.
namespace wskeep::net {

using config::CertificateFault;
using simulated::TestCertificateSettings;
using simulated::write_revocations;

/// Root, intermediate and what they sign, in a folder that goes with it.
class Infrastructure {
 public:
  Infrastructure()
      : root(make_certificate({"Root", "", -3600, 3600, true})),
        intermediate(make_certificate({"Intermediate", "", -3600, 3600, true}, &root)) {
    static int number = 0;
    folder_ = ::testing::TempDir() + "/wskeep_pki_" + std::to_string(::getpid()) + "_" +
              std::to_string(number++);
    std::filesystem::create_directories(folder_);
    root.write(path("root"));
    intermediate.write(path("intermediate"));
  }
  ~Infrastructure() { std::filesystem::remove_all(folder_); }
  Infrastructure(const Infrastructure&) = delete;
  Infrastructure& operator=(const Infrastructure&) = delete;

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + "/" + name; }
  [[nodiscard]] const std::string& folder() const { return folder_; }

  /// The settings of a client that knows the root.
  [[nodiscard]] config::Tls client() const {
    config::Tls tls;
    tls.ca = path("root");
    return tls;
  }

  /// A server that shows this certificate, and behind it those.
  [[nodiscard]] TestTls server(const TestCertificate& certificate,
                               const std::vector<const TestCertificate*>& chain = {}) const {
    const std::string file = path("server");
    certificate.write(file, file + "_key");
    for (const TestCertificate* one : chain) one->append(file);
    return {file, file + "_key"};
  }

  TestCertificate root;
  TestCertificate intermediate;

 private:
  std::string folder_;
};

inline std::string pin_of(const TestCertificate& certificate) {
  return net::pin_of(certificate.certificate.get());
}

/// What came of one dial, to example.com unless told otherwise.
struct Outcome {
  Failure failure;
  TransportInformation information;
  int requests = 0;  ///< servers that got a byte from within TLS
};

/// A server that says hello and waits for the client to go.
class Greeter {
 public:
  explicit Greeter(const TestTls& tls)
      : tls_(tls), server_([this](int descriptor) { serve(descriptor); }) {}

  [[nodiscard]] std::uint16_t port() const { return server_.port(); }
  [[nodiscard]] int requests() const { return requests_; }

 private:
  void serve(int descriptor) {
    const auto ssl = tls_.accept(descriptor);
    char byte = 0;
    if (ssl) {
      SSL_write(ssl.get(), "hello", 5);
      if (SSL_read(ssl.get(), &byte, 1) > 0) ++requests_;
    } else {
      ::recv(descriptor, &byte, 1, 0);  // else our alert would be lost in a reset
    }
  }

  const TestTls& tls_;
  std::atomic<int> requests_{0};
  TestServer server_;
};

/// Dials, and waits for the greeting where it comes to that; so that tickets have come too.
inline Outcome dial(RealNetwork& network, std::uint16_t port, const config::Tls& settings,
                    const std::string& host = "example.com") {
  DialResult result = network.dial(port, true, host, settings);
  if (const auto* failure = std::get_if<Failure>(&result)) return {*failure, {}, 0};
  const auto& transport = std::get<std::unique_ptr<Transport>>(result);
  Outcome outcome{{}, transport->information(), 0};
  Collector collector(*transport, 100);
  network.run_until([&] { return collector.received == "hello" || collector.end.has_value(); });
  if (collector.end) outcome.failure.error = collector.end->error;
  return outcome;
}

inline Outcome dial(const TestTls& tls, const config::Tls& settings,
                    const std::string& host = "example.com") {
  Greeter server(tls);
  RealNetwork network;
  Outcome outcome = dial(network, server.port(), settings, host);
  outcome.requests = server.requests();
  return outcome;
}

inline std::vector<Error> errors_of(const std::vector<Failure>& failures) {
  std::vector<Error> errors;
  for (const Failure& failure : failures) errors.push_back(failure.error);
  return errors;
}

}  // namespace wskeep::net
