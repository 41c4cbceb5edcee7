#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

#include "config/request_templates.hpp"
#include "config/session.hpp"
#include "load_cases.hpp"

namespace wskeep::config {
namespace {

Connection connection_of(const std::string& lines) {
  return load_text("connections:\n  a:\n" + lines, "f").connections.at(0);
}

/// The error of a session that begins on line 5, with six spaces.
std::string error_of_session(const std::string& lines) {
  return error_of("connections:\n  a:\n    url: wss://h/\n    session:\n" + lines);
}

TEST(SessionPrepare, ReadsRequestsAndCommands) {
  const Connection connection = connection_of(
      "    url: 'wss://h/?t=${token}'\n"
      "    headers: {X-Key: '${key}'}\n"
      "    authorization: {bearer: '${token}'}\n"
      "    session:\n"
      "      variables: {account: seven}\n"
      "      prepare:\n"
      "        - request: 'https://t/${account}'\n"
      "          headers: {A: 'b'}\n"
      "          body: '{\"last\":\"${default(seq, 0)}\"}'\n"
      "          status: [200, 4xx, 500-501]\n"
      "          tls: system\n"
      "          proxy: off\n"
      "          timeout: 3s\n"
      "          expect: {json: {/ok: true}, text: 'k=(\\w+)'}\n"
      "          set: {key: 1, address: /url}\n"
      "        - command: [/bin/cat, '${key}']\n"
      "          environment: {KEY: '${address}'}\n"
      "          set: {token: 'x${answer}'}\n"
      "      remember: {seq: {value: /s, keep: restart}, id: /id}\n"
      "      open: [{send: '${token}'}]\n"
      "      resume: [{send: '${id} ${token}'}]\n"
      "      resume_url: '${id}/${token}'\n"
      "      insecure_url: true\n"
      "      forget: {close: 4007, status: [400, 4xx]}\n");
  const SessionScript& script = *connection.settings.session;
  ASSERT_EQ(script.prepare.size(), 2U);
  const auto& request = std::get<PrepareRequest>(script.prepare[0].action);
  EXPECT_EQ(request.url.source(), "https://t/${account}");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.headers.size(), 1U);
  EXPECT_EQ(request.body.kind(), Template::Kind::json);
  EXPECT_EQ(request.status, (std::vector<CodeRange>{{200, 200}, {400, 499}, {500, 501}}));
  EXPECT_TRUE(request.system_tls);
  ASSERT_TRUE(request.proxy.has_value());
  EXPECT_TRUE(request.proxy->empty());
  EXPECT_EQ(script.prepare[0].timeout, Milliseconds(3000));
  EXPECT_TRUE(script.prepare[0].expect.has_value());
  EXPECT_EQ(std::get<std::size_t>(script.prepare[0].set.at(0).source), 1U);
  const auto& command = std::get<PrepareCommand>(script.prepare[1].action);
  EXPECT_EQ(command.arguments.size(), 2U);
  EXPECT_EQ(command.environment.at(0).first, "KEY");
  EXPECT_EQ(script.prepare[1].timeout, Milliseconds(10'000));
  EXPECT_TRUE(script.remember.at(0).over_restart);
  EXPECT_FALSE(script.remember.at(1).over_restart);
  EXPECT_EQ(script.resume_needs, std::vector<std::string>{"id"});
  EXPECT_TRUE(script.insecure_url);
  EXPECT_EQ(script.forget_on_close, (std::vector<CodeRange>{{4007, 4007}}));
}

TEST(SessionPrepare, SaysWhatIsWrong) {
  const std::vector<Case> cases{
      {"      prepare: {}\n",
       "f:5:16: connections.a.session.prepare: is a map; allowed: list of steps: request or "
       "command"},
      {"      prepare: [{timeout: 1s}]\n",
       "f:5:17: connections.a.session.prepare[0]: has neither 'request' nor 'command'; allowed: "
       "one of the two"},
      {"      prepare: [{request: 'wss://t/'}]\n",
       "f:5:27: connections.a.session.prepare[0].request: a URL begins with http:// or https://, "
       "not with wss://"},
      {"      prepare: [{request: 'http://t/${tokn}', set: {token: /t}}]\n",
       "f:5:39: connections.a.session.prepare[0].request: unknown variable 'tokn'; there are none "
       "here"},
      {"      prepare:\n        - {request: 'http://t/', set: {token: /t}}\n"
       "        - {request: 'http://t/?${tokn}'}\n",
       "f:7:34: connections.a.session.prepare[1].request: unknown variable 'tokn' (did you mean "
       "'token'?); known here: token"},
      {"      prepare: [{request: 'http://t/', headers: {Host: x}}]\n",
       "f:5:50: connections.a.session.prepare[0].headers.Host: is a header that wskeep writes "
       "itself"},
      {"      prepare: [{request: 'http://t/', status: 99}]\n",
       "f:5:48: connections.a.session.prepare[0].status: '99' is not a code, a range of codes or a "
       "class of them; "
       "allowed: "
       "code, range or class, 200 to 599, or a list of them"},
      {"      prepare: [{request: 'http://t/', set: {token: 1}}]\n",
       "f:5:53: connections.a.session.prepare[0].set.token: names a group, and there is no regular "
       "expression 'text' that has any; a number that is meant as such needs quotes"},
      {"      prepare: [{command: cat}]\n",
       "f:5:27: connections.a.session.prepare[0].command: is text; allowed: list of a program's "
       "path and its arguments; no shell reads it"},
      {"      prepare: [{command: [cat, x]}]\n",
       "f:5:28: connections.a.session.prepare[0].command[0]: 'cat' is no absolute path; allowed: "
       "/PATH/OF/PROGRAM"},
      {"      prepare: [{command: [/nowhere/cat]}]\n",
       "f:5:28: connections.a.session.prepare[0].command[0]: '/nowhere/cat' does not exist"},
      {"      prepare: [{command: []}]\n",
       "f:5:27: connections.a.session.prepare[0].command: is empty; allowed: list of a program's "
       "path and its arguments; no shell reads it"},
      {"      prepare: [{command: [/bin/cat], environment: {'a-b': c}}]\n",
       "f:5:53: connections.a.session.prepare[0].environment.a-b: is no name of an environment "
       "variable: it is letters, digits and _"},
      {"      prepare: [{command: [/bin/cat], timeout: 1h}]\n",
       "f:5:48: connections.a.session.prepare[0].timeout: '1h' is out of range; allowed: duration, "
       "1ms to 10m"},
      {"      prepare: [{command: [/bin/cat], set: {token: '${answer}'}}]\n"
       "      remember: {token: /t}\n",
       "f:6:18: connections.a.session.remember.token: is set in 'prepare' too, which is forgotten "
       "before each attempt; give one of the two another name"},
      {"      resume_url: 'wss://other/'\n",
       "f:5:19: connections.a.session.resume_url: names nothing of 'remember', so that it would be "
       "the same each time; that is what 'url' is for"},
      {"      forget: {closed: 4000}\n",
       "f:5:16: connections.a.session.forget.closed: unknown key (did you mean 'close'?); allowed: "
       "close and status"},
      {"      remember: {token: {value: /t, keep: always}}\n",
       "f:5:43: connections.a.session.remember.token.keep: 'always' is unknown; allowed: session "
       "or "
       "restart"},
  };
  for (const Case& one : cases) EXPECT_EQ(error_of_session(one.yaml), one.error) << one.yaml;
}

TEST(RequestTemplates, SayWhatIsWrongAndWhere) {
  const std::vector<Case> cases{
      {"    url: 'wss://h/?c=${cursor}'\n",
       "f:3:24: connections.a.url: unknown variable 'cursor'; there are none here"},
      {"    url: 'wss://h/?c=${cursr}'\n    session: {remember: {cursor: /c}}\n",
       "f:3:24: connections.a.url: unknown variable 'cursr' (did you mean 'cursor'?); known here: "
       "cursor"},
      {"    url: 'wss://h/?c=${id}'\n    session: {open: [{set: {id: '${uuid()}'}}]}\n",
       "f:3:24: connections.a.url: unknown variable 'id'; there are none here; what a session sets "
       "is forgotten before the next one: put it under 'session.remember'"},
      {"    url: 'wss://h/?c=${urll(1)}'\n",
       "f:3:24: connections.a.url: unknown function 'urll' (did you mean 'url'?)"},
      {"    url: 'http://h/?c=${time_s()}'\n",
       "f:3:10: connections.a.url: a URL begins with ws:// or wss://, not with http://"},
      {"    url: 'wss:///${time_s()}'\n", "f:3:10: connections.a.url: "},
      {"    url: wss://h/\n    headers: {A: '${nobody}'}\n",
       "f:4:21: connections.a.headers.A: unknown variable 'nobody'; there are none here"},
      {"    url: wss://h/\n    authorization: {bearer: '${nobody}'}\n",
       "f:4:32: connections.a.authorization.bearer: unknown variable 'nobody'; there are none "
       "here"},
  };
  for (const Case& one : cases) {
    const std::string error = error_of("connections:\n  a:\n" + one.yaml);
    EXPECT_EQ(error.substr(0, one.error.size()), one.error) << error;
  }
}

TEST(RequestTemplates, OfDefaultsAreLookedAtForEachConnection) {
  const std::string defaults = "defaults: {headers: {A: '${token}'}}\nconnections:\n";
  EXPECT_EQ(error_of(defaults + "  a: {url: wss://h/, headers: {a: plain}}\n"), "");
  EXPECT_EQ(error_of(defaults + "  a: {url: wss://h/, session: {remember: {token: /t}}}\n"), "");
  EXPECT_EQ(error_of(defaults + "  a: {url: wss://h/}\n"),
            "f:1:28: defaults.headers.A: unknown variable 'token'; there are none here");
}

TEST(RequestTemplates, AUrlCanBeAValueAsAWholeOrInParts) {
  for (const char* const url :
       {"${u}", "wss://${u}/", "wss://h:${u}/", "wss://h/${u}?a=${u}", "wss://${u}.h/${u}"}) {
    EXPECT_EQ(error_of("connections:\n  a:\n    url: '" + std::string(url) +
                       "'\n    session: {remember: {u: /u}}\n"),
              "")
        << url;
  }
  EXPECT_FALSE(names_scheme(Template("${u}")));
  EXPECT_FALSE(names_scheme(Template("${u}://h/")));
  EXPECT_TRUE(names_scheme(Template("wss://${u}/")));
}

TEST(SessionFingerprint, IsThatOfWhatIsWritten) {
  const auto fingerprint = [](const std::string& lines) {
    return connection_of("    url: wss://h/\n    session:\n" + lines)
        .settings.session->fingerprint.value;
  };
  EXPECT_EQ(fingerprint("      remember: {a: /a, b: /b}\n"),
            fingerprint("      # other words\n      remember:\n        a: /a\n        b: '/b'\n"));
  EXPECT_NE(fingerprint("      remember: {a: /a, b: /b}\n"),
            fingerprint("      remember: {a: /a, b: /c}\n"));
  EXPECT_NE(fingerprint("      remember: {a: /a}\n"),
            fingerprint("      remember: {a: {value: /a}}\n"));
}

}  // namespace
}  // namespace wskeep::config
