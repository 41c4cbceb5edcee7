#include "daemon/net/tls_transport.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/daemon/transport_world.hpp"

namespace wskeep::net {
namespace {

using namespace std::chrono_literals;

/// Sends it in records of many sizes, then ends TLS and TCP.
void send_all(SSL* ssl, const std::string& bytes) {
  std::size_t done = 0;
  std::size_t step = 1;
  while (done < bytes.size()) {
    const std::size_t size = std::min(step, bytes.size() - done);
    if (SSL_write(ssl, bytes.data() + done, static_cast<int>(size)) <= 0) return;
    done += size;
    step = step * 3 % 20011;
  }
}

TEST(TlsTransport, TellsWhatItKnows) {
  const TestTls tls = authority().tls("good");
  TestServer server([&](int descriptor) {
    const auto ssl = tls.accept(descriptor);
    char byte = 0;
    if (ssl) SSL_read(ssl.get(), &byte, 1);
  });
  RealNetwork network;
  const auto transport =
      transport_of(network.dial(server.port(), true, "example.com", authority().client()));
  const TransportInformation& known = transport->information();
  EXPECT_EQ(known.tls_version, "TLSv1.3");
  EXPECT_FALSE(known.cipher.empty());
  EXPECT_FALSE(known.resumed);
  ASSERT_EQ(known.certificates.size(), 1U);
  EXPECT_EQ(known.certificates[0].subject, "CN=good");
  EXPECT_EQ(known.certificates[0].issuer, "CN=Test authority");
  EXPECT_EQ(known.certificates[0].names,
            (std::vector<std::string>{"DNS:example.com", "IP:127.0.0.1"}));
  EXPECT_EQ(known.certificates[0].sha256.size(), 64U);
  EXPECT_EQ(known.certificates[0].not_after.size(), 20U);
}

TEST(TlsTransport, CertificatesAreRefusedEachForItsOwnReason) {
  struct Case {
    std::string certificate;
    std::string host;
    Error error;
    std::string said;
  };
  const std::vector<Case> table{
      {"good", "example.com", Error::none, ""},
      {"good", "127.0.0.1", Error::none, ""},
      {"good", "127.0.0.2", Error::certificate_name_mismatch, "IP:127.0.0.1"},
      {"expired", "example.com", Error::certificate_expired, "\"CN=expired\" expired at 20"},
      {"early", "example.com", Error::certificate_not_yet_valid, "not valid before 20"},
      {"other", "example.com", Error::certificate_name_mismatch, "it has DNS:other.example"},
      {"client", "example.com", Error::certificate_name_mismatch, "no name"},
      {"alone", "example.com", Error::certificate_self_signed, "\"CN=alone\""},
  };
  for (const Case& one : table) {
    SCOPED_TRACE(one.certificate + " " + one.host);
    const TestTls tls = authority().tls(one.certificate);
    std::atomic<int> bytes{0};
    TestServer server([&](int descriptor) {
      const auto ssl = tls.accept(descriptor);
      char byte = 0;
      if (ssl && SSL_read(ssl.get(), &byte, 1) > 0) ++bytes;
    });
    RealNetwork network;
    const Failure failure =
        failure_of(network.dial(server.port(), true, one.host, authority().client()));
    EXPECT_EQ(failure.error, one.error) << failure.text;
    EXPECT_NE(failure.text.find(one.said), std::string::npos) << failure.text;
    EXPECT_EQ(bytes, 0);
  }
}

TEST(TlsTransport, TheServerNameIsSentAndCanBeSet) {
  const TestTls tls = authority().tls("other");
  std::vector<std::string> names;
  {
    TestServer server([&](int descriptor) {
      const auto ssl = tls.accept(descriptor);
      const char* name = ssl ? SSL_get_servername(ssl.get(), TLSEXT_NAMETYPE_host_name) : nullptr;
      names.emplace_back(name == nullptr ? "" : name);
    });
    RealNetwork network;
    config::Tls settings = authority().client();
    settings.server_name = "other.example";
    const DialResult result = network.dial(server.port(), true, "example.com", settings);
    EXPECT_EQ(failure_of(result).error, Error::none);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"other.example"}));
}

TEST(TlsTransport, SomethingElseOnThePort) {
  TestServer server([](int descriptor) {
    ::send(descriptor, "SSH-2.0-OpenSSH_9\r\n", 19, MSG_NOSIGNAL);
    char byte = 0;
    ::recv(descriptor, &byte, 1, 0);
  });
  RealNetwork network;
  EXPECT_EQ(
      failure_of(network.dial(server.port(), true, "example.com", authority().client())).error,
      Error::tls_protocol);
  TestServer shut([](int) {});
  const Error error =
      failure_of(network.dial(shut.port(), true, "example.com", authority().client())).error;
  EXPECT_TRUE(error == Error::connection_closed || error == Error::connection_reset);
}

