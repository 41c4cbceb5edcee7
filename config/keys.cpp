#include "config/keys.hpp"

#include <type_traits>

#include "config/characters.hpp"
#include "config/file.hpp"
#include "config/listen.hpp"
#include "config/quantity.hpp"
#include "config/suggest.hpp"

namespace wskeep::config {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Milliseconds zero{0};
constexpr Milliseconds shortest{1};
constexpr Milliseconds hour = hours(1);
constexpr Milliseconds day = hours(24);
constexpr std::uint64_t kib = 1U << 10U;
constexpr std::uint64_t mib = 1U << 20U;
constexpr std::uint64_t gib = 1U << 30U;

template <typename Member>
ChoiceValue choice(std::vector<std::string_view> names, Member member) {
  using Enumeration = std::remove_reference_t<std::invoke_result_t<Member, Draft&>>;
  return {std::move(names),
          [member](Draft& draft) { return static_cast<std::size_t>(member(draft)); },
          [member](Draft& draft, std::size_t index) {
            member(draft) = static_cast<Enumeration>(index);
          }};
}

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

std::string file_error(std::string_view path) {
  try {
    check_readable(std::string(path));
    return "";
  } catch (const FileError& error) {
    return std::string("cannot be read: ") + error.what();
  }
}

std::string host_error(std::string_view host) {
  constexpr std::string_view allowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:";
  return host.size() > 253 || host.find_first_not_of(allowed) != std::string_view::npos
             ? "is not a host name or address"
             : "";
}

// clang-format off
#define MEMBER(type, name) ([](Draft& draft) -> type& { return draft.name; })
// clang-format on

void add_top(std::vector<Key>& keys) {
  const auto add = [&keys](std::string_view path, Value value, std::string_view description) {
    keys.push_back({Scope::top, path, std::move(value), description});
  };
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
  add("shutdown", DurationValue{MEMBER(Milliseconds, config.shutdown), shortest, hour},
      "From SIGTERM to the end of the process");
}

void add_timeouts(std::vector<Key>& keys) {
  const auto add = [&keys](std::string_view path, Milliseconds& (*member)(Draft&),
                           std::string_view description) {
    keys.push_back({Scope::inherited, path, DurationValue{member, shortest, day}, description});
  };
  add("timeouts.connect", MEMBER(Milliseconds, connection.settings.timeouts.connect),
      "A whole cycle: name, all addresses, TLS, upgrade");
  add("timeouts.address", MEMBER(Milliseconds, connection.settings.timeouts.address),
      "One address: TCP, TLS, upgrade; at most `timeouts.connect`");
  add("timeouts.resolve", MEMBER(Milliseconds, connection.settings.timeouts.resolve),
      "The name look-up");
  add("timeouts.send", MEMBER(Milliseconds, connection.settings.timeouts.send),
      "Bytes wait for upstream and none is accepted");
  add("timeouts.receive", MEMBER(Milliseconds, connection.settings.timeouts.receive),
      "Nothing at all comes from upstream, pongs included");
  add("timeouts.message", MEMBER(Milliseconds, connection.settings.timeouts.message),
      "A message has begun and does not end");
  add("timeouts.close", MEMBER(Milliseconds, connection.settings.timeouts.close),
      "From our Close frame to the end of the TCP connection");
}

void add_connecting(std::vector<Key>& keys) {
  const auto add = [&keys](std::string_view path, Value value, std::string_view description,
                           bool group_off = false) {
    keys.push_back({Scope::inherited, path, std::move(value), description, group_off});
  };
  add("fallback.delay",
      DurationValue{MEMBER(Milliseconds, connection.settings.fallback.delay), Milliseconds(10),
                    minutes(1)},
      "Until the next address is tried beside one that hangs (RFC 8305)");
  add("fallback.addresses",
      CountValue{MEMBER(std::uint32_t, connection.settings.fallback.addresses), 1, 100},
      "How many of a name's addresses a cycle tries");
  add("fallback.family",
      choice({"any", "ipv4", "ipv6"}, MEMBER(Family, connection.settings.fallback.family)),
      "Addresses to use");
  add("reconnect.initial",
      DurationValue{MEMBER(Milliseconds, connection.settings.reconnect.initial), shortest, day},
      "The back-off begins here and doubles with each failure; at most `reconnect.max`");
  add("reconnect.max",
      DurationValue{MEMBER(Milliseconds, connection.settings.reconnect.max), shortest, day},
      "The back-off ends here");
  add("reconnect.stable_after",
      DurationValue{MEMBER(Milliseconds, connection.settings.reconnect.stable_after), zero, day},
      "A session this old resets the back-off");
  add("keepalive.ping",
      DurationValue{MEMBER(Milliseconds, connection.settings.keepalive.ping), Milliseconds(10), day,
                    true},
      "Pings from us; `keepalive: off` says the same as `keepalive: {ping: off}`", true);
}

void add_tls(std::vector<Key>& keys) {
  const auto add = [&keys](std::string_view path, Value value, std::string_view description) {
    keys.push_back({Scope::inherited, path, std::move(value), description});
  };
  add("tls.ca", StringValue{MEMBER(std::string, connection.settings.tls.ca), "file", file_error},
      "PEM file of accepted authorities; none: the system's");
  add("tls.certificate",
      StringValue{MEMBER(std::string, connection.settings.tls.certificate), "file", file_error},
      "PEM file of the client's certificate chain; needs `tls.key`");
  add("tls.key", StringValue{MEMBER(std::string, connection.settings.tls.key), "file", file_error},
      "PEM file of its private key; needs `tls.certificate`");
  add("tls.server_name",
      StringValue{MEMBER(std::string, connection.settings.tls.server_name), "host", host_error},
      "For SNI and the check of the certificate; none: the URL's host");
  add("tls.min_version",
      choice({"1.2", "1.3"}, MEMBER(TlsVersion, connection.settings.tls.min_version)),
      "Oldest TLS version to speak");
}

void add_messages(std::vector<Key>& keys) {
  const auto add = [&keys](std::string_view path, Value value, std::string_view description) {
    keys.push_back({Scope::inherited, path, std::move(value), description});
  };
  add("headers", HeadersValue{},
      "Added to the upgrade request; merged by name with those under `defaults`");
  add("subprotocols", SubprotocolsValue{},
      "Offered in this order; replaces the list in `defaults`");
  add("compression", FlagValue{MEMBER(bool, connection.settings.compression)},
      "Offer permessage-deflate (RFC 7692)");
  add("history", SizeValue{MEMBER(std::uint64_t, connection.settings.history), 4 * kib, gib},
      "Memory that keeps received messages for readers");
  add("max_message", SizeValue{MEMBER(std::uint64_t, connection.settings.max_message), 1, gib},
      "Largest message to receive, after inflating");
  add("send_buffer", SizeValue{MEMBER(std::uint64_t, connection.settings.send_buffer), kib, gib},
      "Bytes that wait for upstream before publishers wait");
  add("patience",
      DurationValue{MEMBER(Milliseconds, connection.settings.patience), zero, seconds(10)},
      "How long a reader about to be lapped may hold upstream up");
  add("gap", choice({"close", "skip"}, MEMBER(Gap, connection.settings.gap)),
      "What a plain reader that was lapped gets: its end, or what is left");
}

#undef MEMBER

/// Each `text` overload says what one kind of value takes; each `initial` its value in an empty
/// draft.
struct TypeText {
  std::string operator()(const DurationValue& value) const {
    return "duration, " + format_duration(value.least) + " to " + format_duration(value.most) +
           (value.zero_is_off ? ", or off" : "");
  }
  std::string operator()(const SizeValue& value) const {
    return "size, " + format_size(value.least) + " to " + format_size(value.most);
  }
  std::string operator()(const CountValue& value) const {
    return "number, " + std::to_string(value.least) + " to " + std::to_string(value.most);
  }
  std::string operator()(const FlagValue& /*value*/) const { return "true or false"; }
  std::string operator()(const ChoiceValue& value) const { return joined(value.names, "or"); }
  std::string operator()(const ModeValue& /*value*/) const { return "octal mode in quotes"; }
  std::string operator()(const StringValue& value) const { return std::string(value.type); }
  std::string operator()(const UrlValue& /*value*/) const { return "ws:// or wss:// URL"; }
  std::string operator()(const HeadersValue& /*value*/) const { return "map of names to values"; }
  std::string operator()(const SubprotocolsValue& /*value*/) const { return "list of names"; }
};

/// What each kind of value is in an empty draft.
struct DefaultText {
  Draft& draft;

