#include "config/difference.hpp"

#include <gtest/gtest.h>

#include "config/load.hpp"

namespace wskeep::config {
namespace {

using Names = std::vector<std::string>;

Config load(const std::string& yaml) {
  return load_text(yaml, "test.yaml");
}

/// `a` and `b`, of which `a` has these lines besides its URL.
Config with(const std::string& lines, const std::string& top = "") {
  return load(top + "connections:\n  a:\n    url: wss://a.example/\n" + lines +
              "  b: {url: wss://b.example/}\n");
}

ConnectionChange change(const std::string& before, const std::string& after) {
  const Difference found = difference(with(before), with(after));
  EXPECT_EQ(found.changed.size(), 1U);
  EXPECT_EQ(found.unchanged, 1U);
  return found.changed.empty() ? ConnectionChange{} : found.changed.front();
}

TEST(Difference, OfTheSameIsNothing) {
  const std::string lines = "    headers: {X-Key: \"${env:PATH}\"}\n    gap: skip\n";
  const Difference found = difference(with(lines), with(lines));
  EXPECT_TRUE(found.empty());
  EXPECT_EQ(found.unchanged, 2U);
}

TEST(Difference, AnotherWayOfWritingTheSameIsNothing) {
  EXPECT_TRUE(difference(with("    timeouts: {connect: 60s}\n"), with("")).empty());
  EXPECT_TRUE(difference(with("    history: 1MiB\n"), with("    history: 1024KiB\n")).empty());
  EXPECT_TRUE(difference(with("", "defaults: {gap: skip}\n"),
                         load("connections:\n  b: {url: wss://b.example/, gap: skip}\n"
                              "  a: {url: [wss://a.example/], gap: skip}\n"))
                  .empty());
}

TEST(Difference, InPlace) {
  EXPECT_EQ(change("", "    timeouts: {receive: 5s}\n    gap: skip\n"),
            (ConnectionChange{"a", Effect::in_place, {"timeouts.receive", "gap"}}));
  for (const std::string line :
       {"fallback: {delay: 1s}", "resolve: {a.example: 10.0.0.1}", "reconnect: {max: 2s}",
        "reconnect: {budget: 5/1m}", "reconnect: {on_close: {4xxx: stop}}", "keepalive: off",
        "redirects: 3", "send_buffer: 64KiB", "lifetime: 1h", "patience: 1s", "log_level: debug"}) {
    EXPECT_EQ(change("", "    " + line + "\n").effect, Effect::in_place) << line;
  }
}

TEST(Difference, NewSession) {
  for (const std::string line :
       {"headers: {X-Key: 1}", "subprotocols: [x]", "compression: true", "send_rate: 5/s",
        "proxy: http://proxy:3128", "authorization: {bearer: \"${env:PATH}\"}",
        "tls: {server_name: other.example}"}) {
    EXPECT_EQ(change("", "    " + line + "\n").effect, Effect::new_session) << line;
  }
  const Difference found = difference(load("connections: {a: {url: wss://a.example/}}"),
                                      load("connections: {a: {url: wss://b.example/}}"));
  ASSERT_EQ(found.changed.size(), 1U);
  EXPECT_EQ(found.changed.front(), (ConnectionChange{"a", Effect::new_session, {"url"}}));
}

TEST(Difference, TheMostThatAnyKeyTakes) {
  EXPECT_EQ(change("", "    gap: skip\n    history: 2MiB\n    compression: true\n"),
            (ConnectionChange{"a", Effect::new_ring, {"compression", "history", "gap"}}));
  EXPECT_EQ(change("", "    max_message: 4KiB\n").effect, Effect::new_ring);
}

TEST(Difference, WhatIsWrittenCountsAndNotWhatItStandsFor) {
  EXPECT_EQ(
      change("    headers: {X-Key: \"${env:PATH}\"}\n", "    headers: {X-Key: \"${env:HOME}\"}\n")
          .effect,
      Effect::new_session);
}

TEST(Difference, AddedAndRemoved) {
  const Difference found =
      difference(load("connections: {a: {url: wss://a/}, b: {url: wss://b/}, c: {url: wss://c/}}"),
                 load("connections: {e: {url: wss://e/}, b: {url: wss://b/}, d: {url: wss://d/}}"));
  EXPECT_EQ(found.added, (Names{"e", "d"}));
  EXPECT_EQ(found.removed, (Names{"a", "c"}));
  EXPECT_EQ(found.unchanged, 1U);
  EXPECT_TRUE(found.changed.empty());
}

TEST(Difference, KeysAtTheTop) {
  const Difference found = difference(
      with(""), with("",
                     "log: {level: debug, format: json, rate: off, queue: 64KiB}\n"
                     "threads: 2\nshutdown: 1s\n"
                     "ipc: {socket: /tmp/s, mode: \"0600\", limits: {clients: 7}}\n"
                     "metrics: {listen: \"127.0.0.1:1\"}\n"
                     "connects: {per_host: 1/s, hosts: {a.example: 2/s}, handshakes: 3}\n"
                     "state_directory: /tmp/state\ncore_dumps: true\n"));
  EXPECT_EQ(found.in_place,
            (Names{"ipc.limits.clients", "log.level", "log.format", "log.rate", "log.queue",
                   "connects.per_host", "connects.hosts", "connects.handshakes", "shutdown"}));
  EXPECT_EQ(found.next_start, (Names{"ipc.socket", "ipc.mode", "metrics.listen", "threads",
                                     "state_directory", "core_dumps"}));
  EXPECT_EQ(found.unchanged, 2U);
}

/// What waits for the next start is said again at each reload, and nothing else is.
TEST(Difference, AfterAReloadWhatWaitsForTheNextStartIsLeft) {
  const Config running = with("");
  const Config wanted =
      with("    gap: skip\n",
           "log: {level: debug, format: json}\nthreads: 2\nshutdown: 1s\n"
           "ipc: {socket: /tmp/s, mode: \"0600\", group: users, limits: {clients: 7, idle: 1s}}\n"
           "metrics: {listen: \"127.0.0.1:1\"}\nconnects: {per_host: 1/s}\n"
           "state_directory: /tmp/state\ncore_dumps: true\n");
  const Difference before = difference(running, wanted);
  const Difference after = difference(after_reload(running, wanted), wanted);
  EXPECT_EQ(after.next_start, before.next_start);
  EXPECT_EQ(after.next_start.size(), 7U);
  EXPECT_TRUE(after.changed.empty());
  EXPECT_TRUE(after.in_place.empty());
}

}  // namespace
}  // namespace wskeep::config
