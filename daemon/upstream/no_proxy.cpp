#include "daemon/upstream/no_proxy.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "websocket/header_text.hpp"

namespace wskeep::upstream {

namespace {

using Address = boost::asio::ip::address;

std::optional<Address> parse_address(std::string_view text) {
  boost::system::error_code not_an_address;
  // A zone belongs to this machine; what is listed rarely has one.
  const Address address =
      boost::asio::ip::make_address(std::string(text.substr(0, text.find('%'))), not_an_address);
  if (not_an_address) return std::nullopt;
  return address;
}

std::optional<unsigned> parse_number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<unsigned char> bytes_of(const Address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    return {bytes.begin(), bytes.end()};
  }
  const auto bytes = address.to_v6().to_bytes();
  return {bytes.begin(), bytes.end()};
}

/// Whether both begin with the same `bits`.
bool in_network(const Address& address, const Address& network, unsigned bits) {
  const auto left = bytes_of(address);
  const auto right = bytes_of(network);
  if (left.size() != right.size() || bits > left.size() * 8) return false;
  const std::size_t whole = bits / 8;
  if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(whole), right.begin()))
    return false;
  const unsigned rest = bits % 8;
  return rest == 0 || (left[whole] ^ right[whole]) >> (8 - rest) == 0;
}

/// One element, taken apart.
struct Element {
  std::string_view host;
  std::string_view port;  ///< empty: any
};

Element take_apart(std::string_view text) {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return {};
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with(':')) return {};
    return {text.substr(1, end - 1), rest.empty() ? rest : rest.substr(1)};
  }
  const std::size_t colon = text.find(':');
  // More than one: an IPv6 address, which without brackets has no port.
  if (colon == std::string_view::npos || colon != text.rfind(':')) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

bool is_under(std::string_view host, std::string_view domain) {
  if (domain.starts_with('*')) domain.remove_prefix(1);
  if (domain.starts_with('.')) domain.remove_prefix(1);
  if (domain.ends_with('.')) domain.remove_suffix(1);
  if (host.ends_with('.')) host.remove_suffix(1);
  if (domain.empty() || host.size() < domain.size()) return false;
  const std::size_t front = host.size() - domain.size();
  return websocket::equal_ignoring_case(host.substr(front), domain) &&
         (front == 0 || host[front - 1] == '.');
}

bool names(std::string_view text, std::string_view host, const std::optional<Address>& address,
           std::uint16_t port) {
  if (text == "*") return true;
  if (const std::size_t slash = text.find('/'); slash != std::string_view::npos) {
    const auto network = parse_address(text.substr(0, slash));
    const auto bits = parse_number(text.substr(slash + 1));
    return address && network && bits && in_network(*address, *network, *bits);
  }
  const Element element = take_apart(text);
  if (!element.port.empty() && parse_number(element.port) != port) return false;
  if (const auto listed = parse_address(element.host)) return address && *address == *listed;
  return !address && is_under(host, element.host);
}

}  // namespace

bool no_proxy_names(std::string_view list, std::string_view host, std::uint16_t port) {
  const std::optional<Address> address = parse_address(host);
  constexpr std::string_view separators = ", \t";
  std::size_t begin = list.find_first_not_of(separators);
  while (begin != std::string_view::npos) {
    const std::size_t end = std::min(list.find_first_of(separators, begin), list.size());
    if (names(list.substr(begin, end - begin), host, address, port)) return true;
    begin = list.find_first_not_of(separators, end);
  }
  return false;
}

}  // namespace wskeep::upstream
