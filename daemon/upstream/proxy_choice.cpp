#include "daemon/upstream/proxy_choice.hpp"

#include <openssl/crypto.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "config/authority.hpp"
#include "config/proxy_url.hpp"
#include "daemon/upstream/no_proxy.hpp"

namespace wskeep::upstream {

using daemon::Error;
using daemon::Failure;
using daemon::Proxy;

namespace {

/// Short strings lie within the object and stay there when it is moved from: all that it can hold
/// is wiped.
void wipe(std::string& text) noexcept {
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

Proxy::Kind kind_of(config::ProxyUrl::Kind kind) noexcept {
  switch (kind) {
    case config::ProxyUrl::Kind::http:
      return Proxy::Kind::http;
    case config::ProxyUrl::Kind::https:
      return Proxy::Kind::https;
    case config::ProxyUrl::Kind::socks5:
      return Proxy::Kind::socks5;
  }
  return Proxy::Kind::http;
}

std::string_view scheme_of(Proxy::Kind kind) noexcept {
  switch (kind) {
    case Proxy::Kind::http:
      return "http";
    case Proxy::Kind::https:
      return "https";
    case Proxy::Kind::socks5:
      return "socks5";
  }
  return "http";
}

/// Throws config::UrlError.
ChosenProxy parse(std::string_view text) {
  config::ProxyUrl url = config::parse_proxy_url(text);
  ChosenProxy chosen;
  chosen.proxy.kind = kind_of(url.kind);
  chosen.proxy.host = std::move(url.host);
  chosen.proxy.port = url.port;
  chosen.proxy.user = std::move(url.user);
  chosen.proxy.password = std::move(url.password);
  wipe(url.password);
  chosen.shown = std::string(scheme_of(chosen.proxy.kind)) + "://" +
                 config::host_and_port(chosen.proxy.host, chosen.proxy.port);
  return chosen;
}

struct Variable {
  const char* name = nullptr;
  std::string_view value;  ///< empty: none of them is set
};

Variable first_set(const EnvironmentVariables& variables, std::span<const char* const> names) {
  for (const char* name : names)
    if (const char* value = variables(name); value != nullptr && *value != '\0')
      return {name, value};
  return {};
}

ProxyChoice choose_from_environment(const config::Url& target,
                                    const EnvironmentVariables& variables) {
  constexpr std::array<const char*, 2> exceptions{"no_proxy", "NO_PROXY"};
  constexpr std::array<const char*, 4> for_secure{"https_proxy", "HTTPS_PROXY", "all_proxy",
                                                  "ALL_PROXY"};
  constexpr std::array<const char*, 3> for_plain{"http_proxy", "all_proxy", "ALL_PROXY"};
  const Variable found =
      target.secure ? first_set(variables, for_secure) : first_set(variables, for_plain);
  if (found.value.empty() ||
      no_proxy_names(first_set(variables, exceptions).value, target.host, target.port))
    return std::nullopt;
  std::string url = found.value.find("://") == std::string_view::npos ? "http://" : "";
  url += found.value;
  try {
    ProxyChoice chosen(std::in_place_index<0>, parse(url));
    wipe(url);
    return chosen;
  } catch (const config::UrlError& error) {
    wipe(url);
    return Failure{Error::configuration, "proxy: environment variable '" + std::string(found.name) +
                                             "': " + error.what()};
  }
}

}  // namespace

EnvironmentVariables process_variables() {
  return [](const char* name) { return std::getenv(name); };
}

ChosenProxy::~ChosenProxy() {
  wipe(proxy.password);
}

ProxyChoice choose_proxy(const config::ConnectionSettings& settings, const config::Url& target,
                         const EnvironmentVariables& variables) {
  if (settings.proxy.empty()) return std::nullopt;
  if (settings.proxy.source() == "environment") return choose_from_environment(target, variables);
  std::string url;
  try {
    url = settings.proxy.resolve();
    ProxyChoice chosen(std::in_place_index<0>, parse(url));
    wipe(url);
    return chosen;
  } catch (const config::TextError& error) {
    return Failure{Error::configuration, std::string("proxy: ") + error.what()};
  } catch (const config::UrlError& error) {
    wipe(url);
    return Failure{Error::configuration, std::string("proxy: ") + error.what()};
  }
}

}  // namespace wskeep::upstream