TEST(TlsTransport, AServerThatWantsAClientCertificate) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SCOPED_TRACE(version);
    const TestTls tls = authority().tls("good");
    SSL_CTX_set_max_proto_version(tls.context(), version);
    SSL_CTX_set_verify(tls.context(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_load_verify_file(tls.context(), authority().file("ca").c_str());
    TestServer server([&](int descriptor) {
      const auto ssl = tls.accept(descriptor);
      if (ssl) SSL_write(ssl.get(), "hello", 5);
      if (ssl) SSL_shutdown(ssl.get());
      char byte = 0;
      if (!ssl) ::recv(descriptor, &byte, 1, 0);  // else our alert would be lost in a reset
    });
    RealNetwork network;
    config::Tls settings = authority().client();
    DialResult result = network.dial(server.port(), true, "example.com", settings);
    if (version == TLS1_2_VERSION) {
      EXPECT_EQ(failure_of(result).error, Error::client_certificate_required);
    } else {
      const auto transport = transport_of(std::move(result));
      Collector collector(*transport, 100);
      network.run_until([&] { return collector.end.has_value(); });
      EXPECT_EQ(collector.end->error, Error::client_certificate_required);
    }
    settings.certificate = authority().file("client");
    settings.key = authority().file("client_key");
    const auto transport = transport_of(network.dial(server.port(), true, "example.com", settings));
    Collector collector(*transport, 100);
    network.run_until([&] { return collector.end.has_value(); });
    EXPECT_EQ(collector.received, "hello");
  }
}

TEST(TlsTransport, SessionsAreResumed) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SCOPED_TRACE(version);
    const TestTls tls = authority().tls("good");
    SSL_CTX_set_max_proto_version(tls.context(), version);
    TestServer server([&](int descriptor) {
      const auto ssl = tls.accept(descriptor);
      if (ssl) SSL_write(ssl.get(), "hello", 5);
      char byte = 0;
      if (ssl) SSL_read(ssl.get(), &byte, 1);
    });
    RealNetwork network;
    for (int round = 0; round < 4; ++round) {
      const auto transport =
          transport_of(network.dial(server.port(), true, "example.com", authority().client()));
      EXPECT_EQ(transport->information().resumed, round > 0);
      EXPECT_EQ(transport->information().certificates.size(), 1U);
      Collector collector(*transport, 100);
      network.run_until([&] { return collector.received == "hello"; });
    }
    // Another name is another session, and checked.
    EXPECT_EQ(
        failure_of(network.dial(server.port(), true, "wrong.example", authority().client())).error,
        Error::certificate_name_mismatch);
  }
}

TEST(TlsTransport, LargeDataOfSeveralConnectionsThroughBuffersOfManySizes) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TestTls tls = authority().tls("good");
    SSL_CTX_set_max_proto_version(tls.context(), version);
    const std::string one = pattern(1'500'000, 7);
    TestServer server([&](int descriptor) {
      const auto ssl = tls.accept(descriptor);
      if (!ssl) return;
      send_all(ssl.get(), one);
      SSL_shutdown(ssl.get());
    });
    RealNetwork network;
    std::vector<std::unique_ptr<Transport>> transports;
    std::vector<std::unique_ptr<Collector>> collectors;
    for (const std::size_t buffer : {17UL, 4096UL, 16'384UL, 100'000UL, 262'144UL}) {
      transports.push_back(
          transport_of(network.dial(server.port(), true, "example.com", authority().client())));
      collectors.push_back(std::make_unique<Collector>(*transports.back(), buffer));
    }
    network.run_until([&] {
      return std::all_of(collectors.begin(), collectors.end(),
                         [](const auto& c) { return c->end.has_value(); });
    });
    for (const auto& collector : collectors) {
      EXPECT_TRUE(collector->received == one) << collector->received.size();
      EXPECT_EQ(collector->end->status, Status::end);
      EXPECT_EQ(collector->end->error, Error::none);
    }
  }
}

TEST(TlsTransport, OneReadFillsALargeBuffer) {
  const TestTls tls = authority().tls("good");
  std::atomic<bool> sent{false};
  TestServer server([&](int descriptor) {
    const auto ssl = tls.accept(descriptor);
    const std::string piece(1000, 'x');
    for (int i = 0; ssl && i < 60; ++i) SSL_write(ssl.get(), piece.data(), 1000);
    sent = true;
    char byte = 0;
    if (ssl) SSL_read(ssl.get(), &byte, 1);
  });
  RealNetwork network;
  const auto transport =
      transport_of(network.dial(server.port(), true, "example.com", authority().client()));
  network.run_until([&] { return sent.load(); });
  std::vector<std::byte> buffer(256 * 1024);
  std::size_t total = 0;
  int reads = 0;
  network.run_until([&] {
    const IoResult result = transport->read(buffer);
    if (result.status == Status::done) ++reads;
    total += result.bytes;
    return total == 60'000;
  });
  EXPECT_LE(reads, 2);  // the loopback may deliver in two parts
  EXPECT_EQ(transport->read(buffer).status, Status::would_block);
}

