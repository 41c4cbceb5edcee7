#include "config/text.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "temporary_folder.hpp"

namespace wskeep::config {
namespace {

std::string resolved(const std::string& source) {
  return Text(source).resolve();
}

std::string error_of(const std::string& source) {
  try {
    static_cast<void>(resolved(source));
    return "";
  } catch (const TextError& error) {
    return error.what();
  }
}

TEST(Text, IsItselfWithoutPlaceholders) {
  const Text text("a $1 {b} }");
  EXPECT_EQ(text.resolve(), "a $1 {b} }");
  EXPECT_EQ(text.source(), "a $1 {b} }");
  EXPECT_FALSE(text.has_placeholder());
  EXPECT_EQ(Text().resolve(), "");
}

TEST(Text, TwoDollarSignsAreOne) {
  EXPECT_EQ(resolved("$$"), "$");
  EXPECT_EQ(resolved("$${env:X}"), "${env:X}");
  EXPECT_EQ(resolved("$$$$"), "$$");
  EXPECT_EQ(resolved("a$"), "a$");
  EXPECT_FALSE(Text("$${env:X}").has_placeholder());
}

TEST(Text, ReadsTheEnvironmentEachTime) {
  ::setenv("WSKEEP_TEXT_TEST", "one", 1);
  const Text text("<${env:WSKEEP_TEXT_TEST}>");
  EXPECT_TRUE(text.has_placeholder());
  EXPECT_EQ(text.resolve(), "<one>");
  ::setenv("WSKEEP_TEXT_TEST", "", 1);
  EXPECT_EQ(text.resolve(), "<>");
  EXPECT_EQ(text.source(), "<${env:WSKEEP_TEXT_TEST}>");
  ::unsetenv("WSKEEP_TEXT_TEST");
  EXPECT_EQ(error_of("${env:WSKEEP_TEXT_TEST}"),
            "environment variable 'WSKEEP_TEXT_TEST' is not set");
}

TEST(Text, DoesNotReadPlaceholdersInAValue) {
  ::setenv("WSKEEP_TEXT_TEST", "${env:HOME}$$", 1);
  EXPECT_EQ(resolved("${env:WSKEEP_TEXT_TEST}"), "${env:HOME}$$");
  ::unsetenv("WSKEEP_TEXT_TEST");
}

TEST(Text, ReadsAFileEachTimeWithoutItsLastLineEnd) {
  const TemporaryFolder folder;
  const std::string path = folder.file("token", "one\n");
  const Text text("a${file:" + path + "}b");
  EXPECT_EQ(text.resolve(), "aoneb");
  static_cast<void>(folder.file("token", "two\r\n"));
  EXPECT_EQ(text.resolve(), "atwob");
  static_cast<void>(folder.file("token", "three\n\n"));
  EXPECT_EQ(text.resolve(), "athree\nb");
  static_cast<void>(folder.file("token", ""));
  EXPECT_EQ(text.resolve(), "ab");
}

TEST(Text, ReadsACredentialOfTheService) {
  const TemporaryFolder folder;
  ::setenv("CREDENTIALS_DIRECTORY", folder.path("").c_str(), 1);
  static_cast<void>(folder.file("token", "one\n"));
  const Text text("a${credential:token}b");
  EXPECT_EQ(text.resolve(), "aoneb");
  EXPECT_TRUE(text.has_placeholder());
  const std::string none = error_of("${credential:none}");
  EXPECT_TRUE(none.starts_with("credential 'none': file '")) << none;
  EXPECT_TRUE(
      none.ends_with("/none': No such file or directory; systemd gives it to the service "
                     "that has LoadCredential=none:PATH"))
      << none;
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_TRUE(
      error_of("${credential:none}")
          .starts_with("credential 'none': file '/run/credentials/wskeepd.service/none': "));
}

TEST(Text, ReadsAFileOf64KibibytesAndNoMore) {
  const TemporaryFolder folder;
  const std::string path = folder.file("large", std::string(65536, 'x'));
  EXPECT_EQ(resolved("${file:" + path + "}").size(), 65536U);
  static_cast<void>(folder.file("large", std::string(65537, 'x')));
  EXPECT_EQ(error_of("${file:" + path + "}"), "file '" + path + "': is larger than 64KiB");
}

TEST(Text, RefusesWhatIsNotARegularFile) {
  const TemporaryFolder folder;
  const std::string pipe = folder.path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  // Without the check this waits for a writer for ever.
  EXPECT_EQ(error_of("${file:" + pipe + "}"), "file '" + pipe + "': is not a regular file");
  EXPECT_EQ(error_of("${file:/dev/zero}"), "file '/dev/zero': is not a regular file");
  EXPECT_EQ(error_of("${file:/}"), "file '/': is a directory");
  const std::string none = folder.path("none");
  EXPECT_EQ(error_of("${file:" + none + "}"), "file '" + none + "': No such file or directory");
}

TEST(Text, SaysWhatIsWrongWithAPlaceholder) {
  const std::string kind =
      "unknown kind of place-holder; allowed: ${env:NAME}, ${file:PATH}, ${credential:NAME}, and "
      "$$ for a dollar sign";
  const std::string name = "a place-holder ${env:NAME} needs a NAME of letters, digits and _";
  const std::string path = "a place-holder ${file:PATH} needs a PATH without control characters";
  const std::string credential =
      "a place-holder ${credential:NAME} needs the NAME of a file, without '/'";
  const std::vector<std::pair<std::string, std::string>> cases{
      {"${", "a place-holder '${' is not closed; '$$' stands for a dollar sign"},
      {"hunter2${env:HOME", "a place-holder '${' is not closed; '$$' stands for a dollar sign"},
      {"${}", kind},
      {"${HOME}", kind},
      {"${ENV:HOME}", kind},
      {"${hunter2}", kind},
      {"${env:}", name},
      {"${env:1X}", name},
      {"${env:A B}", name},
      {"${file:}", path},
      {"${file:a\nb}", path},
      {std::string("${file:/\0}", 10), path},
      {"${credential:}", credential},
      {"${credential:../a}", credential},
      {"${credential:..}", credential},
      {"${credential:a\nb}", credential},
      {"${file:${env:HOME}/a}", "a place-holder cannot hold another, nor a dollar sign"},
  };
  for (const auto& [source, message] : cases) {
    EXPECT_EQ(error_of(source), message) << source;
  }
}

}  // namespace
}  // namespace wskeep::config
