#include "config/characters.hpp"
#include "config/key_groups.hpp"
#include "config/listen.hpp"

namespace wskeep::config {
namespace {

// The path has to fit into sockaddr_un with its end mark.
std::string socket_error(std::string_view path) {
  return path.empty() || path.size() > 107 || has_control(path) ? "is not a path of 1 to 107 bytes"
                                                                : "";
}

std::string group_error(std::string_view name) {
  return has_control(name) || name.find_first_of(" :/") != std::string_view::npos
             ? "is not the name of a group"
             : "";
}

std::string listen_error(std::string_view text) {
  try {
    static_cast<void>(parse_listen(text));
    return "";
  } catch (const ListenError& error) {
    return error.what();
  }
}

std::string path_error(std::string_view path) {
  return path.size() > 4095 || has_control(path) ? "is not a path" : "";
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
  add("ipc.limits.clients", CountValue{MEMBER(std::uint32_t, config.ipc.limits.clients), 1, 65536},
      "Local sockets open at once");
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
  add("metrics.listen",
      StringValue{MEMBER(std::string, config.metrics.listen), "ADDRESS:PORT", listen_error},
      "TCP listener for metrics and health; none: only on the local socket");
  add("log.level",
      choice({"trace", "debug", "info", "warning", "error"}, MEMBER(LogLevel, config.log.level)),
      "Least important entries to write");
  add("log.format", choice({"text", "json"}, MEMBER(LogFormat, config.log.format)),
      "For people or for programs");
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
      "Where budgets outlive the process; none: `$STATE_DIRECTORY`, and without it nowhere");
  add("core_dumps", FlagValue{MEMBER(bool, config.core_dumps)},
      "Whether a crash may leave a core dump, which holds secrets");
  add("shutdown", DurationValue{MEMBER(Milliseconds, config.shutdown), shortest, hour},
      "From SIGTERM to the end of the process");
}

}  // namespace wskeep::config
