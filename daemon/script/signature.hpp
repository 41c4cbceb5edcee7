#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// Hashes and signatures, by OpenSSL. All results are bytes.
namespace wskeep::script {

enum class Hash : std::uint8_t { sha256, sha512 };

[[nodiscard]] std::string digest(Hash hash, std::string_view text);

[[nodiscard]] std::string hmac(Hash hash, std::string_view key, std::string_view text);

/// RFC 7518, section 3, and RFC 8037.
enum class JwtAlgorithm : std::uint8_t { hs256, es256, eddsa };

struct JwtError {
  std::string_view text;  ///< to follow the function's name
};

/// A JSON Web Token (RFC 7519) in its compact form. `key` is the secret itself, or a private key in
/// PEM without a password. `claims` is a JSON object; `header` is another whose members are added
/// to the token's header, or empty.
[[nodiscard]] std::variant<std::string, JwtError> jwt(JwtAlgorithm algorithm, std::string_view key,
                                                      std::string_view claims,
                                                      std::string_view header);

/// Overwrites what `secret` holds, and leaves it empty.
void wipe(std::string& secret);

}  // namespace wskeep::script