TEST(TlsTransport, WritesThatTheSocketDoesNotTakeAtOnceArriveWhole) {
  const TestTls tls = authority().tls("good");
  const std::string large = pattern(8'000'000, 3);
  std::string received;
  std::atomic<bool> over{false};
  TestServer server([&](int descriptor) {
    const auto ssl = tls.accept(descriptor);
    std::this_thread::sleep_for(200ms);
    std::vector<char> buffer(50'000);
    for (int count = 1; ssl && count > 0;) {
      count = SSL_read(ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
      if (count > 0) received.append(buffer.data(), static_cast<std::size_t>(count));
    }
    if (ssl) SSL_key_update(ssl.get(), SSL_KEY_UPDATE_REQUESTED);
    if (ssl) SSL_write(ssl.get(), "thanks", 6);
    over = true;
  });
  RealNetwork network;
  auto transport =
      transport_of(network.dial(server.port(), true, "example.com", authority().client()));
  struct Writer final : TransportObserver {
    void on_readable() override {}
    void on_writable() override { go(); }
    void go() {
      for (;;) {
        // A copy elsewhere each time: the memory may move between calls.
        const std::string copy(text.substr(0, 300'000));
        if (copy.empty()) return;
        const IoResult result = transport->write(std::as_bytes(std::span(copy)));
        text.remove_prefix(result.bytes);
        if (result.status == Status::would_block) {
          ++blocked;
          transport->want_write();
          return;
        }
        ASSERT_EQ(result.status, Status::done);
      }
    }
    Transport* transport = nullptr;
    std::string_view text;
    int blocked = 0;
  } writer;
  writer.transport = transport.get();
  writer.text = large;
  transport->observe(&writer);
  writer.go();
  network.run_until([&] { return writer.text.empty(); });
  EXPECT_GT(writer.blocked, 0);
  transport->shutdown();
  Collector collector(*transport, 1000);  // half closed: we still read
  network.run_until([&] { return collector.end.has_value(); });
  EXPECT_EQ(collector.received, "thanks");
  network.run_until([&] { return over.load(); });
  EXPECT_TRUE(received == large);
}

TEST(TlsTransport, TheKindsOfAnEnd) {
  const TestTls tls = authority().tls("good");
  std::atomic<int> kind{0};
  TestServer server([&](int descriptor) {
    const auto ssl = tls.accept(descriptor);
    if (!ssl) return;
    SSL_write(ssl.get(), "last", 4);
    if (kind == 0) SSL_shutdown(ssl.get());
    if (kind == 2) {
      std::this_thread::sleep_for(100ms);  // a reset would take the bytes with it
      const linger now{1, 0};
      ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    }
    if (kind == 3) ::send(descriptor, "no TLS record at all", 20, MSG_NOSIGNAL);
  });
  const std::vector<IoResult> expected{{Status::end, 0, Error::none},
                                       {Status::end, 0, Error::tls_truncated},
                                       {Status::failed, 0, Error::connection_reset},
                                       {Status::failed, 0, Error::tls_protocol}};
  for (kind = 0; kind < 4; ++kind) {
    SCOPED_TRACE(kind.load());
    RealNetwork network;
    const auto transport =
        transport_of(network.dial(server.port(), true, "example.com", authority().client()));
    Collector collector(*transport, 1000);
    network.run_until([&] { return collector.end.has_value(); });
    EXPECT_EQ(collector.received, "last");
    EXPECT_EQ(collector.end->status, expected[static_cast<std::size_t>(kind)].status);
    EXPECT_EQ(collector.end->error, expected[static_cast<std::size_t>(kind)].error);
    std::array<std::byte, 10> buffer{};
    EXPECT_EQ(transport->read(buffer).status, collector.end->status);  // and it stays so
  }
}

TEST(TlsContexts, AreSharedUntilAFileChanges) {
  TlsContexts contexts;
  const std::string file = authority().file("changing");
  std::filesystem::copy_file(authority().file("ca"), file,
                             std::filesystem::copy_options::overwrite_existing);
  config::Tls settings;
  settings.ca = file;
  const auto get = [&] { return std::get<std::shared_ptr<TlsContext>>(contexts.get(settings)); };
  const auto first = get();
  settings.server_name = "other.example";
  EXPECT_EQ(get(), first);
  std::filesystem::copy_file(authority().file("alone"), file,
                             std::filesystem::copy_options::overwrite_existing);
  const auto second = get();
  EXPECT_NE(second, first);
  std::ofstream(file) << "rubbish";
  EXPECT_EQ(std::get<Failure>(contexts.get(settings)).error, Error::configuration);
  std::filesystem::remove(file);
  const Failure gone = std::get<Failure>(contexts.get(settings));
  EXPECT_EQ(gone.error, Error::configuration);
  EXPECT_NE(gone.text.find(file), std::string::npos);
}

TEST(TlsContexts, AKeyThatDoesNotBelongIsRefused) {
  TlsContexts contexts;
  config::Tls settings = authority().client();
  settings.certificate = authority().file("client");
  settings.key = authority().file("good_key");
  const Failure failure = std::get<Failure>(contexts.get(settings));
  EXPECT_EQ(failure.error, Error::configuration);
  EXPECT_NE(failure.text.find("good_key"), std::string::npos);
}

}  // namespace
}  // namespace wskeep::net
