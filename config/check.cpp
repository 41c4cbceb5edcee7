#include "config/check.hpp"

#include <algorithm>
#include <tuple>

#include "config/characters.hpp"
#include "config/quantity.hpp"

namespace wskeep::config {
namespace {

const Origin* find(const Origins& origins, std::string_view path) {
  const auto found = origins.find(path);
  return found == origins.end() ? nullptr : &found->second;
}

bool readable(const Origins& origins, std::string_view path) {
  const Origin* const origin = find(origins, path);
  return origin == nullptr || origin->good;
}

/// Of two that contradict each other, the one that comes last in the file is named.
const Origin* last_of(const Origin* left, const Origin* right) {
  if (left == nullptr || right == nullptr) {
    return left == nullptr ? right : left;
  }
  const auto position = [](const Origin& origin) {
    return std::tie(origin.place.line, origin.place.column);
  };
  return position(*left) < position(*right) ? right : left;
}

struct Bound {
  std::string path;
  Milliseconds value;
};

void check_order(const Origins& origins, const Bound& less, const Bound& more, Problems& problems) {
  const Origin* const origin = last_of(find(origins, less.path), find(origins, more.path));
  const bool known = readable(origins, less.path) && readable(origins, more.path);
  if (less.value > more.value && known && origin != nullptr) {
    problems.add(origin->place, origin->key,
                 less.path + " (" + format_duration(less.value) + ") must be at most " + more.path +
                     " (" + format_duration(more.value) + ")");
  }
}

void check_certificate(const Draft& draft, const Origins& origins, Problems& problems) {
  const Tls& tls = draft.connection.settings.tls;
  if (!readable(origins, "tls.certificate") || !readable(origins, "tls.key") ||
      tls.certificate.empty() == tls.key.empty()) {
    return;
  }
  const bool has_key = tls.certificate.empty();
  if (const Origin* const origin = find(origins, has_key ? "tls.key" : "tls.certificate")) {
    problems.add(
        origin->place, origin->key,
        has_key ? "a key needs 'tls.certificate' too" : "a certificate needs 'tls.key' too");
  }
}

// Inherited settings are meant for the connections that use TLS.
void check_plain(const Draft& draft, const Origins& origins, Problems& problems) {
  if (!draft.url || draft.url->secure) {
    return;
  }
  for (const auto& [path, origin] : origins) {
    if (path.starts_with("tls.") && !origin.inherited) {
      problems.add(origin.place, origin.key, "has no use with a ws:// URL; use wss://");
    }
  }
}

void check_authorization(const Draft& draft, const Origins& origins, Problems& problems) {
  const bool given = std::ranges::any_of(draft.connection.settings.headers, [](const auto& header) {
    return folded(header.first) == "authorization";
  });
  const Origin* const origin = find(origins, "url");
  if (given && origin != nullptr && draft.url && !draft.url->user_info.empty()) {
    problems.add(origin->place, origin->key,
                 "holds a user, and there is an Authorization header too; allowed: one of the two");
  }
}

}  // namespace

void check_connection(const Draft& draft, const Origins& origins, Problems& problems) {
  const ConnectionSettings& settings = draft.connection.settings;
  check_order(origins, {"timeouts.address", settings.timeouts.address},
              {"timeouts.connect", settings.timeouts.connect}, problems);
  check_order(origins, {"reconnect.initial", settings.reconnect.initial},
              {"reconnect.max", settings.reconnect.max}, problems);
  check_certificate(draft, origins, problems);
  check_plain(draft, origins, problems);
  check_authorization(draft, origins, problems);
}

}  // namespace wskeep::config
