#include "config/load.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "temporary_folder.hpp"

namespace wskeep::config {
namespace {

Config load(const std::string& yaml) {
  return load_text(yaml, "test.yaml");
}

/// The settings of the only connection.
ConnectionSettings settings(const std::string& yaml) {
  return load(yaml).connections.at(0).settings;
}

TEST(Load, NeedsNoMoreThanAUrl) {
  const Config config = load("connections: {a: {url: wss://h/}}");
  ASSERT_EQ(config.connections.size(), 1U);
  EXPECT_EQ(config.connections[0].name, "a");
  EXPECT_EQ(config.connections[0].urls.at(0).source(), "wss://h/");
}

TEST(Load, ReadsEveryKeyOfTheTop) {
  const Config config = load(R"(
ipc:
  socket: /tmp/s
  mode: "0600"
  group: users
  limits: {clients: 1, request_head: 2KiB, subscriber_buffer: 3KiB, request: 4s, idle: 5s}
metrics: {listen: "[::1]:9464"}
log: {level: trace, format: json, rate: 7/3s, queue: 128KiB}
threads: 6
shutdown: 7s
connections: {a: {url: ws://h/}}
)");
  EXPECT_EQ(config.ipc.socket, "/tmp/s");
  EXPECT_EQ(config.ipc.mode, 0600U);
  EXPECT_EQ(config.ipc.group, "users");
  EXPECT_EQ(config.ipc.limits.clients, 1U);
  EXPECT_EQ(config.ipc.limits.request_head, 2048U);
  EXPECT_EQ(config.ipc.limits.subscriber_buffer, 3072U);
  EXPECT_EQ(config.ipc.limits.request, Milliseconds(4000));
  EXPECT_EQ(config.ipc.limits.idle, Milliseconds(5000));
  EXPECT_EQ(config.metrics.listen, "[::1]:9464");
  EXPECT_EQ(config.log.level, LogLevel::trace);
  EXPECT_EQ(config.log.format, LogFormat::json);
  EXPECT_EQ(config.log.rate, (Rate{7, Milliseconds(3000)}));
  EXPECT_EQ(config.log.queue, 131072U);
  EXPECT_EQ(config.threads, 6U);
  EXPECT_EQ(config.shutdown, Milliseconds(7000));
}

TEST(Load, ReadsEveryTimeOfAConnection) {
  const ConnectionSettings read = settings(R"(
connections:
  a:
    url: wss://h/
    timeouts: {connect: 7s, address: 1s, resolve: 2s, send: 3s, receive: 4s, message: 5s, close: 6s}
    fallback: {delay: 8s, addresses: 9, family: ipv6}
    reconnect: {initial: 10s, max: 11s, stable_after: 12s}
    keepalive: {ping: 13s}
    patience: 8s
)");
  EXPECT_EQ(read.timeouts.connect, Milliseconds(7000));
  EXPECT_EQ(read.timeouts.address, Milliseconds(1000));
  EXPECT_EQ(read.timeouts.resolve, Milliseconds(2000));
  EXPECT_EQ(read.timeouts.send, Milliseconds(3000));
  EXPECT_EQ(read.timeouts.receive, Milliseconds(4000));
  EXPECT_EQ(read.timeouts.message, Milliseconds(5000));
  EXPECT_EQ(read.timeouts.close, Milliseconds(6000));
  EXPECT_EQ(read.fallback.delay, Milliseconds(8000));
  EXPECT_EQ(read.fallback.addresses, 9U);
  EXPECT_EQ(read.fallback.family, Family::ipv6);
  EXPECT_EQ(read.reconnect.initial, Milliseconds(10000));
  EXPECT_EQ(read.reconnect.max, Milliseconds(11000));
  EXPECT_EQ(read.reconnect.stable_after, Milliseconds(12000));
  EXPECT_EQ(read.keepalive.ping, Milliseconds(13000));
  EXPECT_EQ(read.patience, Milliseconds(8000));
}

TEST(Load, ReadsTheRestOfAConnection) {
  const TemporaryFolder folder;
  const std::string ca = folder.file("ca", "");
  const std::string certificate = folder.file("certificate", "");
  const std::string key = folder.file("key", "");
  const ConnectionSettings read = settings(
      "connections:\n"
      "  a:\n"
      "    url: wss://h/\n"
      "    tls: {ca: " +
      ca + ", certificate: " + certificate + ", key: " + key +
      ", server_name: x.example, min_version: 1.3}\n"
      "    headers: {B: 1, A: two}\n"
      "    subprotocols: [y, x]\n"
      "    compression: true\n"
      "    history: 8KiB\n"
      "    max_message: 5\n"
      "    send_buffer: 2kB\n"
      "    gap: skip\n");
  EXPECT_EQ(read.tls.ca, ca);
  EXPECT_EQ(read.tls.certificate, certificate);
  EXPECT_EQ(read.tls.key, key);
  EXPECT_EQ(read.tls.server_name, "x.example");
  EXPECT_EQ(read.tls.min_version, TlsVersion::tls1_3);
  ASSERT_EQ(read.headers.size(), 2U);
  EXPECT_EQ(read.headers[0].first, "B");
  EXPECT_EQ(read.headers[0].second.source(), "1");
  EXPECT_EQ(read.headers[1].second.source(), "two");
  EXPECT_EQ(read.subprotocols, (std::vector<std::string>{"y", "x"}));
  EXPECT_TRUE(read.compression);
  EXPECT_EQ(read.history, 8192U);
  EXPECT_EQ(read.max_message, 5U);
  EXPECT_EQ(read.send_buffer, 2000U);
  EXPECT_EQ(read.gap, Gap::skip);
}

TEST(Load, AConnectionMayHaveALogLevelOfItsOwn) {
  const Config config = load(
      "defaults: {log_level: debug}\n"
      "connections: {a: {url: ws://h/}, b: {url: ws://h/, log_level: error},\n"
      "              c: {url: ws://h/, log_level: inherit}}");
  EXPECT_EQ(config.connections[0].settings.log_level, LogLevel::debug);
  EXPECT_EQ(config.connections[1].settings.log_level, LogLevel::error);
  EXPECT_EQ(config.connections[2].settings.log_level, std::nullopt);
  EXPECT_EQ(load("connections: {a: {url: ws://h/}}").connections[0].settings.log_level,
            std::nullopt);
}

TEST(Load, KeepsConnectionsInTheOrderOfTheFile) {
  const Config config =
      load("connections: {b: {url: ws://h/}, a: {url: ws://h/}, A.1_-: {url: ws://h/}}");
  ASSERT_EQ(config.connections.size(), 3U);
  EXPECT_EQ(config.connections[0].name, "b");
  EXPECT_EQ(config.connections[1].name, "a");
  EXPECT_EQ(config.connections[2].name, "A.1_-");
}

TEST(Load, KeepaliveCanBeSwitchedOff) {
  for (const std::string off : {"off", "\"off\"", "{ping: off}", "{ping: 0}", "{ping: 0s}"}) {
    const std::string yaml = "connections: {a: {url: ws://h/, keepalive: " + off + "}}";
    EXPECT_EQ(settings(yaml).keepalive.ping, Milliseconds(0)) << off;
  }
  EXPECT_EQ(settings("defaults: {keepalive: off}\nconnections: {a: {url: ws://h/}}").keepalive.ping,
            Milliseconds(0));
  EXPECT_EQ(settings("defaults: {keepalive: off}\n"
                     "connections: {a: {url: ws://h/, keepalive: {ping: 3s}}}")
                .keepalive.ping,
            Milliseconds(3000));
}

TEST(Inheritance, MapsMergeKeyByKey) {
  const Config config = load(R"(
defaults:
  timeouts: {receive: 40s, send: 50s}
  history: 2MiB
connections:
  a: {url: ws://h/, timeouts: {receive: 1s}}
  b: {url: ws://h/, history: 3MiB}
)");
  const ConnectionSettings& a = config.connections.at(0).settings;
  const ConnectionSettings& b = config.connections.at(1).settings;
  EXPECT_EQ(a.timeouts.receive, Milliseconds(1000));
  EXPECT_EQ(a.timeouts.send, Milliseconds(50000));
  EXPECT_EQ(a.timeouts.close, Timeouts{}.close);
  EXPECT_EQ(a.history, 2U << 20U);
  EXPECT_EQ(b.timeouts.receive, Milliseconds(40000));
  EXPECT_EQ(b.history, 3U << 20U);
}

TEST(Inheritance, DefaultsCanFollowTheConnections) {
  EXPECT_EQ(settings("connections: {a: {url: ws://h/}}\ndefaults: {gap: skip}").gap, Gap::skip);
}

TEST(Inheritance, HeadersMergeByNameWhateverTheCase) {
  const Config config = load(R"(
defaults: {headers: {User-Agent: x, X-A: "1"}}
connections:
  a: {url: ws://h/, headers: {x-a: "2", X-B: "3"}}
  b: {url: ws://h/}
)");
  const auto& a = config.connections.at(0).settings.headers;
  ASSERT_EQ(a.size(), 3U);
  EXPECT_EQ(a[0].first, "User-Agent");
  EXPECT_EQ(a[1].first, "x-a");
  EXPECT_EQ(a[1].second.source(), "2");
  EXPECT_EQ(a[2].first, "X-B");
  const auto& b = config.connections.at(1).settings.headers;
  ASSERT_EQ(b.size(), 2U);
  EXPECT_EQ(b[1].second.source(), "1");
}

TEST(Inheritance, ListsReplace) {
  const Config config = load(R"(
defaults: {subprotocols: [x, y]}
connections:
  a: {url: ws://h/, subprotocols: [z]}
  b: {url: ws://h/, subprotocols: []}
  c: {url: ws://h/}
)");
  EXPECT_EQ(config.connections.at(0).settings.subprotocols, std::vector<std::string>{"z"});
  EXPECT_TRUE(config.connections.at(1).settings.subprotocols.empty());
  EXPECT_EQ(config.connections.at(2).settings.subprotocols, (std::vector<std::string>{"x", "y"}));
}

TEST(Inheritance, TlsOfDefaultsIsForConnectionsThatUseIt) {
  const Config config = load(R"(
defaults: {tls: {server_name: x}}
connections: {a: {url: ws://h/}, b: {url: wss://h/}, c: {url: wss://h/, tls: {server_name: ""}}}
)");
  EXPECT_EQ(config.connections.at(1).settings.tls.server_name, "x");
  EXPECT_EQ(config.connections.at(2).settings.tls.server_name, "");
}

TEST(Inheritance, HalvesOfAPairCanComeFromBoth) {
  const TemporaryFolder folder;
  const std::string file = folder.file("pem", "");
  const ConnectionSettings read =
      settings("defaults: {tls: {certificate: " + file + "}, reconnect: {initial: 1m}}\n" +
               "connections: {a: {url: wss://h/, tls: {key: " + file + "}, reconnect: {max: 2m}}}");
  EXPECT_EQ(read.tls.certificate, file);
  EXPECT_EQ(read.tls.key, file);
  EXPECT_EQ(read.reconnect.initial, Milliseconds(60000));
}

TEST(Placeholders, StandInAnyValue) {
  const TemporaryFolder folder;
  ::setenv("WSKEEP_LOAD_TEST", "3", 1);
  const Config config = load(
      "threads: ${env:WSKEEP_LOAD_TEST}\n"
      "shutdown: ${env:WSKEEP_LOAD_TEST}s\n"
      "ipc: {socket: '/run/${env:WSKEEP_LOAD_TEST}$$', mode: '66${env:WSKEEP_LOAD_TEST}'}\n"
      "connections:\n"
      "  a:\n"
      "    url: ws://h/${env:WSKEEP_LOAD_TEST}\n"
      "    headers: {A: '${file:" +
      folder.file("token", "secret\n") +
      "}'}\n"
      "    history: ${env:WSKEEP_LOAD_TEST}MiB\n"
      "    subprotocols: ['v${env:WSKEEP_LOAD_TEST}']\n");
  ::unsetenv("WSKEEP_LOAD_TEST");
  EXPECT_EQ(config.threads, 3U);
  EXPECT_EQ(config.shutdown, Milliseconds(3000));
  EXPECT_EQ(config.ipc.socket, "/run/3$");
  EXPECT_EQ(config.ipc.mode, 0663U);
  const Connection& connection = config.connections.at(0);
  EXPECT_EQ(connection.settings.history, 3U << 20U);
  EXPECT_EQ(connection.settings.subprotocols, std::vector<std::string>{"v3"});
  EXPECT_EQ(connection.urls.at(0).source(), "ws://h/${env:WSKEEP_LOAD_TEST}");
  EXPECT_EQ(connection.settings.headers.at(0).second.text_now(), "secret");
}

TEST(LoadFile, ReadsAFileAndNamesItInProblems) {
  const TemporaryFolder folder;
  const std::string good = folder.file("good.yaml", "connections: {a: {url: ws://h/}}");
  EXPECT_EQ(load_file(good).connections.size(), 1U);
  const std::string bad = folder.file("bad.yaml", "threads: 0\nconnections: {a: {url: ws://h/}}");
  try {
    static_cast<void>(load_file(bad));
    FAIL() << "no error";
  } catch (const LoadError& error) {
    ASSERT_EQ(error.problems().size(), 1U);
    EXPECT_EQ(error.problems()[0].file, bad);
    EXPECT_EQ(error.problems()[0].line, 1U);
    EXPECT_EQ(error.problems()[0].column, 10U);
    EXPECT_EQ(error.problems()[0].key, "threads");
  }
}

TEST(LoadFile, SaysWhyAFileCannotBeRead) {
  const TemporaryFolder folder;
  const auto error_of = [](const std::string& file) -> std::string {
    try {
      static_cast<void>(load_file(file));
      return "";
    } catch (const LoadError& error) {
      return error.what();
    }
  };
  const std::string none = folder.path("none");
  EXPECT_EQ(error_of(none),
            none + ": No such file or directory; `wskeep init " + none + "` writes a first one");
  EXPECT_EQ(error_of("/dev/zero"), "/dev/zero: is not a regular file");
  const std::string large = folder.file("large", std::string((1U << 20U) + 1, '#'));
  EXPECT_EQ(error_of(large), large + ": is larger than 1024KiB");
  const std::string fits = folder.file("fits", std::string(1U << 20U, '#'));
  EXPECT_EQ(error_of(fits), fits + ": is empty; allowed: map with at least 'connections'");
}

}  // namespace
}  // namespace wskeep::config
