#include "config/proxy_url.hpp"

#include <algorithm>
#include <array>

#include "config/authority.hpp"
#include "config/characters.hpp"

namespace wskeep::config {
namespace {

struct Scheme {
  std::string_view name;
  ProxyUrl::Kind kind;
  std::uint16_t port;
};

constexpr std::array<Scheme, 4> schemes{{
    {"http", ProxyUrl::Kind::http, 80},
    {"https", ProxyUrl::Kind::https, 443},
    {"socks5", ProxyUrl::Kind::socks5, 1080},
    {"socks5h", ProxyUrl::Kind::socks5, 1080},
}};

// RFC 1929, section 2: one byte each for the lengths.
constexpr std::size_t longest_socks_word = 255;

/// Takes the scheme off the front of `text`.
const Scheme& take_scheme(std::string_view& text) {
  const std::size_t end = text.find("://");
  const std::string name = end == std::string_view::npos ? "" : folded(text.substr(0, end));
  const auto* const found = std::ranges::find(schemes, name, &Scheme::name);
  if (found == schemes.end()) {
    throw UrlError("the URL of a proxy begins with http://, https://, socks5:// or socks5h://");
  }
  text.remove_prefix(end + 3);
  return *found;
}

void check_socks_words(const ProxyUrl& url) {
  if (url.user.empty() && url.password.empty()) {
    return;
  }
  if (url.user.empty() || url.password.empty() || url.user.size() > longest_socks_word ||
      url.password.size() > longest_socks_word) {
    throw UrlError("a SOCKS proxy takes a user and a password of 1 to 255 bytes each, or neither");
  }
}

}  // namespace

ProxyUrl parse_proxy_url(std::string_view text) {
  check_url_characters(text);
  const Scheme& scheme = take_scheme(text);
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  Authority authority = parse_authority(text.substr(0, end));
  if (const std::string_view path = text.substr(end); !path.empty() && path != "/") {
    throw UrlError("the URL of a proxy ends after the host and the port");
  }
  ProxyUrl url;
  url.kind = scheme.kind;
  url.host = std::move(authority.host);
  url.port = authority.port.value_or(scheme.port);
  const std::size_t colon = std::min(authority.user_info.find(':'), authority.user_info.size());
  url.user = authority.user_info.substr(0, colon);
  url.password = authority.user_info.substr(std::min(colon + 1, authority.user_info.size()));
  if (url.kind == ProxyUrl::Kind::socks5) {
    check_socks_words(url);
  }
  return url;
}

}  // namespace wskeep::config
