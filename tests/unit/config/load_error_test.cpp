#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "load_cases.hpp"
#include "temporary_folder.hpp"

namespace wskeep::config {
namespace {

constexpr const char* top_keys =
    "; allowed: ipc, metrics, log, threads, connects, state_directory, core_dumps, shutdown, "
    "defaults and connections";
constexpr const char* connection_keys =
    "; allowed: url, timeouts, fallback, resolve, reconnect, keepalive, proxy, proxy_tls, tls, "
    "authorization, redirects, headers, subprotocols, compression, history, max_message, "
    "receive, send, outbox, send_buffer, send_rate, lifetime, patience, gap, publish_rate, "
    "publish_bytes, access, log_level and session";
constexpr const char* no_anchors =
    "anchors and aliases (& and *) are not allowed; what connections share goes under 'defaults'";
constexpr const char* no_tags =
    "tags (!) are not allowed; a string that begins with '!' needs quotes";

TEST(LoadError, ReportsAllProblemsInTheOrderOfTheFile) {
  EXPECT_EQ(
      error_of(R"(thread: 4
connections:
  a: {url: http://h/, gap: maybe}
  b: {timeouts: {connect: 5}}
log: {level: warn}
defaults:
  histroy: 1MiB
  reconnect: {initial: 1h}
)"),
      std::string("f:1:1: thread: unknown key (did you mean 'threads'?)") + top_keys +
          "\n"
          "f:3:12: connections.a.url: a URL begins with ws:// or wss://, not with http://\n"
          "f:3:28: connections.a.gap: 'maybe' is unknown; allowed: close or skip\n"
          "f:4:3: connections.b: has no 'url'\n"
          "f:4:27: connections.b.timeouts.connect: '5' has no unit (5s or 5ms?); allowed: "
          "duration, 1ms to 1d\n"
          "f:5:14: log.level: 'warn' is unknown (did you mean 'warning'?); allowed: trace, "
          "debug, info, warning or error\n"
          "f:7:3: defaults.histroy: unknown key (did you mean 'history'?); allowed: timeouts, "
          "fallback, resolve, reconnect, keepalive, proxy, proxy_tls, tls, authorization, "
          "redirects, headers, subprotocols, compression, history, max_message, receive, send, "
          "outbox, send_buffer, send_rate, lifetime, patience, gap, publish_rate, publish_bytes, "
          "access, log_level and session\n"
          "f:8:24: defaults.reconnect.initial: reconnect.initial (1h) must be at most "
          "reconnect.max (30s)");
}

TEST(LoadError, NeedsAMapWithConnections) {
  const std::string allowed = "; allowed: map with at least 'connections'";
  const std::vector<Case> cases{
      {"", "f: is empty" + allowed},
      {"# nothing\n", "f: is empty" + allowed},
      {"---\n", "f:2:1: is empty" + allowed},
      {"~", "f:1:1: is empty" + allowed},
      {"hello", "f:1:1: is text" + allowed},
      {"- a", "f:1:1: is a list" + allowed},
      {"{}", "f:1:1: connections: is missing: at least one connection is needed"},
      {"threads: 1", "f:1:1: connections: is missing: at least one connection is needed"},
      {"connections:", "f:1:1: connections: has no value; allowed: map of names to connections"},
      {"connections: []", "f:1:14: connections: is a list; allowed: map of names to connections"},
      {"connections: {}", "f:1:14: connections: is empty: at least one connection is needed"},
      {"connections: {a: }",
       "f:1:15: connections.a: has no value; allowed: map with at least 'url'"},
      {"connections: {a: wss://h/}",
       "f:1:18: connections.a: is text; allowed: map with at least 'url'"},
      {"connections: {a: {}}", "f:1:15: connections.a: has no 'url'"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of(one.yaml), one.error) << one.yaml;
  }
}

TEST(LoadError, ChecksNamesOfConnections) {
  const std::string rule =
      ": is not the name of a connection; allowed: 1 to 64 of A-Z a-z 0-9 _ . -, and neither '.' "
      "nor '..'";
  const std::vector<Case> cases{
      {"a b", "connections.a b"},
      {"'..'", "connections..."},
      {"''", "connections."},
      {"a/b", "connections.a/b"},
      {"\"a\\n\"", "connections.a\\x0a"},
      {std::string(65, 'x'), "connections." + std::string(64, 'x') + "..."},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of("connections:\n  " + one.yaml + ": {url: ws://h/}"),
              "f:2:3: " + one.error + rule);
  }
}

TEST(LoadError, RefusesUnknownKeys) {
  EXPECT_EQ(error_of_top("limits: {}"), std::string("f:1:1: limits: unknown key") + top_keys);
  EXPECT_EQ(error_of_top("defaults: {url: ws://h/}").substr(0, 35),
            "f:1:12: defaults.url: unknown key; ");
  EXPECT_EQ(error_of_top("ipc: {limits: {client: 1}}"),
            "f:1:16: ipc.limits.client: unknown key (did you mean 'clients'?); allowed: clients, "
            "clients_per_user, subscriptions, subscriptions_per_user, reserved_descriptors, "
            "in_flight, publish_rate, publish_bytes, request_head, subscriber_buffer, request, "
            "idle, comments, filters, filter and events");
  EXPECT_EQ(error_of_setting("cookies: true"),
            std::string("f:3:5: connections.a.cookies: unknown key") + connection_keys);
  EXPECT_EQ(
      error_of_setting("tls: {min_versoin: 1.2}"),
      "f:3:11: connections.a.tls.min_versoin: unknown key (did you mean 'min_version'?); "
      "allowed: ca, certificate, key, pkcs12, password, server_name, pin_sha256, min_version, "
      "ciphers, ciphersuites, crl, verify and ignore");
}

TEST(LoadError, RefusesKeysGivenTwice) {
  EXPECT_EQ(error_of_top("threads: 1\nthreads: 2"),
            "f:2:1: threads: is given twice, first on line 1");
  EXPECT_EQ(error_of_setting("gap: skip\n    gap: skip"),
            "f:4:5: connections.a.gap: is given twice, first on line 3");
  EXPECT_EQ(error_of("connections:\n  a: {url: ws://h/}\n  a: {url: ws://h/}"),
            "f:3:3: connections.a: is given twice, first on line 2");
  EXPECT_EQ(error_of_setting("headers: {A: 1, a: 2}"),
            "f:3:21: connections.a.headers.a: is given twice (case does not matter), first on line "
            "3");
}

TEST(LoadError, RefusesWhatYamlHasBeyondMapsListsAndText) {
  const std::vector<Case> cases{
      {"threads: &x 1", std::string("f:1:10: ") + no_anchors},
      {"threads: *x", std::string("f:1:10: ") + no_anchors},
      {"threads: !!int 1", std::string("f:1:10: ") + no_tags},
      {"log: !x {level: info}", std::string("f:1:6: ") + no_tags},
      {"<<: {threads: 1}",
       "f:1:1: <<: merge keys are not allowed; what connections share goes under 'defaults'"},
      {"? [a]\n: 1", "f:1:3: a key must be text, not a list"},
      {"log: {~: 1}", "f:1:7: log: a key must be text, not empty"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_top(one.yaml), one.error) << one.yaml;
  }
  EXPECT_EQ(error_of("connections: {a: {url: ws://h/}}\n---\nthreads: 2\n"),
            "f:2:1: a second document begins here; a configuration is one document");
}

TEST(LoadError, SaysWhereSyntaxIsWrong) {
  EXPECT_EQ(error_of("log: {level: info\nthreads: 1\n"),
            "f:2:8: is not YAML: end of map flow not found");
  EXPECT_EQ(error_of("log:\n\tlevel: info\n"),
            "f:2:7: is not YAML: a tab in the indentation; use spaces");
  EXPECT_EQ(error_of("a: b: c"), "f:1:5: is not YAML: illegal map value");
}

TEST(LoadError, NamesTheKindThatIsNeeded) {
  const std::vector<Case> cases{
      {"threads:", "f:1:1: threads: has no value; allowed: number, 1 to 64"},
      {"threads: null", "f:1:1: threads: has no value; allowed: number, 1 to 64"},
      {"threads: [1]", "f:1:10: threads: is a list; allowed: number, 1 to 64"},
      {"log: info", "f:1:6: log: is text; allowed: map of level, format, rate and queue"},
      {"log:", "f:1:1: log: has no value; allowed: map of level, format, rate and queue"},
      {"log: {level: {}}",
       "f:1:14: log.level: is a map; allowed: trace, debug, info, warning or error"},
      {"defaults: {keepalive: on}",
       "f:1:23: defaults.keepalive: is text; allowed: map of ping and pong"},
      {"defaults: {headers: [a]}",
       "f:1:21: defaults.headers: is a list; allowed: map of names to values"},
      {"defaults: {headers: {a: [b]}}", "f:1:25: defaults.headers.a: is a list; allowed: text"},
      {"defaults: {subprotocols: x}",
       "f:1:26: defaults.subprotocols: is text; allowed: list of names"},
      {"defaults: {subprotocols: [x, {}]}",
       "f:1:30: defaults.subprotocols[1]: is a map; allowed: text"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_top(one.yaml), one.error) << one.yaml;
  }
}

TEST(LoadError, ChecksEachValue) {
  const std::vector<Case> cases{
      {"threads: 0", "f:1:10: threads: '0' is out of range; allowed: number, 1 to 64"},
      {"threads: 65", "f:1:10: threads: '65' is out of range; allowed: number, 1 to 64"},
      {"threads: 4294967297",
       "f:1:10: threads: '4294967297' is out of range; allowed: number, 1 to 64"},
      {"threads: many", "f:1:10: threads: 'many' is not a whole number; allowed: number, 1 to 64"},
      {"shutdown: 10",
       "f:1:11: shutdown: '10' has no unit (10s or 10ms?); allowed: duration, 1ms to 1h"},
      {"shutdown: off",
       "f:1:11: shutdown: 'off' is not a duration such as 250ms, 10s, 5m, 23h or 1d; allowed: "
       "duration, 1ms to 1h"},
      {"shutdown: 0s", "f:1:11: shutdown: '0s' is out of range; allowed: duration, 1ms to 1h"},
      {"shutdown: 2h", "f:1:11: shutdown: '2h' is out of range; allowed: duration, 1ms to 1h"},
      {"ipc: {mode: 0660}",
       "f:1:13: ipc.mode: '0660' needs quotes, because it is octal; allowed: \"0660\""},
      {"ipc: {mode: \"0990\"}",
       "f:1:13: ipc.mode: '0990' is not a file mode such as \"0660\"; allowed: octal mode in "
       "quotes"},
      {"ipc: {socket: ''}", "f:1:15: ipc.socket: '' is not a path of 1 to 107 bytes"},
      {"ipc: {group: 'a b'}", "f:1:14: ipc.group: 'a b' is not the name of a group"},
      {"metrics: {listen: localhost:1}",
       "f:1:19: metrics.listen: 'localhost:1' is not an ADDRESS:PORT such as 127.0.0.1:9464 or "
       "[::1]:9464"},
      {"metrics: {listen: 127.0.0.1:0}",
       "f:1:19: metrics.listen: '127.0.0.1:0' has a port that is not a number from 1 to 65535"},
      {"defaults: {compression: yes}",
       "f:1:25: defaults.compression: 'yes' is neither; allowed: true or false"},
      {"defaults: {keepalive: {ping: 5}}",
       "f:1:30: defaults.keepalive.ping: '5' has no unit (5s or 5ms?); allowed: duration, 10ms to "
       "1d, or off"},
      {"defaults: {history: 1KiB}",
       "f:1:21: defaults.history: '1KiB' is out of range; allowed: size, 4KiB to 1GiB"},
      {"defaults: {history: 1M}",
       "f:1:21: defaults.history: '1M' is not a size such as 1000, 64kB, 64KiB, 1MB or 1MiB; "
       "allowed: size, 4KiB to 1GiB"},
      {"defaults: {tls: {min_version: 1.1}}",
       "f:1:31: defaults.tls.min_version: '1.1' is unknown (did you mean '1.2'?); allowed: 1.2 or "
       "1.3"},
      {"defaults: {tls: {server_name: a b}}",
       "f:1:31: defaults.tls.server_name: 'a b' is not a host name or address"},
      {"defaults: {tls: {ca: /none/ca.pem}}",
       "f:1:22: defaults.tls.ca: '/none/ca.pem' cannot be read: No such file or directory"},
      {"defaults: {tls: {crl: /}}", "f:1:23: defaults.tls.crl: '/' cannot be read: is a directory"},
      {"defaults: {subprotocols: [a, b, a]}",
       "f:1:33: defaults.subprotocols[2]: 'a' is in the list twice"},
      {"defaults: {subprotocols: ['a b']}",
       "f:1:27: defaults.subprotocols[0]: 'a b' is not the name of a subprotocol; allowed: "
       "letters, digits and any of !#$%&'*+-.^_`|~"},
      {"defaults: {headers: {host: x}}",
       "f:1:22: defaults.headers.host: is a header that wskeep writes itself"},
      {"defaults: {headers: {'a b': x}}",
       "f:1:22: defaults.headers.a b: is not the name of a header; allowed: letters, digits and "
       "any of !#$%&'*+-.^_`|~"},
      {"defaults: {headers: {A: \"hunter2\\r\\nB: c\"}}",
       "f:1:25: defaults.headers.A: the value of a header holds no line ends or other control "
       "characters"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_top(one.yaml), one.error) << one.yaml;
  }
}

TEST(LoadError, ChecksValuesTogether) {
  const TemporaryFolder folder;
  const std::string file = folder.file("pem", "");
  EXPECT_EQ(error_of_setting("tls: {certificate: " + file + "}"),
            "f:3:24: connections.a.tls.certificate: a certificate needs 'tls.key' too");
  EXPECT_EQ(error_of_setting("tls: {key: " + file + "}"),
            "f:3:16: connections.a.tls.key: a key needs 'tls.certificate' too");
  EXPECT_EQ(error_of_setting("timeouts: {connect: 5s}"),
            "f:3:25: connections.a.timeouts.connect: timeouts.address (10s) must be at most "
            "timeouts.connect (5s)");
  EXPECT_EQ(error_of_setting("reconnect: {max: 1s, initial: 2s}"),
            "f:3:35: connections.a.reconnect.initial: reconnect.initial (2s) must be at most "
            "reconnect.max (1s)");
  EXPECT_EQ(error_of("connections: {a: {url: ws://h/, tls: {server_name: x}}}"),
            "f:1:52: connections.a.tls.server_name: has no use with a ws:// URL; use wss://");
  EXPECT_EQ(error_of("defaults: {headers: {authorization: x}}\n"
                     "connections: {a: {url: 'ws://u:hunter2@h/'}}"),
            "f:2:24: connections.a.url: holds a user, and there is an Authorization header too; "
            "allowed: one of the two");
}

TEST(LoadError, AFaultOfTheDefaultsIsReportedOnce) {
  EXPECT_EQ(error_of("defaults: {reconnect: {max: 1ms}}\n"
                     "connections: {a: {url: ws://h/}, b: {url: ws://h/}}"),
            "f:1:29: defaults.reconnect.max: reconnect.initial (500ms) must be at most "
            "reconnect.max (1ms)");
}

TEST(LoadError, AValueThatCannotBeReadBringsNoOthers) {
  EXPECT_EQ(error_of_setting("reconnect: {initial: 1h, max: 2}"),
            "f:3:35: connections.a.reconnect.max: '2' has no unit (2s or 2ms?); allowed: duration, "
            "1ms to 1d");
  EXPECT_EQ(error_of("connections: {a: {url: ws://, tls: {server_name: x}}}"),
            "f:1:24: connections.a.url: the host is missing");
}

TEST(LoadError, FindsPlaceholdersThatStandForNothing) {
  ::unsetenv("WSKEEP_NOT_SET");
  EXPECT_EQ(error_of_setting("headers: {A: 'x${env:WSKEEP_NOT_SET}'}"),
            "f:3:22: connections.a.headers.A: environment variable 'WSKEEP_NOT_SET' is not set");
  EXPECT_EQ(error_of("connections: {a: {url: 'ws://h/${file:/none}'}}"),
            "f:1:34: connections.a.url: file '/none': No such file or directory");
  EXPECT_EQ(error_of_top("ipc: {group: '${HOME}'}"),
            "f:1:14: ipc.group: unknown kind of place-holder; allowed: ${env:NAME}, ${file:PATH}, "
            "${credential:NAME}, and $$ for a dollar sign");
}

TEST(LoadError, ASecretNeverAppears) {
  ::setenv("WSKEEP_SECRET", "443217", 1);
  const std::string secret = "${env:WSKEEP_SECRET}";
  const std::vector<std::string> lines{
      "threads: " + secret,
      "shutdown: " + secret,
      "ipc: {mode: '" + secret + "'}",
      "ipc: {group: ':" + secret + "'}",
      "log: {level: '" + secret + "'}",
      "metrics: {listen: '" + secret + "'}",
      "defaults: {history: x" + secret + "}",
      "defaults: {tls: {ca: '" + secret + "'}}",
      "defaults: {subprotocols: [' " + secret + "']}",
      "defaults: {headers: {A: \"" + secret + "\\n\"}}",
  };
  for (const std::string& line : lines) {
    const std::string error = error_of_top(line);
    EXPECT_NE(error, "") << line;
    EXPECT_EQ(error.find("443217"), std::string::npos) << error;
  }
  for (const std::string url : {"x", "ws://u:x@h:0/", "ws://x..x/", "ws://h:x0/", "ws://h/ x"}) {
    std::string yaml = "connections: {a: {url: '" + url + "'}}";
    yaml.replace(yaml.rfind('x'), 1, secret);
    const std::string error = error_of(yaml);
    EXPECT_NE(error, "") << yaml;
    EXPECT_EQ(error.find("443217"), std::string::npos) << error;
  }
  ::unsetenv("WSKEEP_SECRET");
}

}  // namespace
}  // namespace wskeep::config
