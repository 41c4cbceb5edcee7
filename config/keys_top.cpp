#include <algorithm>

#include "config/characters.hpp"
#include "config/key_groups.hpp"
#include "config/listen.hpp"
#include "config/principal.hpp"

namespace wskeep::config {
namespace {

std::string listen_error(std::string_view text) {
  try {
    static_cast<void>(parse_listen(text));
    return "";
  } catch (const ListenError& error) {
    return error.what();
  }
}

/// What a browser sends as Origin, or any.
std::string origin_error(std::string_view origin) {
  const bool printable = std::all_of(origin.begin(), origin.end(),
                                     [](char letter) { return letter > ' ' && letter < 0x7F; });
  const std::size_t host = origin.find("://");
  const bool whole = host != std::string_view::npos && host > 0 && host + 3 < origin.size() &&
                     origin.find('/', host + 3) == std::string_view::npos;
  if (origin.empty() || origin == "*" || (printable && whole)) return "";
  return "is neither an origin such as https://app.example.com nor *";
}

std::string path_error(std::string_view path) {
  return path.size() > 4095 || has_control(path) ? "is not a path" : "";
}

void add_access(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::top);
  add("ipc.access.subscribe",
      PrincipalsValue{MEMBER(std::optional<Principals>, config.ipc.access.subscribe), "[anyone]"},
      "Who may read, where a connection does not say it");
  add("ipc.access.publish",
      PrincipalsValue{MEMBER(std::optional<Principals>, config.ipc.access.publish), "[anyone]"},
      "Who may send, likewise");
  add("ipc.access.control",
      PrincipalsValue{MEMBER(std::optional<Principals>, config.ipc.access.control),
                      "[root, daemon]"},
      "Who may reconnect, pause and resume, likewise; and reload the configuration");
}

void add_ipc_limits(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::top);
  add("ipc.limits.clients", CountValue{MEMBER(std::uint32_t, config.ipc.limits.clients), 1, 65536},
      "Local sockets open at once");
  add("ipc.limits.clients_per_user",
      CountValue{MEMBER(std::uint32_t, config.ipc.limits.clients_per_user), 1, 65536},
      "Of them, those of any one user");
  add("ipc.limits.subscriptions",
      CountValue{MEMBER(std::uint32_t, config.ipc.limits.subscriptions), 1, 65536},
      "Local apps that read at once");
  add("ipc.limits.subscriptions_per_user",
      CountValue{MEMBER(std::uint32_t, config.ipc.limits.subscriptions_per_user), 1, 65536},
      "Of them, those of any one user");
  add("ipc.limits.reserved_descriptors",
      CountValue{MEMBER(std::uint32_t, config.ipc.limits.reserved_descriptors), 8, 65536},
      "File descriptors that local apps leave to upstreams, beside two for each connection");
  add("ipc.limits.in_flight",
      SizeValue{MEMBER(std::uint64_t, config.ipc.limits.in_flight), mib, 1024 * gib},
      "Unfinished requests and messages of local apps, and answers they have not read; nobody may "
      "hold more of it than is left");
  add("ipc.limits.publish_rate", RateValue{MEMBER(Rate, config.ipc.limits.publish.rate)},
      "Messages that any one local app may send");
  add("ipc.limits.publish_bytes", ByteRateValue{MEMBER(ByteRate, config.ipc.limits.publish.bytes)},
      "Bytes of them");
  add("ipc.limits.request_head",
      SizeValue{MEMBER(std::uint64_t, config.ipc.limits.request_head), kib, mib},
      "A request line and its headers");
  add("ipc.limits.subscriber_buffer",
      SizeValue{MEMBER(std::uint64_t, config.ipc.limits.subscriber_buffer), kib, gib},
      "Encoded messages that a reader may leave unread");
  add("ipc.limits.request",
      DurationValue{MEMBER(Milliseconds, config.ipc.limits.request), shortest, hour},
      "From the first byte of a request to its last");
  add("ipc.limits.idle", DurationValue{MEMBER(Milliseconds, config.ipc.limits.idle), shortest, day},
      "How long a kept-alive HTTP client may ask nothing");
  add("ipc.limits.comments",
      DurationValue{MEMBER(Milliseconds, config.ipc.limits.comments), shortest, hour},
      "How often a reader of server-sent events is sent a comment, so that one who is gone is "
      "found");
  add("ipc.limits.filters", CountValue{MEMBER(std::uint32_t, config.ipc.limits.filters), 1, 4096},
      "Different filters of readers on one connection at once");
  add("ipc.limits.filter", SizeValue{MEMBER(std::uint64_t, config.ipc.limits.filter), 16, 64 * kib},
      "One filter, as it stands in the query");
  add("ipc.limits.events",
      SizeValue{MEMBER(std::uint64_t, config.ipc.limits.events), 64 * kib, gib},
      "History of `/v1/events`");
}

}  // namespace

