#include "config/key_groups.hpp"
#include "config/proxy_url.hpp"

namespace wskeep::config {
namespace {

std::string proxy_error(std::string_view text) {
  if (text == "environment") {
    return "";
  }
  try {
    static_cast<void>(parse_proxy_url(text));
    return "";
  } catch (const UrlError& error) {
    return error.what();
  }
}

}  // namespace

void add_timeouts(std::vector<Key>& keys) {
  const KeyAdder to(keys, Scope::inherited);
  const auto add = [&to](std::string_view path, Milliseconds& (*member)(Draft&),
                         std::string_view description, bool zero_is_off = false) {
    to(path, DurationValue{member, shortest, day, zero_is_off}, description);
  };
  add("timeouts.connect", MEMBER(Milliseconds, connection.settings.timeouts.connect),
      "A whole cycle: names, all addresses, proxy, TLS, upgrade");
  add("timeouts.address", MEMBER(Milliseconds, connection.settings.timeouts.address),
      "One address: TCP, proxy, TLS, upgrade; at most `timeouts.connect`");
  add("timeouts.resolve", MEMBER(Milliseconds, connection.settings.timeouts.resolve),
      "The name look-up");
  add("timeouts.send", MEMBER(Milliseconds, connection.settings.timeouts.send),
      "Bytes wait for upstream and none is accepted");
  add("timeouts.receive", MEMBER(Milliseconds, connection.settings.timeouts.receive),
      "Nothing at all comes from upstream, pongs included");
  add("timeouts.message", MEMBER(Milliseconds, connection.settings.timeouts.message),
      "A message has begun and does not end");
  add("timeouts.first_message", MEMBER(Milliseconds, connection.settings.timeouts.first_message),
      "From the upgrade to the first whole message", true);
  add("timeouts.silence", MEMBER(Milliseconds, connection.settings.timeouts.silence),
      "Between whole messages, whatever pings say", true);
  add("timeouts.close", MEMBER(Milliseconds, connection.settings.timeouts.close),
      "From our Close frame to the end of the TCP connection");
  add("timeouts.publish", MEMBER(Milliseconds, connection.settings.timeouts.publish),
      "Nothing from an app in the middle of a message that is sent in parts (`send: stream`)");
}

void add_connecting(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::inherited);
  add("fallback.delay",
      DurationValue{MEMBER(Milliseconds, connection.settings.fallback.delay), Milliseconds(10),
                    std::chrono::minutes(1)},
      "Until the next address is tried beside one that hangs (RFC 8305)");
  add("fallback.addresses",
      CountValue{MEMBER(std::uint32_t, connection.settings.fallback.addresses), 1, 100},
      "How many of a name's addresses a cycle tries");
  add("fallback.family",
      choice({"any", "ipv4", "ipv6"}, MEMBER(Family, connection.settings.fallback.family)),
      "Addresses to use");
  add("fallback.urls",
      choice({"listed", "shuffled"}, MEMBER(UrlOrder, connection.settings.fallback.urls)),
      "In which order a cycle tries several URLs");
  add("resolve", ResolveValue{},
      "Addresses of `HOST` or `HOST:PORT`, for which no name server is asked then; merged with "
      "those "
      "under `defaults`");
}

void add_reconnecting(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::inherited);
  add("reconnect.initial",
      DurationValue{MEMBER(Milliseconds, connection.settings.reconnect.initial), shortest, day},
      "The back-off begins here and doubles with each failure; at most `reconnect.max`");
  add("reconnect.max",
      DurationValue{MEMBER(Milliseconds, connection.settings.reconnect.max), shortest, day},
      "The back-off ends here");
  add("reconnect.stable_after",
      DurationValue{MEMBER(Milliseconds, connection.settings.reconnect.stable_after), zero, day},
      "A session this old resets the back-off");
  add("reconnect.budget", RateValue{MEMBER(Rate, connection.settings.reconnect.budget)},
      "TCP connects of one connection");
  add("reconnect.on_status",
      CodeRulesValue{MEMBER(std::vector<CodeRule>, connection.settings.reconnect.on_status),
                     "map of 503, 4xx or 500-599 to retry, slow or stop", 100, 599, 101},
      "What follows an HTTP status; added to those under `defaults`");
  add("reconnect.on_close",
      CodeRulesValue{MEMBER(std::vector<CodeRule>, connection.settings.reconnect.on_close),
                     "map of 1008, 4xxx or 4000-4999 to retry, slow or stop", 1000, 4999},
      "What follows a close code; added to those under `defaults`");
  add("reconnect.on_lasting",
      choice({"retry", "slow", "stop"}, MEMBER(Verdict, connection.settings.reconnect.on_lasting)),
      "What follows a failure that only a person can mend");
  add("keepalive.ping",
      DurationValue{MEMBER(Milliseconds, connection.settings.keepalive.ping), Milliseconds(10), day,
                    true},
      "Pings from us; `keepalive: off` switches both off", true);
  add("keepalive.pong",
      DurationValue{MEMBER(Milliseconds, connection.settings.keepalive.pong), Milliseconds(10), day,
                    true},
      "Pongs from us that nobody asked for (RFC 6455, section 5.5.3)", true);
}

void add_proxy(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::inherited);
  add("proxy",
      TextValue{MEMBER(Text, connection.settings.proxy),
                "http://, https:// or socks5:// URL, environment, or off", proxy_error, true},
      "Through which to connect; read anew at each attempt");
}

}  // namespace wskeep::config
