#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "config/quantity.hpp"
#include "config/reference.hpp"
#include "temporary_folder.hpp"

// What the user reads is what the program does.
namespace wskeep::config {
namespace {

const std::string root = std::string(WSKEEP_TEST_DATA) + "/../../../";
const std::string examples = root + "config/examples/";

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The fenced blocks of one language in a Markdown text.
std::vector<std::string> blocks(const std::string& markdown, const std::string& language) {
  const std::string fence = "```" + language + "\n";
  std::vector<std::string> result;
  for (std::size_t at = markdown.find(fence); at != std::string::npos;) {
    const std::size_t begin = at + fence.size();
    const std::size_t end = markdown.find("```", begin);
    result.push_back(markdown.substr(begin, end - begin));
    at = markdown.find(fence, end);
  }
  return result;
}

std::string row(const ReferenceEntry& entry) {
  const bool word = entry.default_value == "none" || entry.default_value == "required";
  const std::string value = word ? entry.default_value : "`" + entry.default_value + "`";
  return "| `" + entry.path + "` | " + entry.type + " | " + value + " | " + entry.description +
         " |\n";
}

std::string defaults_of(const ConnectionSettings& settings) {
  std::string all;
  const auto add = [&all](auto number) { all += std::to_string(number) + " "; };
  for (const Milliseconds time :
       {settings.timeouts.connect, settings.timeouts.address, settings.timeouts.resolve,
        settings.timeouts.send, settings.timeouts.receive, settings.timeouts.message,
        settings.timeouts.first_message, settings.timeouts.silence, settings.timeouts.close,
        settings.fallback.delay, settings.reconnect.initial, settings.reconnect.max,
        settings.reconnect.stable_after, settings.keepalive.ping, settings.keepalive.pong,
        settings.lifetime, settings.patience}) {
    add(time.count());
  }
  all += format_rate(settings.publish.rate) + format_byte_rate(settings.publish.bytes) + " ";
  all += format_rate(settings.reconnect.budget) + " " + format_rate(settings.send_rate) + " ";
  all += settings.proxy.source() + settings.authorization.basic.source() +
         settings.authorization.bearer.source();
  for (const std::size_t size :
       {settings.headers.size(), settings.subprotocols.size(), settings.resolve.size(),
        settings.reconnect.on_status.size(), settings.reconnect.on_close.size()}) {
    add(size);
  }
  add(settings.fallback.addresses);
  add(static_cast<int>(settings.fallback.family));
  add(static_cast<int>(settings.fallback.urls));
  add(static_cast<int>(settings.reconnect.on_lasting));
  add(settings.redirects);
  add(static_cast<int>(settings.compression));
  add(settings.history);
  add(settings.max_message);
  add(settings.send_buffer);
  add(static_cast<int>(settings.gap));
  return all;
}

std::string access_text(const Access& access) {
  std::string text;
  for (const auto* list : {&access.subscribe, &access.publish, &access.control}) {
    if (!text.empty()) text += " |";
    for (const Principal& one : list->value_or(Principals{}))
      text += (text.empty() ? "" : " ") + one.text;
  }
  return text;
}

/// `text` with a folder of the test's own, which holds what the examples name, for /etc/wskeep.
std::string with_files(std::string text, const TemporaryFolder& folder) {
  const std::string place = "/etc/wskeep/";
  for (std::size_t at = text.find(place); at != std::string::npos; at = text.find(place, at)) {
    const std::size_t begin = at + place.size();
    const std::size_t end = text.find_first_of(" ,}\n", begin);
    const std::string file = folder.file(text.substr(begin, end - begin), "text\n");
    text.replace(at, end - at, file);
    at += file.size();
  }
  return text;
}

TEST(Reference, NamesEachKeyOnce) {
  std::vector<std::string> paths;
  for (const ReferenceEntry& entry : reference()) {
    EXPECT_EQ(std::count(paths.begin(), paths.end(), entry.path), 0) << entry.path;
    EXPECT_NE(entry.description, "") << entry.path;
    paths.push_back(entry.path);
  }
  EXPECT_EQ(paths.size(), 106U);
}

TEST(Document, TheTableIsTheReference) {
  const std::string markdown = content(root + "docs/configuration.md");
  const std::string head = "| key | type | default | meaning |\n|---|---|---|---|\n";
  const std::size_t begin = markdown.find(head);
  ASSERT_NE(begin, std::string::npos);
  const std::size_t end = markdown.find("\n\n", begin);
  std::string expected;
  for (const ReferenceEntry& entry : reference()) {
    expected += row(entry);
  }
  EXPECT_EQ(markdown.substr(begin + head.size(), end + 1 - begin - head.size()), expected);
}

TEST(Document, ItsExamplesLoadAndItsErrorsAreReal) {
  ::setenv("EXCHANGE_KEY", "key", 1);
  ::setenv("EXCHANGE_TOKEN", "token", 1);
  ::setenv("PROXY_PASSWORD", "password", 1);
  ::setenv("ADMIN_PASSWORD", "password", 1);
  ::unsetenv("MISSING_TOKEN");
  const TemporaryFolder folder;
  const std::string markdown = content(root + "docs/configuration.md");
  std::vector<std::string> yaml = blocks(markdown, "yaml");
  const std::vector<std::string> output = blocks(markdown, "text");
  ASSERT_EQ(yaml.size(), 18U);
  ASSERT_EQ(output.size(), 1U);
  const std::string broken = yaml.back();
  yaml.pop_back();
  for (const std::string& text : yaml) {
    EXPECT_NO_THROW(static_cast<void>(load_text(with_files(text, folder), "wskeep.yaml"))) << text;
  }
  try {
    static_cast<void>(load_text(broken, "wskeep.yaml"));
    FAIL() << "no error";
  } catch (const LoadError& error) {
    EXPECT_EQ(error.what() + std::string("\n"), output[0]);
  }
}

TEST(Document, ItsExampleOfInheritanceSaysWhatComesOfIt) {
  const std::string yaml = blocks(content(root + "docs/configuration.md"), "yaml").at(1);
  const Config config = load_text(yaml, "wskeep.yaml");
  const ConnectionSettings& trades = config.connections.at(0).settings;
  const ConnectionSettings& orders = config.connections.at(1).settings;
  EXPECT_EQ(trades.timeouts.connect, Milliseconds(20'000));
  EXPECT_EQ(trades.timeouts.receive, Milliseconds(5'000));
  EXPECT_EQ(trades.headers.size(), 2U);
  EXPECT_TRUE(trades.subprotocols.empty());
  EXPECT_EQ(orders.timeouts.receive, Milliseconds(60'000));
  EXPECT_EQ(orders.headers.at(1).second.source(), "b");
  EXPECT_EQ(orders.keepalive.ping, Milliseconds(0));
}

TEST(Examples, MinimalIsAllDefaults) {
  const Config config = load_file(examples + "minimal.yaml");
  ASSERT_EQ(config.connections.size(), 1U);
  EXPECT_EQ(defaults_of(config.connections[0].settings), defaults_of(ConnectionSettings{}));
}

TEST(Examples, ReferenceGivesEachDefault) {
  const Config config = load_file(examples + "reference.yaml");
  const Config initial;
  ASSERT_EQ(config.connections.size(), 1U);
  EXPECT_EQ(defaults_of(config.connections[0].settings), defaults_of(ConnectionSettings{}));
  EXPECT_EQ(config.connections[0].settings.tls, Tls{});
  EXPECT_EQ(config.connections[0].settings.proxy_tls, Tls{});
  EXPECT_EQ(config.ipc.socket, initial.ipc.socket);
  EXPECT_EQ(config.ipc.mode, initial.ipc.mode);
  EXPECT_EQ(config.ipc.group, initial.ipc.group);
  EXPECT_TRUE(config.ipc.sockets.empty());
  EXPECT_EQ(access_text(config.ipc.access), "anyone | anyone | root daemon");
  EXPECT_EQ(access_text(config.connections[0].settings.access), access_text(config.ipc.access));
  EXPECT_EQ(config.ipc.limits.clients, initial.ipc.limits.clients);
  EXPECT_EQ(config.ipc.limits.clients_per_user, initial.ipc.limits.clients_per_user);
  EXPECT_EQ(config.ipc.limits.subscriptions, initial.ipc.limits.subscriptions);
  EXPECT_EQ(config.ipc.limits.subscriptions_per_user, initial.ipc.limits.subscriptions_per_user);
  EXPECT_EQ(config.ipc.limits.reserved_descriptors, initial.ipc.limits.reserved_descriptors);
  EXPECT_EQ(config.ipc.limits.in_flight, initial.ipc.limits.in_flight);
  EXPECT_EQ(config.ipc.limits.publish, initial.ipc.limits.publish);
  EXPECT_EQ(config.ipc.limits.request_head, initial.ipc.limits.request_head);
  EXPECT_EQ(config.ipc.limits.subscriber_buffer, initial.ipc.limits.subscriber_buffer);
  EXPECT_EQ(config.ipc.limits.request, initial.ipc.limits.request);
  EXPECT_EQ(config.ipc.limits.idle, initial.ipc.limits.idle);
  EXPECT_EQ(config.metrics.listen, initial.metrics.listen);
  EXPECT_EQ(config.log.level, initial.log.level);
  EXPECT_EQ(config.log.format, initial.log.format);
  EXPECT_EQ(config.log.rate, initial.log.rate);
  EXPECT_EQ(config.log.queue, initial.log.queue);
  EXPECT_EQ(config.connections[0].settings.log_level, std::nullopt);
  EXPECT_EQ(config.threads, initial.threads);
  EXPECT_EQ(config.connects.per_host, initial.connects.per_host);
  EXPECT_EQ(config.connects.hosts, initial.connects.hosts);
  EXPECT_EQ(config.connects.handshakes, initial.connects.handshakes);
  EXPECT_EQ(config.state_directory, initial.state_directory);
  EXPECT_EQ(config.core_dumps, initial.core_dumps);
  EXPECT_EQ(config.shutdown, initial.shutdown);
}

/// The path of each key of a file in which each has a line of its own.
std::set<std::string> paths_in(const std::string& text) {
  std::set<std::string> paths;
  std::istringstream yaml(text);
  std::vector<std::string> groups;  // by depth, each with its parents
  for (std::string line; std::getline(yaml, line);) {
    const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
    groups.resize(begin / 2);
    const std::string parent = groups.empty() ? "" : groups.back() + ".";
    groups.push_back(parent + line.substr(begin, line.find(':') - begin));
    paths.insert(groups.back());
  }
  return paths;
}

// Their values are checked above; here, that none is left out.
TEST(Examples, ReferenceHasEachKey) {
  const std::set<std::string> paths = paths_in(content(examples + "reference.yaml"));
  for (const ReferenceEntry& entry : reference()) {
    std::string path = entry.path;
    if (const std::size_t name = path.find("NAME"); name != std::string::npos) {
      path.replace(name, 4, "trades");
    }
    EXPECT_TRUE(paths.contains(path)) << path;
  }
}

TEST(Examples, ExchangeIsPlausible) {
  ::setenv("EXCHANGE_TOKEN", "token", 1);
  const Config config = load_file(examples + "exchange.yaml");
  ASSERT_EQ(config.connections.size(), 3U);
  const Connection& orders = config.connections[2];
  EXPECT_EQ(orders.name, "orders");
  EXPECT_EQ(orders.settings.headers.size(), 2U);
  EXPECT_EQ(orders.settings.headers.at(1).second.text_now(), "Bearer token");
  EXPECT_EQ(orders.settings.keepalive.ping, Milliseconds(0));
  EXPECT_EQ(orders.settings.reconnect.max, Milliseconds(2'000));
}

TEST(Examples, ProxyIsPlausible) {
  ::setenv("EXCHANGE_TOKEN", "token", 1);
  ::setenv("PROXY_PASSWORD", "password", 1);
  const Config config = load_file(examples + "proxy.yaml");
  ASSERT_EQ(config.connections.size(), 3U);
  const Connection& prices = config.connections[0];
  EXPECT_EQ(prices.urls.size(), 2U);
  EXPECT_EQ(prices.settings.fallback.urls, UrlOrder::shuffled);
  EXPECT_EQ(prices.settings.tls.pin_sha256,
            std::vector<std::string>{"YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg="});
  EXPECT_EQ(prices.settings.proxy_tls.min_version, TlsVersion::tls1_3);
  EXPECT_EQ(prices.settings.proxy.resolve(), "https://desk:password@proxy.example.com:3129");
  EXPECT_EQ(prices.settings.reconnect.on_close,
            (std::vector<CodeRule>{{4000, 4999, Verdict::slow}, {4001, 4001, Verdict::retry}}));
  EXPECT_EQ(config.connections[1].settings.authorization.bearer.text_now(), "token");
  EXPECT_TRUE(config.connections[2].settings.proxy.empty());
}

}  // namespace
}  // namespace wskeep::config
