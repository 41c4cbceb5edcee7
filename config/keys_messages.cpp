#include "config/header.hpp"
#include "config/key_groups.hpp"

namespace wskeep::config {
namespace {

std::string read_subprotocol(std::string& name) {
  return subprotocol_error(name);
}

/// A level, or none of its own.
ChoiceValue log_level() {
  return {{"inherit", "trace", "debug", "info", "warning", "error"},
          [](Draft& draft) {
            const auto& level = draft.connection.settings.log_level;
            return level ? static_cast<std::size_t>(*level) + 1 : 0;
          },
          [](Draft& draft, std::size_t index) {
            auto& level = draft.connection.settings.log_level;
            level.reset();
            if (index > 0) level = static_cast<LogLevel>(index - 1);
          }};
}

}  // namespace

void add_upgrade(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::inherited);
  add("authorization.basic",
      TemplateValue{MEMBER(Template, connection.settings.authorization.basic),
                    "USER:PASSWORD, or off", basic_error},
      "Header Authorization: Basic; `authorization: off` switches both off", true);
  add("authorization.bearer",
      TemplateValue{MEMBER(Template, connection.settings.authorization.bearer), "token, or off",
                    bearer_error},
      "Header Authorization: Bearer", true);
  add("redirects", CountValue{MEMBER(std::uint32_t, connection.settings.redirects), 0, 10, true},
      "How many redirects are followed in a row");
  add("headers", HeadersValue{},
      "Added to the upgrade request; merged by name with those under `defaults`");
  add("subprotocols",
      StringsValue{MEMBER(std::vector<std::string>, connection.settings.subprotocols),
                   "list of names", read_subprotocol},
      "Offered in this order; replaces the list in `defaults`");
  add("compression", FlagValue{MEMBER(bool, connection.settings.compression)},
      "Offer permessage-deflate (RFC 7692)");
}

void add_messages(std::vector<Key>& keys) {
  const KeyAdder add(keys, Scope::inherited);
  add("history", SizeValue{MEMBER(std::uint64_t, connection.settings.history), 4 * kib, gib},
      "Memory that keeps received messages for readers");
  add("max_message", SizeValue{MEMBER(std::uint64_t, connection.settings.max_message), 1, gib},
      "Largest message, after inflating; larger ones are refused, or passed on in parts");
  add("receive", choice({"message", "stream"}, MEMBER(Passing, connection.settings.receive)),
      "Frames over `max_message` end the session, or are passed on in parts as they arrive");
  add("send", choice({"message", "stream"}, MEMBER(Passing, connection.settings.send)),
      "The same for messages of local apps: refused, or sent in parts as they arrive");
  add("outbox.ttl",
      DurationValue{MEMBER(Milliseconds, connection.settings.outbox.ttl), shortest, day, true},
      "How long messages of local apps wait for the connection; off: they are rejected at once",
      true);
  add("outbox.messages",
      CountValue{MEMBER(std::uint32_t, connection.settings.outbox.messages), 1, 1'000'000},
      "How many may wait");
  add("outbox.bytes", SizeValue{MEMBER(std::uint64_t, connection.settings.outbox.bytes), kib, gib},
      "Bytes of them");
  add("send_buffer", SizeValue{MEMBER(std::uint64_t, connection.settings.send_buffer), kib, gib},
      "Bytes that wait for upstream before publishers wait");
  add("send_rate", RateValue{MEMBER(Rate, connection.settings.send_rate)},
      "Frames to upstream, control frames too");
  add("lifetime",
      DurationValue{MEMBER(Milliseconds, connection.settings.lifetime), std::chrono::seconds(1),
                    365 * day, true},
      "A session this old is renewed");
  add("patience",
      DurationValue{MEMBER(Milliseconds, connection.settings.patience), zero,
                    std::chrono::seconds(10)},
      "How long a reader about to be lapped may hold upstream up");
  add("gap", choice({"close", "skip"}, MEMBER(Gap, connection.settings.gap)),
      "What a plain reader that was lapped gets: its end, or what is left");
  add("publish_rate", RateValue{MEMBER(Rate, connection.settings.publish.rate)},
      "Messages that all local apps together may send");
  add("publish_bytes", ByteRateValue{MEMBER(ByteRate, connection.settings.publish.bytes)},
      "Bytes of them");
  add("access.subscribe",
      PrincipalsValue{MEMBER(std::optional<Principals>, connection.settings.access.subscribe)},
      "Who may read; none: whom `ipc.access.subscribe` names");
  add("access.publish",
      PrincipalsValue{MEMBER(std::optional<Principals>, connection.settings.access.publish)},
      "Who may send; none: whom `ipc.access.publish` names");
  add("access.control",
      PrincipalsValue{MEMBER(std::optional<Principals>, connection.settings.access.control)},
      "Who may reconnect, pause and resume; none: whom `ipc.access.control` names");
  add("log_level", log_level(),
      "Least important entries to write about the connection; inherit: as `log.level` says");
  add("session", SessionValue{},
      "What is said to upstream and awaited of it; merged key by key with that under `defaults`");
}

}  // namespace wskeep::config
