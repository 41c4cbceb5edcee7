#include "daemon/script/signature.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <array>
#include <memory>
#include <new>

#include "config/json.hpp"
#include "daemon/script/encoding.hpp"
#include "websocket/base64.hpp"

namespace wskeep::script {
namespace {

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* pointer) const noexcept {
    Free(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

constexpr int p256_bytes = 32;

const EVP_MD* method(Hash hash) {
  return hash == Hash::sha256 ? EVP_sha256() : EVP_sha512();
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string as_text(const unsigned char* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Without it OpenSSL asks for a password on the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

Key read_key(std::string_view pem) {
  const Bio memory(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Key(memory == nullptr
                 ? nullptr
                 : PEM_read_bio_PrivateKey(memory.get(), nullptr, no_password, nullptr));
}

bool is_p256(EVP_PKEY* key) {
  std::array<char, 32> group{};
  std::size_t size = 0;
  return EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1 &&
         std::string_view(group.data(), size) == "prime256v1";
}

/// Empty where it cannot be done.
std::string sign(EVP_PKEY* key, const EVP_MD* hash, std::string_view text) {
  const DigestContext context(EVP_MD_CTX_new());
  std::array<unsigned char, 128> signature{};
  std::size_t size = signature.size();
  if (context == nullptr || EVP_DigestSignInit(context.get(), nullptr, hash, nullptr, key) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, bytes(text), text.size()) != 1) {
    return {};
  }
  return as_text(signature.data(), size);
}

/// From OpenSSL's DER to the two numbers side by side (RFC 7518, section 3.4).
std::string side_by_side(std::string_view der) {
  const unsigned char* at = bytes(der);
  const EcdsaSignature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  std::array<unsigned char, 2 * p256_bytes> both{};
  if (signature == nullptr ||
      BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), both.data(), p256_bytes) != p256_bytes ||
      BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), both.data() + p256_bytes, p256_bytes) !=
          p256_bytes) {
    return {};
  }
  return as_text(both.data(), both.size());
}

std::variant<std::string, JwtError> signature_of(JwtAlgorithm algorithm, std::string_view key,
                                                 std::string_view text) {
  if (algorithm == JwtAlgorithm::hs256) {
    return hmac(Hash::sha256, key, text);
  }
  const Key private_key = read_key(key);
  std::string signature;
  if (algorithm == JwtAlgorithm::es256) {
    if (private_key == nullptr || !is_p256(private_key.get())) {
      return JwtError{"needs a private key of the curve P-256 in PEM, without a password"};
    }
    signature = side_by_side(sign(private_key.get(), EVP_sha256(), text));
  } else {
    if (private_key == nullptr || EVP_PKEY_is_a(private_key.get(), "ED25519") != 1) {
      return JwtError{"needs a private key of the kind Ed25519 in PEM, without a password"};
    }
    signature = sign(private_key.get(), nullptr, text);
  }
  if (signature.empty()) {
    return JwtError{"cannot sign with this key"};
  }
  return signature;
}

bool is_json_object(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{' && config::is_json(text) &&
         is_utf8(text);
}

/// The members of a JSON object: what stands between its braces.
std::string_view members(std::string_view object) {
  const std::size_t first = object.find_first_not_of(" \t\r\n", object.find('{') + 1);
  const std::size_t last = object.rfind('}');
  return object.substr(first, last - first);
}

std::string full_header(JwtAlgorithm algorithm, std::string_view added) {
  std::string header = R"({"alg":")";
  header += algorithm == JwtAlgorithm::hs256   ? "HS256"
            : algorithm == JwtAlgorithm::es256 ? "ES256"
                                               : "EdDSA";
  header += R"(","typ":"JWT")";
  if (!added.empty() && !members(added).empty()) {
    header += ',';
    header += members(added);
  }
  return header + '}';
}

}  // namespace

std::string digest(Hash hash, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> result{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), result.data(), &size, method(hash), nullptr) != 1) {
    throw std::bad_alloc();
  }
  return as_text(result.data(), size);
}

std::string hmac(Hash hash, std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> result{};
  unsigned size = 0;
  // For OpenSSL a key at nullptr is the one of the call before.
  const char* const start = key.empty() ? "" : key.data();
  if (HMAC(method(hash), start, static_cast<int>(key.size()), bytes(text), text.size(),
           result.data(), &size) == nullptr) {
    throw std::bad_alloc();
  }
  return as_text(result.data(), size);
}

std::variant<std::string, JwtError> jwt(JwtAlgorithm algorithm, std::string_view key,
                                        std::string_view claims, std::string_view header) {
  if (!is_json_object(claims)) {
    return JwtError{"needs claims that are a JSON object"};
  }
  if (!header.empty() && !is_json_object(header)) {
    return JwtError{"needs a header that is a JSON object"};
  }
  std::string token = websocket::to_base64url(full_header(algorithm, header)) + '.' +
                      websocket::to_base64url(claims);
  const auto signature = signature_of(algorithm, key, token);
  ERR_clear_error();
  if (const auto* const error = std::get_if<JwtError>(&signature)) {
    return *error;
  }
  return token + '.' + websocket::to_base64url(std::get<std::string>(signature));
}

void wipe(std::string& secret) {
  OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace wskeep::script
