#include "config/secret_warnings.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "config/load.hpp"
#include "temporary_folder.hpp"

namespace wskeep::config {
namespace {

using Sentences = std::vector<std::string>;

class SecretWarnings : public testing::Test {
 protected:
  void SetUp() override { ::chmod(folder_.path("").c_str(), 0755); }

  /// A file of that mode; nothing of it is secret.
  std::string file(const std::string& name, mode_t mode) {
    std::string path = folder_.file(name, "0123\n");
    ::chmod(path.c_str(), mode);
    return path;
  }

  Sentences warnings_of(const std::string& settings, mode_t mode,
                        const std::string& url = "wss://h/") {
    main_ = folder_.file("wskeep.yaml",
                         "connections:\n  a:\n    url: " + url + "\n    " + settings + "\n");
    ::chmod(main_.c_str(), mode);
    Places places;
    const Config config = load_file(main_, &places);
    Sentences sentences;
    for (const Warning& warning : secret_warnings(config, places))
      sentences.push_back(warning.text());
    return sentences;
  }

  Sentences open(const std::string& key) const {
    return {"connections.a." + key +
            ": is a secret in a file that every user of this machine can read: chmod o-r " + main_ +
            ", or keep it in a file of its own and name it as ${file:PATH}"};
  }

  TemporaryFolder folder_;
  std::string main_ = folder_.path("wskeep.yaml");
};

TEST_F(SecretWarnings, OfWhatEverybodyCanReadInTheConfiguration) {
  EXPECT_EQ(warnings_of("authorization: {bearer: abc}", 0644), open("authorization.bearer"));
  EXPECT_EQ(warnings_of("authorization: {bearer: abc}", 0640), Sentences{});
  EXPECT_EQ(warnings_of("authorization: {basic: 'u:p'}", 0604), open("authorization.basic"));
  EXPECT_EQ(warnings_of("headers: {X-Api-Key: abc}", 0644), open("headers.X-Api-Key"));
  EXPECT_EQ(warnings_of("headers: {X-Client: desk}", 0644), Sentences{});
  EXPECT_EQ(warnings_of("proxy: http://u:p@proxy:1", 0644), open("proxy"));
  EXPECT_EQ(warnings_of("gap: skip", 0644, "wss://u:p@h/"), open("url"));
  EXPECT_EQ(warnings_of("gap: skip", 0644, "wss://h/a@b"), Sentences{});
}

TEST_F(SecretWarnings, NobodyCanReadThroughAFolderThatIsClosed) {
  ::chmod(folder_.path("").c_str(), 0750);
  EXPECT_EQ(warnings_of("authorization: {bearer: abc}", 0644), Sentences{});
}

TEST_F(SecretWarnings, OfFilesThatHoldThem) {
  const std::string token = file("token", 0644);
  const Sentences told{"connections.a.authorization.bearer: " + token +
                       " can be read by every user of this machine: chmod o-r " + token};
  EXPECT_EQ(warnings_of("authorization: {bearer: '${file:" + token + "}'}", 0644), told);
  ::chmod(token.c_str(), 0640);
  EXPECT_EQ(warnings_of("authorization: {bearer: '${file:" + token + "}'}", 0644), Sentences{});
  const std::string certificate = file("certificate.pem", 0644);
  const std::string key = file("key.pem", 0644);
  EXPECT_EQ(warnings_of("tls: {certificate: " + certificate + ", key: " + key + "}", 0600),
            Sentences{"connections.a.tls.key: " + key +
                      " can be read by every user of this machine: chmod o-r " + key});
}

TEST_F(SecretWarnings, OfCredentialsThatGoInTheClear) {
  const Sentences told{
      "connections.a.url: sends credentials over the network without encryption: use wss://"};
  EXPECT_EQ(warnings_of("authorization: {bearer: abc}", 0600, "ws://feed.example/"), told);
  EXPECT_EQ(warnings_of("headers: {Cookie: abc}", 0600, "ws://feed.example/"), told);
  EXPECT_EQ(warnings_of("gap: skip", 0600, "ws://u:p@feed.example/"), told);
  EXPECT_EQ(warnings_of("gap: skip", 0600, "ws://feed.example/"), Sentences{});
  for (const std::string here : {"ws://127.0.0.1/", "ws://localhost/", "ws://[::1]:5/"})
    EXPECT_EQ(warnings_of("authorization: {bearer: abc}", 0600, here), Sentences{}) << here;
}

/// What is under `defaults` stands at one place, however many connections have it.
TEST_F(SecretWarnings, OfWhatIsInheritedOnce) {
  main_ = folder_.file("wskeep.yaml",
                       "defaults: {authorization: {bearer: abc}}\n"
                       "connections: {a: {url: wss://h/}, b: {url: wss://h/}}\n");
  ::chmod(main_.c_str(), 0644);
  Places places;
  const Config config = load_file(main_, &places);
  const auto found = warnings(config, places);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(find_place(places, found.front().connection, found.front().path)->line, 1U);
}

}  // namespace
}  // namespace wskeep::config
