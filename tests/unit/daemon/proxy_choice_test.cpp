#include "daemon/upstream/proxy_choice.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "daemon/upstream/no_proxy.hpp"

namespace wskeep::upstream {
namespace {

using Kind = daemon::Proxy::Kind;
using Variables = std::map<std::string, std::string>;

ProxyChoice choose(const std::string& proxy, const Variables& variables = {},
                   const std::string& url = "wss://stream.example.com/feed") {
  config::ConnectionSettings settings;
  settings.proxy = config::Text(proxy);
  return choose_proxy(settings, config::parse_url(url), [&](const char* name) -> const char* {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

/// `shown`, "-" for none, or the failure's text.
std::string said(const ProxyChoice& choice) {
  if (const auto* failure = std::get_if<daemon::Failure>(&choice)) {
    EXPECT_EQ(failure->error, daemon::Error::configuration);
    return failure->text;
  }
  const auto& chosen = std::get<std::optional<ChosenProxy>>(choice);
  return chosen ? chosen->shown : "-";
}

TEST(ProxyChoice, WithoutOneItGoesDirectly) {
  EXPECT_EQ(said(choose("", {{"HTTPS_PROXY", "http://proxy:3128"}})), "-");
}

TEST(ProxyChoice, AUrlOfTheConfiguration) {
  const ProxyChoice choice = choose("socks5://me:s%40cret@[::1]:1081", {{"NO_PROXY", "*"}});
  const auto& chosen = std::get<std::optional<ChosenProxy>>(choice);
  ASSERT_TRUE(chosen.has_value());
  EXPECT_EQ(chosen->proxy.kind, Kind::socks5);
  EXPECT_EQ(chosen->proxy.host, "::1");
  EXPECT_EQ(chosen->proxy.port, 1081);
  EXPECT_EQ(chosen->proxy.user, "me");
  EXPECT_EQ(chosen->proxy.password, "s@cret");
  EXPECT_EQ(chosen->shown, "socks5://[::1]:1081");

  EXPECT_EQ(said(choose("http://me:secret@proxy:3128/")), "http://proxy:3128");
  EXPECT_EQ(said(choose("https://proxy")), "https://proxy:443");
  EXPECT_EQ(said(choose("socks5h://proxy")), "socks5://proxy:1080");
}

TEST(ProxyChoice, ItsVariablesAndFilesAreReadEachTime) {
  const std::string file = ::testing::TempDir() + "/wskeep_proxy_" + std::to_string(::getpid());
  const std::string text = "http://me:${file:" + file + "}@proxy:1";
  const auto password = [&] {
    const ProxyChoice choice = choose(text);
    return std::get<std::optional<ChosenProxy>>(choice)->proxy.password;
  };
  std::ofstream(file) << "one\n";
  EXPECT_EQ(password(), "one");
  std::ofstream(file) << "two\n";
  EXPECT_EQ(password(), "two");
  ::unlink(file.c_str());
  EXPECT_NE(said(choose(text)).find(file), std::string::npos);
}

TEST(ProxyChoice, WhatIsWrongIsToldWithoutSecrets) {
  for (const std::string& url : std::vector<std::string>{
           "ftp://me:secret@proxy", "http://me:secret@proxy:99999", "http://me:secret@",
           "me:secret@proxy:1/path", "http://me:secret@p/path"}) {
    for (const std::string& text : std::vector<std::string>{
             said(choose(url)), said(choose("environment", {{"ALL_PROXY", url}}))}) {
      EXPECT_EQ(text.find("secret"), std::string::npos) << text;
      EXPECT_TRUE(text.starts_with("proxy: ")) << text;
    }
  }
  EXPECT_NE(said(choose("environment", {{"https_proxy", "ftp://x"}})).find("'https_proxy'"),
            std::string::npos);
}

TEST(ProxyChoice, FromTheEnvironment) {
  struct Case {
    Variables variables;
    std::string secure;
    std::string plain;
  };
  const std::vector<Case> table{
      {{}, "-", "-"},
      {{{"HTTPS_PROXY", "http://a:1"}}, "http://a:1", "-"},
      {{{"https_proxy", "http://b:1"}, {"HTTPS_PROXY", "http://a:1"}}, "http://b:1", "-"},
      {{{"https_proxy", ""}, {"HTTPS_PROXY", "http://a:1"}}, "http://a:1", "-"},
      {{{"http_proxy", "http://a:1"}}, "-", "http://a:1"},
      {{{"HTTP_PROXY", "http://a:1"}}, "-", "-"},  // a CGI program's header
      {{{"ALL_PROXY", "socks5://a"}}, "socks5://a:1080", "socks5://a:1080"},
      {{{"all_proxy", "socks5h://b"}, {"ALL_PROXY", "socks5://a"}},
       "socks5://b:1080",
       "socks5://b:1080"},
      {{{"ALL_PROXY", "socks5://a"}, {"HTTPS_PROXY", "https://b"}},
       "https://b:443",
       "socks5://a:1080"},
      {{{"ALL_PROXY", "a:3128"}}, "http://a:3128", "http://a:3128"},  // without a scheme
      {{{"ALL_PROXY", "me:secret@a:3128/"}}, "http://a:3128", "http://a:3128"},
      {{{"ALL_PROXY", "a:1"}, {"NO_PROXY", "example.com"}}, "-", "-"},
      {{{"ALL_PROXY", "a:1"}, {"no_proxy", "x"}, {"NO_PROXY", "example.com"}},
       "http://a:1",
       "http://a:1"},
      {{{"ALL_PROXY", "a:1"}, {"no_proxy", ""}, {"NO_PROXY", "example.com"}}, "-", "-"},
      {{{"ALL_PROXY", "a:1"}, {"NO_PROXY", "example.com:443"}}, "-", "http://a:1"},
  };
  for (const Case& one : table) {
    std::string trace;
    for (const auto& [name, value] : one.variables)
      trace.append(name).append("=").append(value).append(" ");
    SCOPED_TRACE(trace);
    EXPECT_EQ(said(choose("environment", one.variables, "wss://stream.example.com/")), one.secure);
    EXPECT_EQ(said(choose("environment", one.variables, "ws://stream.example.com/")), one.plain);
  }
}

TEST(ProxyChoice, TheProcessHasAnEnvironment) {
  ::setenv("WSKEEP_PROXY_TEST", "here", 1);
  EXPECT_STREQ(process_variables()("WSKEEP_PROXY_TEST"), "here");
  ::unsetenv("WSKEEP_PROXY_TEST");
  EXPECT_EQ(process_variables()("WSKEEP_PROXY_TEST"), nullptr);
}

TEST(NoProxy, Names) {
  struct Case {
    std::string list;
    std::string host;
    std::uint16_t port;
    bool direct;
  };
  const std::vector<Case> table{
      {"", "example.com", 443, false},
      {" , ,", "example.com", 443, false},
      {"*", "example.com", 443, true},
      {"a, *", "10.0.0.1", 443, true},
      {"example.com", "example.com", 443, true},
      {"example.com", "a.b.example.com", 443, true},
      {"example.com", "badexample.com", 443, false},
      {"example.com", "com", 443, false},
      {".example.com", "example.com", 443, true},
      {".example.com", "a.example.com", 443, true},
      {"*.example.com", "a.example.com", 443, true},
      {"Example.COM", "a.example.com", 443, true},
      {"example.com.", "a.example.com", 443, true},
      {"example.com", "a.example.com.", 443, true},
      {"a.example.com", "example.com", 443, false},
      {"other,example.com", "example.com", 443, true},
      {"other example.com", "example.com", 443, true},
      {"other,\texample.com ,x", "example.com", 443, true},
      {"example.com:443", "example.com", 443, true},
      {"example.com:443", "a.example.com", 443, true},
      {"example.com:444", "example.com", 443, false},
      {"example.com:x", "example.com", 443, false},
      {".", "example.com", 443, false},
      {"localhost", "localhost", 443, true},
      {"10.0.0.1", "10.0.0.1", 443, true},
      {"10.0.0.1", "10.0.0.10", 443, false},
      {"10.0.0.1:80", "10.0.0.1", 443, false},
      {"10.0.0.1:443", "10.0.0.1", 443, true},
      {"0.0.1", "10.0.0.1", 443, false},  // an address has no domain
      {"10.0.0.0/8", "10.200.1.2", 443, true},
      {"10.0.0.0/8", "11.0.0.1", 443, false},
      {"10.0.0.1/8", "10.2.0.1", 443, true},
      {"192.168.4.0/22", "192.168.7.255", 443, true},
      {"192.168.4.0/22", "192.168.8.0", 443, false},
      {"0.0.0.0/0", "1.2.3.4", 443, true},
      {"1.2.3.4/32", "1.2.3.4", 443, true},
      {"1.2.3.4/33", "1.2.3.4", 443, false},
      {"1.2.3.4/", "1.2.3.4", 443, false},
      {"1.2.3.4/-1", "1.2.3.4", 443, false},
      {"10.0.0.0/8", "example.com", 443, false},  // names are not looked up
      {"10.0.0.0/8", "::ffff:10.0.0.1", 443, false},
      {"::1", "::1", 443, true},
      {"[::1]", "::1", 443, true},
      {"[::1]:443", "::1", 443, true},
      {"[::1]:444", "::1", 443, false},
      {"[::1", "::1", 443, false},
      {"[::1]x", "::1", 443, false},
      {"0:0::1", "::1", 443, true},
      {"fe80::/10", "fe80::1%eth0", 443, true},
      {"fe80::1", "fe80::1%eth0", 443, true},
      {"2001:db8::/33", "2001:db8:7fff::1", 443, true},
      {"2001:db8::/33", "2001:db8:8000::1", 443, false},
      {"2001:db8::/129", "2001:db8::", 443, false},
  };
  for (const Case& one : table)
    EXPECT_EQ(no_proxy_names(one.list, one.host, one.port), one.direct)
        << one.list << " and " << one.host;
}

}  // namespace
}  // namespace wskeep::upstream
