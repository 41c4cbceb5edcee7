#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "load_cases.hpp"
#include "temporary_folder.hpp"

// TLS, proxies and credentials.
namespace wskeep::config {
namespace {

const std::string pin = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const std::string hex_pin = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

class SecurityKeys : public testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::string file_ = folder_.file("pem", "x");
};

using TlsKeys = SecurityKeys;
using ProxyKeys = SecurityKeys;
using AuthorizationKeys = SecurityKeys;

TEST_F(TlsKeys, AreRead) {
  std::filesystem::create_directory(folder_.path("authorities"));
  const Tls read = settings_of("tls: {ca: " + folder_.path("authorities") + ", pkcs12: " + file_ +
                               ", password: '${file:" + file_ + "}', pin_sha256: [sha256//" + pin +
                               "], ciphers: 'ECDHE+AESGCM:!SHA1:@SECLEVEL=2', ciphersuites: "
                               "TLS_AES_256_GCM_SHA384, crl: " +
                               file_ + ", ignore: [revoked, expired, self_signed]}")
                       .tls;
  EXPECT_EQ(read.ca, folder_.path("authorities"));
  EXPECT_EQ(read.pkcs12, file_);
  EXPECT_EQ(read.password.source(), "${file:" + file_ + "}");
  EXPECT_EQ(read.password.resolve(), "x");
  EXPECT_EQ(read.pin_sha256, std::vector<std::string>{pin});
  EXPECT_EQ(read.ciphers, "ECDHE+AESGCM:!SHA1:@SECLEVEL=2");
  EXPECT_EQ(read.ciphersuites, "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(read.crl, file_);
  EXPECT_TRUE(read.verify);
  EXPECT_EQ(read.ignore,
            (std::vector<CertificateFault>{CertificateFault::expired, CertificateFault::self_signed,
                                           CertificateFault::revoked}));
  EXPECT_FALSE(settings_of("tls: {verify: false}").tls.verify);
}

TEST_F(TlsKeys, NameEachFault) {
  const Tls read = settings_of(
                       "tls: {ignore: [revocation_unknown, revoked, untrusted, issuer_unknown, "
                       "self_signed, name_mismatch, not_yet_valid, expired]}")
                       .tls;
  ASSERT_EQ(read.ignore.size(), 8U);
  EXPECT_EQ(read.ignore.front(), CertificateFault::expired);
  EXPECT_EQ(read.ignore.at(3), CertificateFault::self_signed);
  EXPECT_EQ(read.ignore.back(), CertificateFault::revocation_unknown);
}

TEST_F(TlsKeys, ListsAndFilesCanBeUndone) {
  const Tls read =
      settings_of("tls: {ca: '', crl: '', ignore: [], pin_sha256: [], ciphers: ''}",
                  "defaults: {tls: {ca: " + file_ + ", crl: " + file_ +
                      ", ignore: [expired], pin_sha256: [" + pin + "], ciphers: HIGH}}")
          .tls;
  EXPECT_EQ(read, Tls{});
}

TEST_F(TlsKeys, SayWhatIsWrong) {
  const std::string faults =
      "; allowed: expired, not_yet_valid, name_mismatch, self_signed, issuer_unknown, untrusted, "
      "revoked or revocation_unknown";
  const std::string pins =
      "is not the SHA-256 of a public key; allowed: 43 or 44 characters of base64, with or without "
      "sha256/ or sha256// before them, or 64 hexadecimal digits";
  const std::vector<Case> cases{
      {"{ca: /none}",
       "f:3:15: connections.a.tls.ca: '/none' cannot be read: No such file or "
       "directory"},
      {"{ca: /dev/null}",
       "f:3:15: connections.a.tls.ca: '/dev/null' cannot be read: is not a regular file"},
      {"{pkcs12: /}", "f:3:19: connections.a.tls.pkcs12: '/' cannot be read: is a directory"},
      {"{crl: /none}",
       "f:3:16: connections.a.tls.crl: '/none' cannot be read: No such file or "
       "directory"},
      {"{pin_sha256: [abc]}", "f:3:24: connections.a.tls.pin_sha256[0]: 'abc' " + pins},
      {"{pin_sha256: [" + pin + ", " + hex_pin + "]}",
       "f:3:70: connections.a.tls.pin_sha256[1]: '" + hex_pin + "' is in the list twice"},
      {"{pin_sha256: " + pin + "}",
       "f:3:23: connections.a.tls.pin_sha256: is text; allowed: list "
       "of SHA-256 in base64 or hex"},
      {"{ciphers: 'A;B'}",
       "f:3:20: connections.a.tls.ciphers: 'A;B' is not a list of ciphers; "
       "allowed: letters, digits and any of -_:+!@="},
      {"{ciphersuites: \"A\\nB\"}",
       "f:3:25: connections.a.tls.ciphersuites: 'A\\x0aB' is not a list of ciphers; allowed: "
       "letters, digits and any of -_:+!@="},
      {"{verify: never}",
       "f:3:19: connections.a.tls.verify: 'never' is neither; allowed: true or false"},
      {"{ignore: [expird]}",
       "f:3:20: connections.a.tls.ignore[0]: 'expird' is unknown (did you "
       "mean 'expired'?)" +
           faults},
      {"{ignore: [revoked, revoked]}",
       "f:3:29: connections.a.tls.ignore[1]: 'revoked' is in the list twice"},
      {"{ignore: all}",
       "f:3:19: connections.a.tls.ignore: is text; allowed: list of expired, "
       "not_yet_valid, name_mismatch, self_signed, issuer_unknown, untrusted, "
       "revoked and revocation_unknown"},
      {"{password: \"hunter2\\n\"}",
       "f:3:21: connections.a.tls.password: the password holds a line end or another control "
       "character; allowed: text"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_setting("tls: " + one.yaml), one.error) << one.yaml;
  }
}

TEST_F(TlsKeys, ExcludeAndNeedEachOther) {
  const std::string both = " are both given; allowed: 'pkcs12', or 'certificate' and 'key'";
  const std::string pair = "tls: {certificate: " + file_ + ", key: " + file_ + ", pkcs12: ";
  EXPECT_EQ(error_of_setting(pair + file_ + "}"),
            "f:3:" + std::to_string(5 + pair.size()) +
                ": connections.a.tls.pkcs12: 'tls.pkcs12' and 'tls.certificate'" + both);
  EXPECT_EQ(error_of_setting("tls: {password: x}"),
            "f:3:21: connections.a.tls.password: has no use without 'tls.key' or 'tls.pkcs12'");
  const std::string inherited = "defaults: {tls: {password: x}}\n";
  EXPECT_EQ(error_of(inherited + "connections: {a: {url: wss://h/}}"), "");
}

TEST_F(TlsKeys, VerifyCannotSayTwoThings) {
  const std::string says =
      ": says two things: 'tls.ca' names what to check by, and 'tls.verify: false' that nothing is "
      "checked";
  EXPECT_EQ(error_of_setting("tls: {verify: false, ca: " + file_ + "}"),
            "f:3:30: connections.a.tls.ca" + says);
  EXPECT_EQ(error_of("defaults: {tls: {verify: false}}\n"
                     "connections: {a: {url: wss://h/, tls: {ca: " +
                     file_ + "}}}"),
            "f:2:44: connections.a.tls.ca" + says);
  EXPECT_EQ(error_of("defaults: {tls: {verify: false, crl: " + file_ +
                     "}}\nconnections: {a: {url: wss://h/}}"),
            "f:1:38: defaults.tls.crl: says two things: 'tls.crl' names what to check by, and "
            "'tls.verify: false' that nothing is checked");
  EXPECT_EQ(error_of("defaults: {tls: {ca: " + file_ +
                     "}}\nconnections: {a: {url: wss://h/, tls: {verify: false}}}"),
            "");
}

TEST_F(ProxyKeys, AreRead) {
  for (const std::string url : {"http://proxy:3128", "https://u:p@proxy", "socks5://[::1]",
                                "socks5h://u:p@proxy:1", "environment"}) {
    EXPECT_EQ(settings_of("proxy: '" + url + "'").proxy.source(), url);
  }
  const std::string inherited = "defaults: {proxy: http://proxy}";
  EXPECT_EQ(settings_of("gap: skip", inherited).proxy.source(), "http://proxy");
  EXPECT_TRUE(settings_of("proxy: off", inherited).proxy.empty());
  EXPECT_TRUE(settings_of("proxy: ''", inherited).proxy.empty());
  const Tls read =
      settings_of("proxy: https://proxy\n    proxy_tls: {ca: " + file_ + ", certificate: " + file_ +
                  ", key: " + file_ + ", server_name: x.example, min_version: 1.3}")
          .proxy_tls;
  EXPECT_EQ(read.ca, file_);
  EXPECT_EQ(read.certificate, file_);
  EXPECT_EQ(read.key, file_);
  EXPECT_EQ(read.server_name, "x.example");
  EXPECT_EQ(read.min_version, TlsVersion::tls1_3);
  EXPECT_TRUE(read.verify);
  EXPECT_FALSE(settings_of("proxy: environment\n    proxy_tls: {verify: false}").proxy_tls.verify);
}

TEST_F(ProxyKeys, SayWhatIsWrong) {
  const std::string allowed = "; allowed: http://, https:// or socks5:// URL, environment, or off";
  const std::vector<Case> cases{
      {"proxy: ftp://u:hunter2@h",
       "f:3:12: connections.a.proxy: the URL of a proxy begins with http://, https://, socks5:// "
       "or socks5h://" +
           allowed},
      {"proxy: http://u:hunter2@h/x",
       "f:3:12: connections.a.proxy: the URL of a proxy ends after the host and the port" +
           allowed},
      {"proxy: [http://h]", "f:3:12: connections.a.proxy: is a list" + allowed},
      {"proxy_tls: {min_version: 1.3}",
       "f:3:30: connections.a.proxy_tls.min_version: has no use without an https:// proxy"},
      {"proxy_tls: {pkcs12: x}",
       "f:3:17: connections.a.proxy_tls.pkcs12: unknown key; allowed: ca, certificate, key, "
       "server_name, min_version and verify"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_setting(one.yaml), one.error) << one.yaml;
  }
  EXPECT_EQ(error_of_setting("proxy: https://h\n    proxy_tls: {key: " + file_ + "}"),
            "f:4:22: connections.a.proxy_tls.key: a key needs 'proxy_tls.certificate' too");
  EXPECT_EQ(error_of("defaults: {proxy_tls: {min_version: 1.3}}\n"
                     "connections: {a: {url: wss://h/}}"),
            "");
}

TEST_F(AuthorizationKeys, AreRead) {
  ::setenv("WSKEEP_SECRET", "u:hunter2", 1);
  const Authorization basic =
      settings_of("authorization: {basic: '${env:WSKEEP_SECRET}'}").authorization;
  EXPECT_EQ(basic.basic.source(), "${env:WSKEEP_SECRET}");
  EXPECT_EQ(basic.basic.text_now(), "u:hunter2");
  EXPECT_TRUE(basic.bearer.empty());
  ::unsetenv("WSKEEP_SECRET");
  const std::string inherited = "defaults: {authorization: {bearer: abc}}";
  EXPECT_EQ(settings_of("gap: skip", inherited).authorization.bearer.source(), "abc");
  EXPECT_TRUE(settings_of("authorization: off", inherited).authorization.bearer.empty());
  const Authorization other =
      settings_of("authorization: {basic: 'u:', bearer: off}", inherited).authorization;
  EXPECT_EQ(other.basic.source(), "u:");
  EXPECT_TRUE(other.bearer.empty());
}

TEST_F(AuthorizationKeys, SayWhatIsWrong) {
  const std::string at = "f:3:28: connections.a.authorization.";
  const std::string basic =
      "the credentials are not a user, a colon and a password; allowed: "
      "USER:PASSWORD, or off";
  const std::vector<Case> cases{
      {"{basic: hunter2}", at + "basic: " + basic},
      {"{basic: ':hunter2'}", at + "basic: " + basic},
      {"{basic: \"u:hunter2\\n\"}",
       at + "basic: the credentials hold a line end or another control character; allowed: "
            "USER:PASSWORD, or off"},
      {"{bearer: hun ter2}",
       "f:3:29: connections.a.authorization.bearer: the token is empty or holds a space, a line "
       "end or what is not ASCII; allowed: token, or off"},
      {"{basic: 'u:p', bearer: t}",
       "f:3:43: connections.a.authorization.bearer: 'authorization.basic' and "
       "'authorization.bearer' are both given; allowed: one of the two"},
      {"basic", "f:3:20: connections.a.authorization: is text; allowed: map of basic and bearer"},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(error_of_setting("authorization: " + one.yaml), one.error) << one.yaml;
  }
}

TEST_F(AuthorizationKeys, StandAlone) {
  EXPECT_EQ(error_of_setting("headers: {authorization: x}\n    authorization: {bearer: t}"),
            "f:4:29: connections.a.authorization.bearer: there are credentials under "
            "'authorization' and an Authorization header too; allowed: one of the two");
  EXPECT_EQ(error_of("defaults: {authorization: {basic: 'u:p'}}\n"
                     "connections: {a: {url: [wss://h/, 'wss://u:hunter2@h/']}}"),
            "f:2:24: connections.a.url: there are credentials under 'authorization' and a user in "
            "the URL too; allowed: one of the two");
  EXPECT_EQ(error_of("defaults: {authorization: {basic: 'u:p'}}\n"
                     "connections: {a: {url: 'wss://u:p@h/', authorization: off}}"),
            "");
}

TEST_F(SecurityKeys, NeverAppearInErrors) {
  ::setenv("WSKEEP_SECRET", "443217", 1);
  const std::vector<std::string> lines{
      "proxy: 'x$'",
      "proxy: 'http://u:$@h/x'",
      "proxy: 'socks5://u:$@h:0'",
      "proxy: 'http://$@'",
      "authorization: {basic: '$'}",
      "authorization: {basic: \":$\"}",
      "authorization: {bearer: ' $'}",
      "authorization: {bearer: '$', basic: 'u:$'}",
      "tls: {password: \"$\\n\"}",
      "tls: {password: '$'}",
      "url: [wss://h/, 'ws://u:$@h:0/']",
  };
  for (const std::string& line : lines) {
    for (const std::string secret : {"443217", "${env:WSKEEP_SECRET}"}) {
      std::string yaml = line;
      for (std::size_t dollar = yaml.find('$'); dollar != std::string::npos;
           dollar = yaml.find('$', dollar + secret.size())) {
        yaml.replace(dollar, 1, secret);
      }
      const std::string error = error_of_setting(yaml);
      EXPECT_NE(error, "") << yaml;
      EXPECT_EQ(error.find("443217"), std::string::npos) << error;
    }
  }
  ::unsetenv("WSKEEP_SECRET");
}

}  // namespace
}  // namespace wskeep::config
