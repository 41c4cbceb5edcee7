#include "config/url.hpp"

#include <algorithm>

#include "config/authority.hpp"
#include "config/characters.hpp"

namespace wskeep::config {
namespace {

constexpr std::uint16_t plain_port = 80;
constexpr std::uint16_t secure_port = 443;

/// Takes the scheme off the front of `text` and says whether it is wss.
bool take_scheme(std::string_view& text) {
  const std::size_t end = text.find("://");
  const std::string scheme = end == std::string_view::npos ? "" : folded(text.substr(0, end));
  if (scheme == "http" || scheme == "https") {
    throw UrlError("a URL begins with ws:// or wss://, not with " + scheme + "://");
  }
  if (scheme != "ws" && scheme != "wss") {
    throw UrlError("a URL begins with ws:// or wss://");
  }
  text.remove_prefix(end + 3);
  return scheme == "wss";
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
  check_url_characters(text);
  if (text.find('#') != std::string_view::npos) {
    throw UrlError("a WebSocket URL has no fragment: write '#' as %23");
  }
  Url url;
  url.secure = take_scheme(text);
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  Authority authority = parse_authority(text.substr(0, end));
  url.user_info = std::move(authority.user_info);
  url.host = std::move(authority.host);
  url.port = authority.port.value_or(url.secure ? secure_port : plain_port);
  const std::string_view target = text.substr(end);
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return url;
}

}  // namespace wskeep::config
