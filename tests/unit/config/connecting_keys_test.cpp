#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "load_cases.hpp"

// Where a connection connects to, how often, and what follows a refusal.
namespace wskeep::config {
namespace {

using Rules = std::vector<CodeRule>;

TEST(Urls, AreOneOrAList) {
  const Config config = load_text(
      "connections:\n"
      "  a: {url: [wss://b/, 'ws://u:p@a:1/'], fallback: {urls: shuffled}}\n"
      "  b: {url: wss://b/}\n",
      "f");
  ASSERT_EQ(config.connections.at(0).urls.size(), 2U);
  EXPECT_EQ(config.connections[0].urls[0].source(), "wss://b/");
  EXPECT_EQ(config.connections[0].urls[1].source(), "ws://u:p@a:1/");
  EXPECT_EQ(config.connections[0].settings.fallback.urls, UrlOrder::shuffled);
  EXPECT_EQ(config.connections.at(1).urls.size(), 1U);
  EXPECT_EQ(config.connections[1].settings.fallback.urls, UrlOrder::listed);
}

TEST(Urls, AreCheckedOneByOne) {
  const std::string allowed = "; allowed: ws:// or wss:// URL, or a list of 1 to 16";
  const std::vector<Case> cases{
      {"[wss://h/, ftp://h/, {}]",
       "f:1:35: connections.a.url[1]: a URL begins with ws:// or wss://\n"
       "f:1:45: connections.a.url[2]: is a map; allowed: ws:// or wss:// URL"},
      {"[]", "f:1:24: connections.a.url: is empty" + allowed},
      {"{}", "f:1:24: connections.a.url: is a map" + allowed},
      {"[wss://h/, '${env:WSKEEP_NOT_SET}']",
       "f:1:38: connections.a.url[1]: environment variable 'WSKEEP_NOT_SET' is not set"},
  };
  ::unsetenv("WSKEEP_NOT_SET");
  for (const Case& one : cases) {
    EXPECT_EQ(error_of("connections: {a: {url: " + one.yaml + "}}"), one.error) << one.yaml;
  }
  std::string many = "connections: {a: {url: [ws://h/";
  for (int count = 1; count < 16; ++count) {
    many += ", ws://h/";
  }
  EXPECT_EQ(error_of(many + "]}}"), "");
  EXPECT_EQ(error_of(many + ", ws://h/]}}"),
            "f:1:24: connections.a.url: holds 17 entries; allowed: at most 16");
}

TEST(Urls, TlsHasAUseWithOneThatIsSecureAndWithRedirects) {
  EXPECT_EQ(error_of("connections: {a: {url: [ws://h/, wss://h/], tls: {server_name: x}}}"), "");
  EXPECT_EQ(error_of("connections: {a: {url: ws://h/, redirects: 1, tls: {server_name: x}}}"), "");
  EXPECT_EQ(error_of("connections: {a: {url: [ws://h/, ws://i/], tls: {server_name: x}}}"),
            "f:1:63: connections.a.tls.server_name: has no use with a ws:// URL; use wss://");
}

TEST(ConnectingKeys, AreRead) {
  const ConnectionSettings read = settings_of(
      "timeouts: {first_message: 1s, silence: 2m}\n"
      "    reconnect: {budget: 20/m, on_lasting: stop}\n"
      "    keepalive: {pong: 25s}\n"
      "    redirects: 10\n"
      "    send_rate: 5/s\n"
      "    lifetime: 23h");
  EXPECT_EQ(read.timeouts.first_message, Milliseconds(1'000));
  EXPECT_EQ(read.timeouts.silence, Milliseconds(120'000));
  EXPECT_EQ(read.reconnect.budget, (Rate{20, Milliseconds(60'000)}));
  EXPECT_EQ(read.reconnect.on_lasting, Verdict::stop);
  EXPECT_EQ(read.keepalive.ping, Milliseconds(10'000));
  EXPECT_EQ(read.keepalive.pong, Milliseconds(25'000));
  EXPECT_EQ(read.redirects, 10U);
  EXPECT_EQ(read.send_rate, (Rate{5, Milliseconds(1'000)}));
  EXPECT_EQ(read.lifetime, Milliseconds(82'800'000));
  EXPECT_EQ(settings_of("lifetime: 365d").lifetime, std::chrono::hours(365 * 24));
  EXPECT_EQ(settings_of("reconnect: {on_lasting: retry}").reconnect.on_lasting, Verdict::retry);
}

TEST(ConnectingKeys, CanBeSwitchedOff) {
  const std::string defaults =
      "defaults: {timeouts: {first_message: 1s, silence: 1s}, keepalive: {pong: 1s}, redirects: 1, "
      "send_rate: 1/s, lifetime: 1h}";
  const ConnectionSettings inherited = settings_of("gap: skip", defaults);
  EXPECT_EQ(inherited.keepalive.pong, Milliseconds(1'000));
  EXPECT_EQ(inherited.lifetime, Milliseconds(3'600'000));
  const ConnectionSettings read = settings_of(
      "timeouts: {first_message: off, silence: 0}\n"
      "    reconnect: {budget: off}\n"
      "    keepalive: off\n"
      "    redirects: off\n"
      "    send_rate: off\n"
      "    lifetime: off",
      defaults);
  EXPECT_EQ(read.timeouts.first_message, Milliseconds(0));
  EXPECT_EQ(read.timeouts.silence, Milliseconds(0));
  EXPECT_TRUE(read.reconnect.budget.off());
  EXPECT_EQ(read.keepalive.ping, Milliseconds(0));
  EXPECT_EQ(read.keepalive.pong, Milliseconds(0));
  EXPECT_EQ(read.redirects, 0U);
  EXPECT_TRUE(read.send_rate.off());
  EXPECT_EQ(read.lifetime, Milliseconds(0));
}

TEST(ConnectingKeys, SayWhatIsAllowed) {
  const std::string rate = "; allowed: rate, 1 to 10000 in 1ms to 7d, or off";
  const std::vector<Case> cases{
      {"reconnect: {budget: 300}",
       "f:3:25: connections.a.reconnect.budget: '300' is not a rate such as 5/s, 300/5m or "
       "1000/1d" +
           rate},
      {"reconnect: {budget: 0/s}",
       "f:3:25: connections.a.reconnect.budget: '0/s' is out of range" + rate},
      {"send_rate: 10001/s", "f:3:16: connections.a.send_rate: '10001/s' is out of range" + rate},
      {"send_rate: 4294967297/s",
       "f:3:16: connections.a.send_rate: '4294967297/s' is out of range" + rate},
      {"send_rate: 1/8d", "f:3:16: connections.a.send_rate: '1/8d' is out of range" + rate},
      {"send_rate: 1/0s", "f:3:16: connections.a.send_rate: '1/0s' is out of range" + rate},
      {"send_rate: [5/s]", "f:3:16: connections.a.send_rate: is a list" + rate},
      {"redirects: 11",
       "f:3:16: connections.a.redirects: '11' is out of range; allowed: number, 0 to 10, or off"},
      {"redirects: no",
       "f:3:16: connections.a.redirects: 'no' is not a whole number; allowed: number, 0 to 10, or "
       "off"},
      {"lifetime: 999ms",
       "f:3:15: connections.a.lifetime: '999ms' is out of range; allowed: duration, 1s to 365d, or "
       "off"},
      {"lifetime: 366d",
       "f:3:15: connections.a.lifetime: '366d' is out of range; allowed: duration, 1s to 365d, or "
       "off"},
      {"keepalive: {pong: 9ms}",
       "f:3:23: connections.a.keepalive.pong: '9ms' is out of range; allowed: duration, 10ms to "
       "1d, or off"},
      {"timeouts: {silence: 25h}",
       "f:3:25: connections.a.timeouts.silence: '25h' is out of range; allowed: duration, 1ms to "
       "1d, or off"},
      {"timeouts: {first_message: never}",
       "f:3:31: connections.a.timeouts.first_message: 'never' is not a duration such as 250ms, "
       "10s, 5m, 23h or 1d; allowed: duration, 1ms to 1d, or off"},
      {"fallback: {urls: random}",
       "f:3:22: connections.a.fallback.urls: 'random' is unknown; allowed: listed or shuffled"},
      {"reconnect: {on_lasting: Stop}",
       "f:3:29: connections.a.reconnect.on_lasting: 'Stop' is unknown (did you mean 'stop'?); "
       "allowed: retry, slow or stop"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_setting(one.yaml), one.error) << one.yaml;
  }
}

TEST(CodeRules, AreReadInTheOrderOfTheFile) {
  const ConnectionSettings read = settings_of(
      "reconnect:\n"
      "      on_status: {503: retry, 4xx: slow, 500-599: stop}\n"
      "      on_close: {1008: stop, 4000-4999: slow, 1xxx: retry}");
  EXPECT_EQ(
      read.reconnect.on_status,
      (Rules{{503, 503, Verdict::retry}, {400, 499, Verdict::slow}, {500, 599, Verdict::stop}}));
  EXPECT_EQ(read.reconnect.on_close, (Rules{{1008, 1008, Verdict::stop},
                                            {4000, 4999, Verdict::slow},
                                            {1000, 1999, Verdict::retry}}));
}

TEST(CodeRules, ThoseOfAConnectionComeBehindTheInherited) {
  const std::string defaults = "defaults: {reconnect: {on_status: {404: stop, 4xx: slow}}}";
  EXPECT_EQ(
      settings_of("reconnect: {on_status: {404: retry, 401-403: stop}}", defaults)
          .reconnect.on_status,
      (Rules{{400, 499, Verdict::slow}, {404, 404, Verdict::retry}, {401, 403, Verdict::stop}}));
  EXPECT_EQ(settings_of("gap: skip", defaults).reconnect.on_status.size(), 2U);
  EXPECT_EQ(settings_of("reconnect: {on_status: {}}", defaults).reconnect.on_status.size(), 2U);
}

TEST(CodeRules, SayWhatIsAllowed) {
  const std::string status = "; allowed: map of 503, 4xx or 500-599 to retry, slow or stop";
  const std::string at = "f:3:29: connections.a.reconnect.on_status.";
  const std::vector<Case> cases{
      {"{x: slow}", at + "x: 'x' is not a code, a range of codes or a class of them" + status},
      {"{600: slow}", at + "600: '600' is not within 100 and 599" + status},
      {"{101: slow}", at + "101: '101' is no refusal" + status},
      {"{101-101: slow}", at + "101-101: '101-101' is no refusal" + status},
      {"{499-400: slow}", at + "499-400: '499-400' has its ends the wrong way round" + status},
      {"{503: fast}",
       "f:3:34: connections.a.reconnect.on_status.503: 'fast' is unknown; allowed: retry, slow or "
       "stop"},
      {"{503: }",
       "f:3:29: connections.a.reconnect.on_status.503: has no value; allowed: retry, slow or stop"},
      {"{503: slow, 503: stop}",
       "f:3:40: connections.a.reconnect.on_status.503: is given twice, first on line 3"},
      {"[503]", "f:3:28: connections.a.reconnect.on_status: is a list" + status},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_setting("reconnect: {on_status: " + one.yaml + "}"), one.error) << one.yaml;
  }
  EXPECT_EQ(error_of_setting("reconnect: {on_close: {5xxx: slow}}"),
            "f:3:28: connections.a.reconnect.on_close.5xxx: '5xxx' is not within 1000 and 4999; "
            "allowed: map of 1008, 4xxx or 4000-4999 to retry, slow or stop");
  EXPECT_EQ(error_of_setting("reconnect: {on_status: {100-199: slow, 1xx: stop}}"), "");
}

TEST(CodeRules, AreBounded) {
  std::string rules;
  for (int code = 400; code < 464; ++code) {
    rules += std::to_string(code) + ": slow, ";
  }
  EXPECT_EQ(error_of_setting("reconnect: {on_status: {" + rules + "}}"), "");
  EXPECT_EQ(error_of_setting("reconnect: {on_status: {" + rules + "500: slow}}"),
            "f:3:28: connections.a.reconnect.on_status: holds 65 entries; allowed: at most 64");
}

TEST(Resolve, TakesHostsWithOneAddressOrSeveral) {
  const ConnectionSettings read = settings_of(
      "resolve:\n"
      "      Stream.Example.com: 192.0.2.1\n"
      "      stream.example.com:8443: [\"2001:DB8::1\", fe80::1%eth0, 192.0.2.2]");
  const std::vector<ResolveOverride> expected{
      {"stream.example.com", 0, {"192.0.2.1"}},
      {"stream.example.com", 8443, {"2001:db8::1", "fe80::1%eth0", "192.0.2.2"}},
  };
  EXPECT_EQ(read.resolve, expected);
}

TEST(Resolve, MergesByHostAndPort) {
  const std::string defaults = "defaults: {resolve: {a: 192.0.2.1, \"a:80\": 192.0.2.2, b: ::1}}";
  const std::vector<ResolveOverride> expected{
      {"a", 80, {"192.0.2.2"}}, {"a", 0, {"192.0.2.9"}}, {"c", 0, {"::2"}}};
  EXPECT_EQ(settings_of("resolve: {A: 192.0.2.9, b: [], c: '::2'}", defaults).resolve, expected);
  EXPECT_EQ(settings_of("gap: skip", defaults).resolve.size(), 3U);
}

TEST(Resolve, SaysWhatIsWrong) {
  const std::string address = "is not an IPv4 or IPv6 address; allowed: IP address";
  const std::vector<Case> cases{
      {"{a: b.example}",
       "f:3:18: connections.a.resolve.a: 'b.example' " + address + ", or a list of up to 16"},
      {"{a: [192.0.2.1, 192.0.2.256]}",
       "f:3:30: connections.a.resolve.a[1]: '192.0.2.256' " + address},
      {"{a: '[::1]'}",
       "f:3:18: connections.a.resolve.a: '[::1]' " + address + ", or a list of up to 16"},
      {"{a: {}}",
       "f:3:18: connections.a.resolve.a: is a map; allowed: IP address, or a list of up "
       "to 16"},
      {"{'::1': 192.0.2.1}",
       "f:3:15: connections.a.resolve.::1: is not HOST or HOST:PORT: an "
       "address needs no other"},
      {"{192.0.2.2: 192.0.2.1}",
       "f:3:15: connections.a.resolve.192.0.2.2: is not HOST or "
       "HOST:PORT: an address needs no other"},
      {"{'a:0': 192.0.2.1}",
       "f:3:15: connections.a.resolve.a:0: the port is a number from 1 to 65535"},
      {"{'': 192.0.2.1}", "f:3:15: connections.a.resolve.: the host is missing"},
      {"{a: 192.0.2.1, A: 192.0.2.1}",
       "f:3:29: connections.a.resolve.A: is given twice (case "
       "does not matter), first on line 3"},
      {"[a]",
       "f:3:14: connections.a.resolve: is a list; allowed: map of hosts to an IP address or "
       "a list of up to 16"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_setting("resolve: " + one.yaml), one.error) << one.yaml;
  }
}

TEST(Connects, AreRead) {
  const Config config = load_text(
      "connects:\n"
      "  per_host: 300/5m\n"
      "  hosts: {Stream.Example.com: 60/m, localhost: off, '[::1]': 1/s, 192.0.2.1: 2/s}\n"
      "  handshakes: 16\n"
      "state_directory: /var/lib/x\n"
      "core_dumps: true\n"
      "connections: {a: {url: ws://h/}}\n",
      "f");
  EXPECT_EQ(config.connects.per_host, (Rate{300, Milliseconds(300'000)}));
  const std::vector<std::pair<std::string, Rate>> hosts{
      {"stream.example.com", {60, Milliseconds(60'000)}},
      {"localhost", {}},
      {"::1", {1, Milliseconds(1'000)}},
      {"192.0.2.1", {2, Milliseconds(1'000)}},
  };
  EXPECT_EQ(config.connects.hosts, hosts);
  EXPECT_EQ(config.connects.handshakes, 16U);
  EXPECT_EQ(config.state_directory, "/var/lib/x");
  EXPECT_TRUE(config.core_dumps);
}

TEST(Connects, SayWhatIsWrong) {
  const std::string rate = "; allowed: rate, 1 to 10000 in 1ms to 7d, or off";
  const std::vector<Case> cases{
      {"connects: {per_host: 5}",
       "f:1:22: connects.per_host: '5' is not a rate such as 5/s, 300/5m or 1000/1d" + rate},
      {"connects: {hosts: {h: many}}",
       "f:1:23: connects.hosts.h: 'many' is not a rate such as 5/s, 300/5m or 1000/1d" + rate},
      {"connects: {hosts: {'h:80': 5/s}}",
       "f:1:20: connects.hosts.h:80: only the host of a URL stands here"},
      {"connects: {hosts: {'a b': 5/s}}",
       "f:1:20: connects.hosts.a b: the host is not a name (labels of 1 to 63 letters, digits, '-' "
       "and '_') nor an address (IPv6 in brackets)"},
      {"connects: {hosts: {h: 5/s, H: 5/s}}",
       "f:1:28: connects.hosts.H: is given twice (case does not matter), first on line 1"},
      {"connects: {hosts: 5/s}", "f:1:19: connects.hosts: is text; allowed: map of hosts to rates"},
      {"connects: {handshakes: 0}",
       "f:1:24: connects.handshakes: '0' is out of range; allowed: number, 1 to 10000"},
      {"connects: {host: {}}",
       "f:1:12: connects.host: unknown key (did you mean 'hosts'?); allowed: per_host, hosts and "
       "handshakes"},
      {"state_directory: \"a\\n\"", "f:1:18: state_directory: 'a\\x0a' is not a path"},
      {"core_dumps: yes", "f:1:13: core_dumps: 'yes' is neither; allowed: true or false"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_top(one.yaml), one.error) << one.yaml;
  }
  std::string hosts;
  for (int host = 0; host < 1024; ++host) {
    hosts += "h" + std::to_string(host) + ": off, ";
  }
  EXPECT_EQ(error_of_top("connects: {hosts: {" + hosts + "}}"), "");
  EXPECT_EQ(error_of_top("connects: {hosts: {" + hosts + "x: off}}"),
            "f:1:19: connects.hosts: holds 1025 entries; allowed: at most 1024");
}

}  // namespace
}  // namespace wskeep::config
