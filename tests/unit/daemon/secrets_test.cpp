#include "daemon/upstream/secrets.hpp"

#include <gtest/gtest.h>

namespace wskeep::upstream {
namespace {

TEST(Secrets, AreHiddenWhereverTheyAre) {
  Secrets secrets;
  secrets.add("token");
  secrets.add("token-and-more");
  EXPECT_EQ(secrets.hidden("token, my token-and-more."), "***, my ***.");
  EXPECT_EQ(secrets.hidden("nothing"), "nothing");
  EXPECT_EQ(secrets.hidden(""), "");
}

TEST(Secrets, ThatAreCutOffAtTheEndToo) {
  Secrets secrets;
  secrets.add("abcdefgh");
  EXPECT_EQ(secrets.hidden("it is abcdefg"), "it is ***");
  EXPECT_EQ(secrets.hidden("it is abcd"), "it is ***");
  EXPECT_EQ(secrets.hidden("it is abc"), "it is abc");
}

TEST(Secrets, OfTooFewLettersAreNone) {
  Secrets secrets;
  secrets.add("");
  secrets.add("abc");
  EXPECT_EQ(secrets.hidden("abc"), "abc");
}

TEST(Secrets, OfAHeaderAreItsParts) {
  Secrets secrets;
  secrets.add_header("Bearer s3cret");
  secrets.add_header("session=cookie1; other=cookie2");
  EXPECT_EQ(secrets.hidden("Bearer s3cret; s3cret cookie1+cookie2"), "***; *** ***+***");
  EXPECT_EQ(secrets.hidden("Bearer of news"), "Bearer of news");
}

TEST(Secrets, OfAQueryAreItsValuesInBothForms) {
  Secrets secrets;
  secrets.add_query("/path?a=one%20two&b=three&alone");
  EXPECT_EQ(secrets.hidden("one%20two one two three alone /path"), "*** *** *** *** /path");
  secrets.add_query("/without");
  EXPECT_EQ(secrets.hidden("/without"), "/without");
}

TEST(Secrets, AreWiped) {
  std::string secret = "0123456789012345678901234567890123456789";
  const char* data = secret.data();
  wipe(secret);
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(data[10], '\0');
}

}  // namespace
}  // namespace wskeep::upstream
