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

/// Of two that contradict each other, the one to name: the connection's own, else the one that
/// comes last in the file.
const Origin* offender(const Origin* left, const Origin* right) {
  if (left == nullptr || right == nullptr) {
    return left == nullptr ? right : left;
  }
  const auto rank = [](const Origin& origin) {
    return std::tuple(!origin.inherited, origin.place.line, origin.place.column);
  };
  return rank(*left) < rank(*right) ? right : left;
}

struct Bound {
  std::string path;
  Milliseconds value;
};

void check_order(const Origins& origins, const Bound& less, const Bound& more, Problems& problems) {
  const Origin* const origin = offender(find(origins, less.path), find(origins, more.path));
  const bool known = readable(origins, less.path) && readable(origins, more.path);
  if (less.value > more.value && known && origin != nullptr) {
    problems.add(origin->place, origin->key,
                 less.path + " (" + format_duration(less.value) + ") must be at most " + more.path +
                     " (" + format_duration(more.value) + ")");
  }
}

/// One of the two groups of TLS settings.
struct TlsGroup {
  std::string name;
  const Tls& tls;
  const Origins& origins;
  Problems& problems;

  [[nodiscard]] std::string path(std::string_view key) const {
    return name + "." + std::string(key);
  }
  [[nodiscard]] const Origin* origin(std::string_view key) const {
    return find(origins, path(key));
  }
  [[nodiscard]] bool known(std::string_view key) const { return readable(origins, path(key)); }

  void complain(const Origin* origin, const std::string& message) const {
    if (origin != nullptr) {
      problems.add(origin->place, origin->key, message);
    }
  }
};

void check_certificate(const TlsGroup& group) {
  if (!group.known("certificate") || !group.known("key") || !group.known("pkcs12")) {
    return;
  }
  const Tls& tls = group.tls;
  if (tls.certificate.empty() != tls.key.empty()) {
    const std::string given = tls.certificate.empty() ? "key" : "certificate";
    const std::string missing = tls.certificate.empty() ? "certificate" : "key";
    group.complain(group.origin(given), "a " + given + " needs '" + group.path(missing) + "' too");
  }
  const std::string pem = tls.certificate.empty() ? "key" : "certificate";
  if (!tls.pkcs12.empty() && !(tls.certificate.empty() && tls.key.empty())) {
    group.complain(offender(group.origin(pem), group.origin("pkcs12")),
                   "'" + group.path("pkcs12") + "' and '" + group.path(pem) +
                       "' are both given; allowed: 'pkcs12', or 'certificate' and 'key'");
  }
  const Origin* const password = group.origin("password");
  if (!tls.password.empty() && tls.key.empty() && tls.pkcs12.empty() && !password->inherited) {
    group.complain(password, "has no use without '" + group.path("key") + "' or '" +
                                 group.path("pkcs12") + "'");
  }
}

// A connection that says so may do without the authorities that it inherits.
void check_verify(const TlsGroup& group) {
  if (group.tls.verify || !group.known("verify")) {
    return;
  }
  const Origin* const verify = group.origin("verify");
  for (const std::string_view key : {"ca", "crl"}) {
    const Origin* const origin = group.origin(key);
    const bool given = !(key == "ca" ? group.tls.ca : group.tls.crl).empty();
    if (given && origin->good && (!origin->inherited || verify->inherited)) {
      group.complain(offender(verify, origin),
                     "says two things: '" + group.path(key) + "' names what to check by, and '" +
                         group.path("verify") + ": false' that nothing is checked");
    }
  }
}

void complain_of_own(const Origins& origins, std::string_view group, const std::string& message,
                     Problems& problems) {
  for (const auto& [path, origin] : origins) {
    if (path.starts_with(group) && !origin.inherited) {
      problems.add(origin.place, origin.key, message);
    }
  }
}

// Inherited settings are meant for the connections that use TLS.
void check_plain(const Draft& draft, const Origins& origins, Problems& problems) {
  const bool secure = std::ranges::any_of(draft.urls, &Url::secure);
  if (!draft.urls.empty() && !secure && draft.connection.settings.redirects == 0) {
    complain_of_own(origins, "tls.", "has no use with a ws:// URL; use wss://", problems);
  }
}

void check_proxy(const Draft& draft, const Origins& origins, Problems& problems) {
  const Text& proxy = draft.connection.settings.proxy;
  const std::string& source = proxy.source();
  const bool tls = source == "environment" || folded(source).starts_with("https:");
  if (!tls && !proxy.has_placeholder() && readable(origins, "proxy")) {
    complain_of_own(origins, "proxy_tls.", "has no use without an https:// proxy", problems);
  }
}

void check_authorization(const Draft& draft, const Origins& origins, Problems& problems) {
  const ConnectionSettings& settings = draft.connection.settings;
  const bool header = std::ranges::any_of(
      settings.headers, [](const auto& one) { return folded(one.first) == "authorization"; });
  const bool user =
      std::ranges::any_of(draft.urls, [](const Url& url) { return !url.user_info.empty(); });
  const Origin* const url = find(origins, "url");
  const Origin* const basic =
      settings.authorization.basic.empty() ? nullptr : find(origins, "authorization.basic");
  const Origin* const bearer =
      settings.authorization.bearer.empty() ? nullptr : find(origins, "authorization.bearer");
  const auto complain = [&](const Origin* origin, const std::string& message) {
    problems.add(origin->place, origin->key, message + "; allowed: one of the two");
  };
  if (header && user && url != nullptr) {
    complain(url, "holds a user, and there is an Authorization header too");
  }
  if (basic != nullptr && bearer != nullptr) {
    complain(offender(basic, bearer),
             "'authorization.basic' and 'authorization.bearer' are both given");
  }
  for (const Origin* const given : {basic, bearer}) {
    if (given != nullptr && header) {
      complain(offender(given, find(origins, "headers")),
               "there are credentials under 'authorization' and an Authorization header too");
    }
    if (given != nullptr && user) {
      complain(offender(given, url),
               "there are credentials under 'authorization' and a user in the URL too");
    }
  }
}

}  // namespace

void check_connection(const Draft& draft, const Origins& origins, Problems& problems) {
  const ConnectionSettings& settings = draft.connection.settings;
  check_order(origins, {"timeouts.address", settings.timeouts.address},
              {"timeouts.connect", settings.timeouts.connect}, problems);
  check_order(origins, {"reconnect.initial", settings.reconnect.initial},
              {"reconnect.max", settings.reconnect.max}, problems);
  for (const TlsGroup& group : {TlsGroup{"tls", settings.tls, origins, problems},
                                TlsGroup{"proxy_tls", settings.proxy_tls, origins, problems}}) {
    check_certificate(group);
    check_verify(group);
  }
  check_proxy(draft, origins, problems);
  check_plain(draft, origins, problems);
  check_authorization(draft, origins, problems);
}

}  // namespace wskeep::config
