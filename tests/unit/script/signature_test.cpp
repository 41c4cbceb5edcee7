#include "daemon/script/signature.hpp"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>
#include <string>

#include "daemon/script/encoding.hpp"
#include "fixed_scope.hpp"
#include "websocket/base64.hpp"

namespace wskeep::script {
namespace {

// RFC 7515, appendix A.3.
constexpr std::string_view p256_private = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
-----END PRIVATE KEY-----
)";
// The same as `openssl ecparam -genkey` writes it.
constexpr std::string_view p256_sec1 = R"(-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEII6bEJ5xkJi/mASH3x9dd+nLKWBuvtImO19XwhPfhPSyoAoGCCqGSM49
AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b
focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END EC PRIVATE KEY-----
)";
constexpr std::string_view p256_public = R"(-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7
6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END PUBLIC KEY-----
)";
constexpr std::string_view p384_private = R"(-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAZKTBJOdZ2G1UZ5lmg
0qqW+sOGb8PDJsw2qoPhK75dz+t8x7+Sra27INJurUxCQd6hZANiAAQ7A0dhyAUH
EUhFFoJBM0v+goC10AG6n844Y2tI1sCUQfk39Qb74Wh/7kU0WrFGT/jrCuxkX1Tz
IocS/IkZkwr9USOo8KovzpoSOU4iM8chu8TsuoD7dUfnQV7FQyLqcIc=
-----END PRIVATE KEY-----
)";
// RFC 8037, appendix A.1.
constexpr std::string_view ed25519_private = R"(-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
)";
constexpr std::string_view ed25519_public = R"(-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
)";
constexpr std::string_view with_password = R"(-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiOlqPu37i2YQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEJhkyWV1OLmQjmgMPnsu2iIEQB63
JzuUEkwJqrb3MSbVahbCldgP1QbQuev8Y60oj2xM4lCeOOQZdHqJRRDcEU3w9Nyr
BnJNusQr8pkHDH9XhEE=
-----END ENCRYPTED PRIVATE KEY-----
)";

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// Whether the token's signature is its key's. `der` is what OpenSSL takes for a signature.
bool verify(std::string_view pem, std::string_view token, const EVP_MD* hash,
            const std::string& der) {
  const std::unique_ptr<BIO, Freed<BIO_free_all>> memory(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(
      PEM_read_bio_PUBKEY(memory.get(), nullptr, nullptr, nullptr));
  const std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>> context(EVP_MD_CTX_new());
  const std::string_view input = token.substr(0, token.rfind('.'));
  return key != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes(der), der.size(), bytes(input), input.size()) == 1;
}

std::string signature_part(const std::string& token) {
  return from_base64(token.substr(token.rfind('.') + 1)).value();
}

std::string header_part(const std::string& token) {
  return from_base64(token.substr(0, token.find('.'))).value();
}