  std::string operator()(const DurationValue& value) const {
    return format_duration(value.member(draft));
  }
  std::string operator()(const SizeValue& value) const { return format_size(value.member(draft)); }
  std::string operator()(const CountValue& value) const {
    return std::to_string(value.member(draft));
  }
  std::string operator()(const FlagValue& value) const {
    return value.member(draft) ? "true" : "false";
  }
  std::string operator()(const ChoiceValue& value) const {
    return std::string(value.names.at(value.get(draft)));
  }
  std::string operator()(const ModeValue& value) const {
    return "\"" + format_mode(value.member(draft)) + "\"";
  }
  std::string operator()(const StringValue& value) const {
    const std::string& text = value.member(draft);
    return text.empty() ? "none" : text;
  }
  std::string operator()(const UrlValue& /*value*/) const { return "required"; }
  std::string operator()(const HeadersValue& /*value*/) const { return "none"; }
  std::string operator()(const SubprotocolsValue& /*value*/) const { return "none"; }
};

}  // namespace

const std::vector<Key>& all_keys() {
  static const std::vector<Key> keys = [] {
    std::vector<Key> result;
    add_top(result);
    result.push_back({Scope::connection, "url", UrlValue{},
                      "Where to connect; read anew, place-holders and all, at each attempt"});
    add_timeouts(result);
    add_connecting(result);
    add_tls(result);
    add_messages(result);
    return result;
  }();
  return keys;
}

std::string type_text(const Value& value) {
  return std::visit(TypeText{}, value);
}

std::string default_text(const Value& value) {
  Draft empty;
  return std::visit(DefaultText{empty}, value);
}

}  // namespace wskeep::config
