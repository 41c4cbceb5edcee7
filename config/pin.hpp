#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace wskeep::config {

/// Says in `what()` what is wrong with a pin, so that it can follow the value in quotes.
class PinError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Takes SHA-256 of a public key as others write it: in base64 with or without its padding, and
/// with or without `sha256/` (HPKP, Chromium) or `sha256//` (curl) before it; or as 64 hexadecimal
/// digits, with or without colons between the bytes (OpenSSL). Answers plain base64 with padding.
/// Throws PinError.
[[nodiscard]] std::string parse_pin(std::string_view text);

}  // namespace wskeep::config
