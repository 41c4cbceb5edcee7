#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What URLs of all schemes have in common (RFC 3986, section 3.2). Errors are UrlError.
namespace wskeep::config {

struct Authority {
  std::string user_info;  ///< "user:password" or "user", percent-decoded; empty: none
  std::string host;       ///< a name in lower case or an address; IPv6 without its brackets
  std::optional<std::uint16_t> port;
};

/// Refuses what has to be percent-encoded in any URL.
void check_url_characters(std::string_view text);

/// Takes what stands between "//" and the path.
[[nodiscard]] Authority parse_authority(std::string_view text);

/// HOST:PORT, with an IPv6 address in brackets.
[[nodiscard]] std::string host_and_port(std::string_view host, std::uint16_t port);

/// A host name or an IPv4 address, in lower case.
[[nodiscard]] std::string parse_host_name(std::string_view text);

/// From 1 to 65535.
[[nodiscard]] std::uint16_t parse_port(std::string_view text);

/// An IPv4 address, or an IPv6 address without brackets, with or without a zone; in lower case.
[[nodiscard]] std::string parse_ip_address(std::string_view text);

/// Whether it is an IPv4 address.
[[nodiscard]] bool is_ipv4_address(std::string_view text);

}  // namespace wskeep::config
