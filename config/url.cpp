#include "config/url.hpp"

#include <algorithm>

#include "config/authority.hpp"
#include "config/characters.hpp"

namespace wskeep::config {
namespace {

constexpr std::uint16_t plain_port = 80;
constexpr std::uint16_t secure_port = 443;

/// Takes the scheme off the front of `text` and says whether it is the one with TLS.
bool take_scheme(std::string_view& text, std::string_view plain, std::string_view secure) {
  const std::size_t end = text.find("://");
  const std::string scheme = end == std::string_view::npos ? "" : folded(text.substr(0, end));
  if (scheme != plain && scheme != secure) {
    const bool other = scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss";
    throw UrlError("a URL begins with " + std::string(plain) + ":// or " + std::string(secure) +
                   "://" + (other ? ", not with " + scheme + "://" : ""));
  }
  text.remove_prefix(end + 3);
  return scheme == secure;
}

Url parse(std::string_view text, std::string_view plain, std::string_view secure) {
  check_url_characters(text);
  if (text.find('#') != std::string_view::npos) {
    throw UrlError("a WebSocket URL has no fragment: write '#' as %23");
  }
  Url url;
  url.secure = take_scheme(text, plain, secure);
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  Authority authority = parse_authority(text.substr(0, end));
  url.user_info = std::move(authority.user_info);
  url.host = std::move(authority.host);
  url.port = authority.port.value_or(url.secure ? secure_port : plain_port);
  const std::string_view target = text.substr(end);
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return url;
}

}  // namespace

std::string Url::authority() const {
  const bool ipv6 = host.find(':') != std::string::npos;
  // A zone means something on this machine only (RFC 6874, section 4).
  std::string result = ipv6 ? "[" + host.substr(0, host.find('%')) + "]" : host;
  if (port != (secure ? secure_port : plain_port)) {
    result += ":" + std::to_string(port);
  }
  return result;
}

Url parse_url(std::string_view text) {
  return parse(text, "ws", "wss");
}

Url parse_http_url(std::string_view text) {
  return parse(text, "http", "https");
}

}  // namespace wskeep::config
