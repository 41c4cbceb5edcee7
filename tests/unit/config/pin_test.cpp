#include "config/pin.hpp"

#include <gtest/gtest.h>

#include <string>

namespace wskeep::config {
namespace {

// SHA-256 of nothing.
const std::string base64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const std::string hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

std::string error_of(const std::string& text) {
  try {
    return parse_pin(text);
  } catch (const PinError& error) {
    return error.what();
  }
}

std::string with_colons(const std::string& digits) {
  std::string result;
  for (std::size_t at = 0; at < digits.size(); at += 2) {
    result += (at == 0 ? "" : ":") + digits.substr(at, 2);
  }
  return result;
}

TEST(Pin, IsPlainBase64HoweverItIsWritten) {
  const std::string unpadded = base64.substr(0, 43);
  for (const std::string prefix : {"", "sha256/", "sha256//"}) {
    EXPECT_EQ(error_of(prefix + base64), base64);
    EXPECT_EQ(error_of(prefix + unpadded), base64);
  }
  EXPECT_EQ(error_of(hex), base64);
  EXPECT_EQ(error_of("E3B0C442" + hex.substr(8)), base64);
  EXPECT_EQ(error_of(with_colons(hex)), base64);
}

TEST(Pin, AHashCanBeginWithASlash) {
  const std::string slash = "/" + base64.substr(1);
  const std::string slashes = "//" + base64.substr(2);
  for (const std::string& hash : {slash, slashes}) {
    for (const std::string prefix : {"", "sha256/", "sha256//"}) {
      EXPECT_EQ(error_of(prefix + hash), hash) << prefix;
    }
    EXPECT_EQ(error_of("sha256//" + hash.substr(0, 43)), hash);
  }
}

TEST(Pin, RefusesAnythingElse) {
  const std::string complaint =
      "is not the SHA-256 of a public key; allowed: 43 or 44 characters of base64, with or without "
      "sha256/ or sha256// before them, or 64 hexadecimal digits";
  std::string loose_bits = base64;
  loose_bits[42] = 'V';
  std::string odd_colon = with_colons(hex);
  odd_colon[5] = '-';
  for (const std::string& text :
       {std::string(), std::string("="), std::string("sha256/"), base64 + "=", base64.substr(0, 42),
        "x" + base64, "sha1/" + base64, "sha256///" + base64, hex + "0", hex.substr(0, 63),
        "g" + hex.substr(1), with_colons(hex) + ":", loose_bits, odd_colon, "-" + base64.substr(1),
        " " + base64.substr(1), "sha256/" + hex, base64.substr(0, 20) + "=" + base64.substr(21)}) {
    EXPECT_EQ(error_of(text), complaint) << text;
  }
}

}  // namespace
}  // namespace wskeep::config
