#include "config/difference.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "config/session.hpp"

namespace wskeep::config {
namespace {

/// Of a connection's keys, those that nobody has to connect anew for.
constexpr auto changed_in_place = std::to_array<std::string_view>(
    {"timeouts.", "fallback.", "resolve", "reconnect.", "keepalive.", "redirects", "send_buffer",
     "lifetime", "patience", "gap", "send", "outbox.", "publish_rate", "publish_bytes", "access.",
     "log_level"});

constexpr auto changes_the_ring = std::to_array<std::string_view>({"history", "max_message"});

/// Of the keys at the top, those that the running daemon can follow.
constexpr auto changed_at_once = std::to_array<std::string_view>(
    {"ipc.limits.", "ipc.access.", "ipc.allow_origin", "log.", "connects.", "shutdown"});

/// And of these groups, those that it cannot: the ring of events is made once.
constexpr auto changed_at_next_start = std::to_array<std::string_view>({"ipc.limits.events"});

/// An entry that ends with a dot stands for a whole group.
bool lists(std::span<const std::string_view> entries, std::string_view path) {
  return std::ranges::any_of(entries, [path](std::string_view entry) {
    return entry.ends_with('.') ? path.starts_with(entry) : path == entry;
  });
}

/// Whether two drafts have the same under a key.
struct Same {
  Draft& left;
  Draft& right;

  template <typename WithMember>
  bool operator()(const WithMember& value) const {
    return value.member(left) == value.member(right);
  }
  bool operator()(const ChoiceValue& value) const { return value.get(left) == value.get(right); }
  bool operator()(const UrlsValue&) const { return left.connection.urls == right.connection.urls; }
  bool operator()(const HeadersValue&) const {
    return left.connection.settings.headers == right.connection.settings.headers;
  }
  bool operator()(const ResolveValue&) const {
    return left.connection.settings.resolve == right.connection.settings.resolve;
  }
  bool operator()(const SessionValue&) const {
    const auto& one = left.connection.settings.session;
    const auto& other = right.connection.settings.session;
    return one == other || (one && other && *one == *other);
  }
  bool operator()(const SocketsValue&) const {
    return left.config.ipc.sockets == right.config.ipc.sockets;
  }
  bool operator()(const HostRatesValue&) const {
    return left.config.connects.hosts == right.config.connects.hosts;
  }
};

ConnectionChange compare(const Connection& running, const Connection& wanted) {
  Draft left;
  Draft right;
  left.connection = running;
  right.connection = wanted;
  ConnectionChange change{.name = wanted.name, .effect = Effect::in_place, .keys = {}};
  for (const Key& key : all_keys()) {
    if (key.scope == Scope::top || std::visit(Same{left, right}, key.value)) continue;
    change.keys.emplace_back(key.path);
    change.effect = std::max(change.effect, effect_of(key));
  }
  return change;
}

/// Sockets as they are, with the rights that others of the same paths have: of a socket, its rights
/// alone can be changed while it is there.
std::vector<LocalSocket> with_access_of(std::vector<LocalSocket> sockets,
                                        const std::vector<LocalSocket>& others) {
  for (LocalSocket& socket : sockets) {
    const auto same = std::ranges::find(others, socket.path, &LocalSocket::path);
    if (same != others.end()) socket.access = same->access;
  }
  return sockets;
}

/// The keys at the top; connections are of no concern to them, and so are not copied.
void compare_top(const Config& running, const Config& wanted, Difference& difference) {
  const auto draft_of = [](const Config& config) {
    Draft draft;
    draft.config.ipc = config.ipc;
    draft.config.metrics = config.metrics;
    draft.config.log = config.log;
    draft.config.threads = config.threads;
    draft.config.connects = config.connects;
    draft.config.state_directory = config.state_directory;
    draft.config.core_dumps = config.core_dumps;
    draft.config.shutdown = config.shutdown;
    return draft;
  };
  Draft left = draft_of(running);
  Draft right = draft_of(wanted);
  for (const Key& key : all_keys()) {
    if (key.scope != Scope::top || std::visit(Same{left, right}, key.value)) continue;
    const bool holds_now =
        std::holds_alternative<SocketsValue>(key.value)
            ? with_access_of(running.ipc.sockets, wanted.ipc.sockets) == wanted.ipc.sockets
            : effect_of(key) == Effect::in_place;
    auto& keys = holds_now ? difference.in_place : difference.next_start;
    keys.emplace_back(key.path);
  }
}

}  // namespace

ByName by_name(const Config& config) {
  ByName connections;
  for (const Connection& connection : config.connections)
    connections.emplace(connection.name, &connection);
  return connections;
}

Effect effect_of(const Key& key) {
  if (key.scope == Scope::top) {
    const bool at_once =
        lists(changed_at_once, key.path) && !lists(changed_at_next_start, key.path);
    return at_once ? Effect::in_place : Effect::next_start;
  }
  if (lists(changes_the_ring, key.path)) return Effect::new_ring;
  return lists(changed_in_place, key.path) ? Effect::in_place : Effect::new_session;
}

Difference difference(const Config& running, const Config& wanted) {
  Difference difference;
  const ByName before = by_name(running);
  const ByName after = by_name(wanted);
  for (const Connection& connection : wanted.connections) {
    const auto found = before.find(connection.name);
    if (found == before.end()) {
      difference.added.push_back(connection.name);
      continue;
    }
    ConnectionChange change = compare(*found->second, connection);
    if (change.keys.empty()) {
      ++difference.unchanged;
    } else {
      difference.changed.push_back(std::move(change));
    }
  }
  for (const Connection& connection : running.connections) {
    if (!after.contains(connection.name)) difference.removed.push_back(connection.name);
  }
  compare_top(running, wanted, difference);
  return difference;
}

Config after_reload(const Config& running, Config wanted) {
  wanted.ipc.socket = running.ipc.socket;
  wanted.ipc.mode = running.ipc.mode;
  wanted.ipc.group = running.ipc.group;
  wanted.ipc.limits.events = running.ipc.limits.events;
  wanted.ipc.sockets = with_access_of(running.ipc.sockets, wanted.ipc.sockets);
  wanted.metrics = running.metrics;
  wanted.threads = running.threads;
  wanted.state_directory = running.state_directory;
  wanted.core_dumps = running.core_dumps;
  return wanted;
}

}  // namespace wskeep::config
