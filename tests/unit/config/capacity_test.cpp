#include "config/capacity.hpp"

#include <gtest/gtest.h>

#include "config/load.hpp"

namespace wskeep::config {
namespace {

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t mib = 1024 * kib;

Capacity capacity_of(const std::string& yaml) {
  return capacity(load_text(yaml, "f"));
}

ConnectionCapacity connection_with(const std::string& settings) {
  return capacity_of("connections: {a: {url: wss://h/, " + settings + "}}").connections.front();
}

TEST(Capacity, OfARing) {
  // 1 MiB and 16,384 entries of 24 bytes behind a header.
  EXPECT_EQ(ring_bytes(mib, 16 * kib), mib + kib * 16 * 24 + 4096);
  // However short the history, the largest message has room.
  EXPECT_EQ(ring_bytes(4 * kib, mib), mib + 32 * kib + kib * 32 * 24 + 4096);
  EXPECT_EQ(ring_bytes(4 * kib, 1), 36 * kib + kib * 4 * 24 + 4096);
}

TEST(Capacity, WhatAConnectionIsConfiguredFor) {
  const ConnectionCapacity plain = connection_with("max_message: 64KiB, send_buffer: 128KiB");
  EXPECT_EQ(plain.sending, kib * 2 * (64 + 128));
  EXPECT_EQ(plain.receiving, 0U);
  EXPECT_EQ(plain.outbox, 0U);
  EXPECT_EQ(plain.script, 0U);
  EXPECT_EQ(plain.total(), plain.ring + plain.fixed + plain.sending);
  EXPECT_GT(connection_with("compression: true").receiving, 2 * mib);
  EXPECT_GT(connection_with("receive: stream").receiving, 2 * mib);
  EXPECT_EQ(connection_with("outbox: {ttl: 1s, bytes: 4MiB, messages: 1000}").outbox,
            4 * mib + 256'000);
  EXPECT_EQ(connection_with("outbox: {bytes: 4MiB}").outbox, 0U);
}

TEST(Capacity, OfAScript) {
  EXPECT_EQ(connection_with("session: {open: [{send: x}]}").script, 0U);
  EXPECT_EQ(connection_with("session: {open: [{set: {a: 1, b: 2}}, {set: {a: 3}}]}").script,
            kib * 2 * 64);
  EXPECT_EQ(connection_with("session: {refuse: {text: x}}").script, mib);
  EXPECT_EQ(connection_with("session: {prepare: [{command: [/bin/true], set: {t: /t}}]}").script,
            3 * mib + 64 * kib);
}

TEST(Capacity, OfLocalApps) {
  const Capacity small = capacity_of(
      "ipc: {limits: {clients: 10, subscriptions: 100, subscriber_buffer: 64KiB, in_flight: 1MiB, "
      "filters: 1, filter: 16}}\nconnections: {a: {url: wss://h/, max_message: 8KiB, history: "
      "36KiB}}");
  EXPECT_EQ(small.local.clients, kib * 10 * 32);
  EXPECT_EQ(small.local.in_flight, mib);
  // No more can read than are let in; and the newest batch of each form is kept.
  EXPECT_EQ(small.local.readers, kib * (10 + 3) * (64 + 16));
  EXPECT_EQ(small.local.filters, 4096 / 8 + 16);
  EXPECT_EQ(small.total(), small.upstreams() + small.local.total());
}

TEST(Capacity, OfDescriptors) {
  const Capacity two = capacity_of(
      "ipc: {limits: {clients: 10, reserved_descriptors: 8}}\n"
      "connections: {a: {url: wss://h/, fallback: {addresses: 1}}, b: {url: wss://h/}}");
  EXPECT_EQ(two.descriptors.connections, 2 + 5);
  EXPECT_EQ(two.descriptors.clients, 10);
  EXPECT_EQ(two.descriptors.needed, two.descriptors.process + 8 + 4 + 16);
  const Capacity scraped =
      capacity_of("metrics: {listen: '127.0.0.1:1'}\nconnections: {a: {url: wss://h/}}");
  EXPECT_GE(scraped.descriptors.process, two.descriptors.process + 256);
  EXPECT_LT(scraped.descriptors.needed, scraped.descriptors.total());
}

TEST(Capacity, GrowsWithThreadsAndTlsSettings) {
  const std::string one = "connections: {a: {url: wss://h/}, b: {url: wss://h/}}";
  const std::string other =
      "connections: {a: {url: wss://h/}, b: {url: wss://h/, tls: {min_version: '1.3'}}}";
  EXPECT_EQ(capacity_of("threads: 3\n" + one).process,
            capacity_of(one).process + 2 * Costs::thread);
  EXPECT_EQ(capacity_of(other).process, capacity_of(one).process + Costs::tls_settings);
}

}  // namespace
}  // namespace wskeep::config
