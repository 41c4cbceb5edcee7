#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "config/url.hpp"

namespace wskeep::config {

/// Where a proxy is and how it is spoken to.
struct ProxyUrl {
  enum class Kind : std::uint8_t {
    http,    ///< CONNECT (RFC 9110, section 9.3.6)
    https,   ///< the same, in TLS to the proxy
    socks5,  ///< RFC 1928; names are resolved by the proxy
  };

  Kind kind = Kind::http;
  std::string host;        ///< a name or an address; an IPv6 literal without its brackets
  std::uint16_t port = 0;  ///< 80, 443 or 1080 where the URL names none
  std::string user;        ///< percent-decoded; empty: none
  std::string password;    ///< percent-decoded

  friend bool operator==(const ProxyUrl&, const ProxyUrl&) = default;
};

/// Takes `http://`, `https://`, `socks5://` and `socks5h://`, the last two with one meaning. Throws
/// UrlError, whose text repeats neither user nor password: other schemes, a path other than "/", a
/// query, a fragment, no host, a bad port, spaces or control characters, and for SOCKS a user or
/// password that does not fit (RFC 1929, section 2).
[[nodiscard]] ProxyUrl parse_proxy_url(std::string_view text);

}  // namespace wskeep::config