bool verify_es256(const std::string& token) {
  const std::string both = signature_part(token);
  if (both.size() != 64) {
    return false;
  }
  const std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(bytes(both), 32, nullptr),
                 BN_bin2bn(bytes(both) + 32, 32, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  const std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return verify(p256_public, token, EVP_sha256(), text);
}

std::string token(JwtAlgorithm algorithm, std::string_view key, std::string_view claims,
                  std::string_view header = "") {
  const auto result = jwt(algorithm, key, claims, header);
  if (const auto* const error = std::get_if<JwtError>(&result)) {
    return "error: " + std::string(error->text);
  }
  return std::get<std::string>(result);
}

// RFC 4231, test cases 1, 2 and 6.
TEST(Hmac, GivesWhatRfc4231Says) {
  const std::string key(20, '\x0b');
  EXPECT_EQ(to_hex(hmac(Hash::sha256, key, "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac(Hash::sha512, key, "Hi There")),
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
  const std::string_view question = "what do ya want for nothing?";
  EXPECT_EQ(to_hex(hmac(Hash::sha256, "Jefe", question)),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac(Hash::sha512, "Jefe", question)),
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737");
  EXPECT_EQ(to_hex(hmac(Hash::sha256, std::string(131, '\xaa'),
                        "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

// RFC 7515, appendix A.1.
TEST(Hmac, SignsTheTokenOfRfc7515) {
  FixedScope scope;
  scope.variables = {
      {"key",
       "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"},
      {"input",
       "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogI"
       "mh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"}};
  EXPECT_EQ(value_of("${hmac_sha256(base64_decode(key), input, 'base64url')}", scope),
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

TEST(Hmac, IsEncodedAsAsked) {
  FixedScope scope;
  scope.variables = {{"q", "what do ya want for nothing?"}};
  EXPECT_EQ(value_of("${hmac_sha256('Jefe', q)}", scope),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(value_of("${hmac_sha256('Jefe', q, 'hex')}", scope),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(value_of("${hmac_sha256('Jefe', q, 'base64')}", scope),
            "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
  EXPECT_EQ(value_of("${hex(hmac_sha256('Jefe', q, 'raw'))}", scope),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(value_of("${hmac_sha512('Jefe', q)}", scope).size(), 128U);
  EXPECT_EQ(value_of("${hmac_sha256('', q)}", scope),
            "error: hmac_sha256() was given an empty key");
}

TEST(Digest, IsSha256) {
  FixedScope scope;
  EXPECT_EQ(value_of("${sha256('abc')}", scope),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(value_of("${sha256('abc', 'base64')}", scope),
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
}

TEST(Jwt, IsTheWellKnownOneWithHs256) {
  EXPECT_EQ(token(JwtAlgorithm::hs256, "your-256-bit-secret",
                  R"({"sub":"1234567890","name":"John Doe","iat":1516239022})"),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
            "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
            "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c");
}

TEST(Jwt, IsVerifiedWithEs256) {
  for (const std::string_view key : {p256_private, p256_sec1}) {
    for (int round = 0; round < 50; ++round) {
      const std::string signed_token = token(JwtAlgorithm::es256, key, R"({"iss":"joe"})");
      ASSERT_TRUE(verify_es256(signed_token)) << signed_token;
      std::string changed = signed_token;
      changed[30] = changed[30] == 'A' ? 'B' : 'A';
      ASSERT_FALSE(verify_es256(changed));
    }
  }
  EXPECT_EQ(header_part(token(JwtAlgorithm::es256, p256_private, "{}")),
            R"({"alg":"ES256","typ":"JWT"})");
}

TEST(Jwt, IsVerifiedWithEdDsa) {
  const std::string signed_token = token(JwtAlgorithm::eddsa, ed25519_private, R"({"iss":"joe"})");
  EXPECT_TRUE(verify(ed25519_public, signed_token, nullptr, signature_part(signed_token)));
  EXPECT_TRUE(signed_token.ends_with(
      ".fcdHVC5W_LJ0GkmIfK-vJiJu3LRSZXOB4zLNsc8H4tYqW-IGu_Szs2DHPTFMxvFNwUmgFuDAOPTrQgmxB6T3DQ"));
}

TEST(Jwt, TakesMoreMembersForItsHeader) {
  EXPECT_EQ(header_part(token(JwtAlgorithm::hs256, "k", "{}", R"( { "kid" : "a}b" } )")),
            R"({"alg":"HS256","typ":"JWT","kid" : "a}b" })");
  EXPECT_EQ(header_part(token(JwtAlgorithm::hs256, "k", "{}", "{ }")),
            R"({"alg":"HS256","typ":"JWT"})");
}

TEST(Jwt, IsCalledWithKeysFromElsewhere) {
  FixedScope scope;
  scope.variables = {{"pem", std::string(ed25519_private)}, {"claims", R"({"iss":"joe"})"}};
  EXPECT_EQ(value_of("${jwt_eddsa(pem, claims)}", scope),
            token(JwtAlgorithm::eddsa, ed25519_private, R"({"iss":"joe"})"));
  scope.variables["pem"] = p256_private;
  EXPECT_TRUE(verify_es256(value_of("${jwt_es256(pem, claims)}", scope)));
  EXPECT_EQ(
      value_of("${jwt_eddsa(pem, claims)}", scope),
      "error: jwt_eddsa() needs a private key of the kind Ed25519 in PEM, without a password");
  EXPECT_EQ(value_of("${jwt_hs256('', claims)}", scope),
            "error: jwt_hs256() was given an empty key");
}

TEST(Jwt, SaysWhatIsWrong) {
  const std::string p256 =
      "error: needs a private key of the curve P-256 in PEM, without a password";
  const std::string ed25519 =
      "error: needs a private key of the kind Ed25519 in PEM, without a password";
  EXPECT_EQ(token(JwtAlgorithm::es256, "no key", "{}"), p256);
  EXPECT_EQ(token(JwtAlgorithm::es256, p384_private, "{}"), p256);
  EXPECT_EQ(token(JwtAlgorithm::es256, ed25519_private, "{}"), p256);
  EXPECT_EQ(token(JwtAlgorithm::es256, p256_public, "{}"), p256);
  EXPECT_EQ(token(JwtAlgorithm::eddsa, p256_private, "{}"), ed25519);
  // And no question on the terminal.
  EXPECT_EQ(token(JwtAlgorithm::eddsa, with_password, "{}"), ed25519);
  for (const std::string_view claims : {"", "[]", "1", "{", "{}x", "{\"a\":\"\xff\"}"}) {
    EXPECT_EQ(token(JwtAlgorithm::hs256, "k", claims),
              "error: needs claims that are a JSON object");
  }
  EXPECT_EQ(token(JwtAlgorithm::hs256, "k", "{}", "[]"),
            "error: needs a header that is a JSON object");
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Wipe, LeavesNothing) {
  std::string secret = "hunter2 and some more of it, so that it is on the heap";
  const char* const at = secret.data();
  const std::size_t size = secret.size();
  wipe(secret);
  EXPECT_TRUE(secret.empty());
  // Its memory is still its own.
  ASSERT_EQ(secret.data(), at);
  EXPECT_EQ(std::string_view(at + 1, size - 1), std::string(size - 1, '\0'));
}

TEST(Base64, IsThatOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> cases{{"", ""},
                                                               {"f", "Zg=="},
                                                               {"fo", "Zm8="},
                                                               {"foo", "Zm9v"},
                                                               {"foob", "Zm9vYg=="},
                                                               {"fooba", "Zm9vYmE="},
                                                               {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, coded] : cases) {
    EXPECT_EQ(websocket::to_base64(plain), coded);
    EXPECT_EQ(from_base64(coded), plain);
    const std::string bare = coded.substr(0, coded.find('='));
    EXPECT_EQ(websocket::to_base64url(plain), bare);
    EXPECT_EQ(from_base64(bare), plain);
  }
  EXPECT_EQ(from_base64("-_+/"), from_base64("+/-_"));
  for (const std::string wrong :
       {"A", "AAAAA", "Zg=", "Zg===", "Zg==Zg==", "Z g", "Zg\n", "=", "===="}) {
    EXPECT_FALSE(from_base64(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace wskeep::script
