#include "config/listen.hpp"

#include <arpa/inet.h>

#include <array>
#include <charconv>

namespace wskeep::config {
namespace {

constexpr const char* shape = "is not an ADDRESS:PORT such as 127.0.0.1:9464 or [::1]:9464";

bool is_address(int family, const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return text.find('\0') == std::string::npos &&
         inet_pton(family, text.c_str(), address.data()) == 1;
}

}  // namespace

Listen parse_listen(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    throw ListenError(shape);
  }
  const std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.starts_with('[') && host.ends_with(']');
  Listen result;
  result.address = bracketed ? host.substr(1, host.size() - 2) : host;
  if (!is_address(bracketed ? AF_INET6 : AF_INET, result.address)) {
    throw ListenError(shape);
  }
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), result.port);
  if (error != std::errc{} || end != digits.data() + digits.size() || result.port == 0) {
    throw ListenError("has a port that is not a number from 1 to 65535");
  }
  return result;
}

}  // namespace wskeep::config
