#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace wskeep::config {

/// A `ws://` or `wss://` URL (RFC 6455, section 3), taken apart.
struct Url {
  bool secure = false;
  std::string host;        ///< a name or an address; an IPv6 literal without its brackets
  std::uint16_t port = 0;  ///< 80 or 443 where the URL names none
  std::string target;      ///< path and query, at least "/"
  std::string user_info;   ///< "user:password" as it stands, percent-decoded; empty: none

  /// The value of the Host header: brackets round IPv6, no port where it is the scheme's own.
  [[nodiscard]] std::string authority() const;
};

/// Says in `what()` what is wrong with a URL and what is allowed, without repeating a password.
class UrlError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws UrlError: other schemes, a fragment, no host, a bad port, spaces or control characters.
[[nodiscard]] Url parse_url(std::string_view text);

/// The same for `http://` and `https://`, which stand for ws and wss.
[[nodiscard]] Url parse_http_url(std::string_view text);

}  // namespace wskeep::config
