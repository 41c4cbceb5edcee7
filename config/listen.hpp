#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace wskeep::config {

/// The two parts of `ADDRESS:PORT`.
struct Listen {
  std::string address;  ///< IPv4, or IPv6 without its brackets
  std::uint16_t port = 0;
};

/// Says in `what()` what is wrong with an ADDRESS:PORT, so that it can follow the value in quotes.
class ListenError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Takes `127.0.0.1:9464` and `[::1]:9464`. Throws ListenError.
[[nodiscard]] Listen parse_listen(std::string_view text);

}  // namespace wskeep::config