void add_top(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::top);
  add("ipc.socket", StringValue{MEMBER(std::string, config.ipc.socket), "path", socket_error},
      "The Unix socket that local apps use");
  add("ipc.mode", ModeValue{MEMBER(std::uint32_t, config.ipc.mode)},
      "Permissions of the socket file");
  add("ipc.group", StringValue{MEMBER(std::string, config.ipc.group), "name", group_error},
      "Group that owns the socket file; none: the daemon's own");
  add("ipc.sockets", SocketsValue{},
      "Further Unix sockets, each with a file and rights of its own");
  add("ipc.allow_origin",
      StringValue{MEMBER(std::string, config.ipc.allow_origin), "origin", origin_error},
      "Whose pages may read through a proxy (`Access-Control-Allow-Origin`); none: nobody's");
  add_access(keys);
  add_ipc_limits(keys);
  add("metrics.listen",
      StringValue{MEMBER(std::string, config.metrics.listen), "ADDRESS:PORT", listen_error},
      "TCP listener for metrics and health; none: only on the local socket");
  add("log.level",
      choice({"trace", "debug", "info", "warning", "error"}, MEMBER(LogLevel, config.log.level)),
      "Least important entries to write");
  add("log.format",
      choice({"auto", "text", "json", "journald"}, MEMBER(LogFormat, config.log.format)),
      "For people, for programs, or fields of systemd's journal; auto: journald where stderr goes "
      "to the journal, else text");
  add("log.rate", RateValue{MEMBER(Rate, config.log.rate)},
      "Lines of any one kind about any one connection; further ones are counted and left out");
  add("log.queue", SizeValue{MEMBER(std::uint64_t, config.log.queue), 64 * kib, gib},
      "Lines that wait to be written; when nobody takes them the oldest are dropped");
  add("threads", CountValue{MEMBER(std::uint32_t, config.threads), 1, 64},
      "Threads that connections are spread over");
  add("connects.per_host", RateValue{MEMBER(Rate, config.connects.per_host)},
      "TCP connects to any one host, of all connections together");
  add("connects.hosts", HostRatesValue{}, "The same for single hosts, instead of it");
  add("connects.handshakes",
      CountValue{MEMBER(std::uint32_t, config.connects.handshakes), 1, 10'000},
      "TLS handshakes at once on one thread");
  add("state_directory",
      StringValue{MEMBER(std::string, config.state_directory), "path", path_error},
      "Where budgets, and what scripts keep, outlive the process; none: `$STATE_DIRECTORY`, and "
      "without it nowhere");
  add("core_dumps", FlagValue{MEMBER(bool, config.core_dumps)},
      "Whether a crash may leave a core dump, which holds secrets");
  add("shutdown", DurationValue{MEMBER(Milliseconds, config.shutdown), shortest, hour},
      "From SIGTERM to the end of the process");
}

}  // namespace wskeep::config
