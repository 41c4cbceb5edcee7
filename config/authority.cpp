#include "config/authority.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "config/characters.hpp"
#include "config/url.hpp"

namespace wskeep::config {
namespace {

constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view digits = "0123456789";

bool is_in(std::string_view set, char c) {
  return set.find(c) != std::string_view::npos;
}

int hex_digit(char c) {
  constexpr std::string_view hex = "0123456789abcdef";
  const std::size_t value = hex.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  return value == std::string_view::npos ? -1 : static_cast<int>(value);
}

std::string percent_decoded(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      result += text[at];
      continue;
    }
    const int high = at + 2 < text.size() ? hex_digit(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? hex_digit(text[at + 2]) : -1;
    const int value = high * 16 + low;
    if (high < 0 || low < 0) {
      throw UrlError("'%' in the user or password is not followed by two hexadecimal digits");
    }
    if (value < 0x20 || value == 0x7f) {
      throw UrlError("the user and password hold no control characters");
    }
    result += static_cast<char>(value);
    at += 2;
  }
  return result;
}

std::string parse_user_info(std::string_view text) {
  if (text.empty()) {
    throw UrlError("nothing stands before '@': USER:PASSWORD@HOST, or HOST alone");
  }
  if (text.find('@') != std::string_view::npos) {
    throw UrlError("write '@' in the user or password as %40");
  }
  const std::string user = percent_decoded(text.substr(0, text.find(':')));
  if (user.find(':') != std::string::npos) {
    throw UrlError("a user name holds no colon");
  }
  return percent_decoded(text);
}

bool is_address(int family, std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return text.find('\0') == std::string_view::npos &&
         inet_pton(family, std::string(text).c_str(), address.data()) == 1;
}

bool is_zone(std::string_view zone) {
  return !zone.empty() && zone.size() < 16 && std::ranges::all_of(zone, [](char c) {
    return is_in(letters, c) || is_in(digits, c) || is_in("._~-", c);
  });
}

/// `text` is what stands between the brackets. A zone follows "%25" (RFC 6874), or "%" alone as
/// most write it.
std::string parse_ipv6(std::string_view text) {
  const std::size_t percent = text.find('%');
  const std::string_view address = text.substr(0, percent);
  if (!is_address(AF_INET6, address)) {
    throw UrlError("what stands in brackets is not an IPv6 address");
  }
  if (percent == std::string_view::npos) {
    return folded(address);
  }
  std::string_view zone = text.substr(percent + 1);
  if (zone.size() > 2 && zone.starts_with("25")) {
    zone.remove_prefix(2);
  }
  if (!is_zone(zone)) {
    throw UrlError("the zone of an IPv6 address is the name of a network interface");
  }
  return folded(address) + "%" + std::string(zone);
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && std::ranges::all_of(label, [](char c) {
    return is_in(letters, c) || is_in(digits, c) || is_in("-_", c);
  });
}

std::string parse_name(std::string_view text) {
  if (text.empty()) {
    throw UrlError("the host is missing");
  }
  const std::string_view name = text.ends_with('.') ? text.substr(0, text.size() - 1) : text;
  std::string_view label;
  for (std::size_t begin = 0; begin <= name.size(); begin += label.size() + 1) {
    label = name.substr(begin, name.find('.', begin) - begin);
    if (!is_label(label) || name.size() > 253) {
      throw UrlError(
          "the host is not a name (labels of 1 to 63 letters, digits, '-' and '_') nor an address "
          "(IPv6 in brackets)");
    }
  }
  // A name cannot end in a number, so this is meant as an address.
  const bool numeric = std::ranges::all_of(label, [](char c) { return is_in(digits, c); });
  if (numeric && !is_address(AF_INET, text)) {
    throw UrlError("the host is not an IPv4 address: four numbers from 0 to 255");
  }
  return folded(text);
}

}  // namespace

std::uint16_t parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0) {
    throw UrlError("the port is a number from 1 to 65535");
  }
  return port;
}

namespace {

void parse_host_and_port(std::string_view text, Authority& authority) {
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) {
      throw UrlError("the bracket of an IPv6 address is not closed");
    }
    authority.host = parse_ipv6(text.substr(1, end - 1));
    port = text.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) {
      throw UrlError("only ':PORT' can follow the bracket of an IPv6 address");
    }
  } else {
    const std::size_t colon = text.find(':');
    if (colon != text.rfind(':')) {
      throw UrlError("an IPv6 address stands in brackets: [::1]:80");
    }
    authority.host = parse_name(text.substr(0, colon));
    port = colon == std::string_view::npos ? "" : text.substr(colon);
  }
  if (!port.empty()) {
    authority.port = parse_port(port.substr(1));
  }
}

}  // namespace

void check_url_characters(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) {
      throw UrlError(
          "a URL is ASCII: write a host name in punycode (xn--...), other characters "
          "percent-encoded");
    }
    if (byte <= 0x20 || byte == 0x7f) {
      throw UrlError("a URL holds no spaces or control characters: percent-encode them");
    }
  }
}

Authority parse_authority(std::string_view text) {
  Authority authority;
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    authority.user_info = parse_user_info(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  parse_host_and_port(text, authority);
  return authority;
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  const bool ipv6 = host.find(':') != std::string_view::npos;
  std::string text;
  text.append(ipv6 ? "[" : "").append(host).append(ipv6 ? "]:" : ":");
  return text + std::to_string(port);
}

std::string parse_host_name(std::string_view text) {
  return parse_name(text);
}

bool is_ipv4_address(std::string_view text) {
  return is_address(AF_INET, text);
}

std::string parse_ip_address(std::string_view text) {
  if (is_ipv4_address(text)) {
    return std::string(text);
  }
  if (!is_address(AF_INET6, text.substr(0, text.find('%')))) {
    throw UrlError("is not an IPv4 or IPv6 address");
  }
  return parse_ipv6(text);
}

}  // namespace wskeep::config
