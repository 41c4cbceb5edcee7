// What docs/cli.md shows is what the commands print.

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "cli/attempts.hpp"
#include "cli/dry_run_printer.hpp"
#include "cli/json_access.hpp"
#include "cli/picture.hpp"
#include "tests/unit/cli/run_command.hpp"

namespace wskeep::cli {
namespace {

using test::Outcome;
using test::run_command;
using test::Scratch;

std::string read_document(const std::string& name) {
  std::ifstream file(WSKEEP_TEST_DATA "/../../../docs/" + name);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

void expect_shown(const std::string& text) {
  EXPECT_NE(read_document("cli.md").find(text), std::string::npos) << "docs/cli.md does not show\n"
                                                                   << text;
}

TEST(CliDocument, ShowsAnOpening) {
  const auto document = parse_object(R"({"cycles":[
    {"number":9,"started":"2026-01-31T12:00:02Z","ended_ms":400,
     "prepare":[{"step":"prepare[0]","kind":"request","started_ms":0,"took_ms":100}],
     "legs":[{"url":"wss://a.example/ws","addresses":[{"address":"192.0.2.1:443","stage":"open",
       "started_ms":100,"tcp_ms":200,"tls_ms":300,"http_ms":400,"ended_ms":400}]}],
     "script":[{"step":"open[0]","kind":"send","started_ms":0,"took_ms":0},
               {"step":"open[1]","kind":"wait","started_ms":0,"took_ms":100},
               {"step":"open[2]","kind":"wait","started_ms":100,"took_ms":null,
                "waits_for":"a message with /event = subscribed"}],
     "session":{"lived_ms":600,"close_code":1001,
       "failure":{"error":"script_timeout","message":"session.open[2]: no message"}}}]})");
  expect_shown(draw_cycles(parse_attempts(document).cycles, *parse_time("2026-01-31T12:00:13Z"),
                           {.width = 70, .unicode = true, .colors = false}));
}

/// The first block of YAML in the document of session scripts.
TEST(CliDocument, ShowsWhatCheckSaysOfTheExampleOfSessionScripts) {
  const std::string document = read_document("session.md");
  constexpr std::string_view fence = "```yaml\n";
  const std::size_t begin = document.find(fence) + fence.size();
  const Scratch file(document.substr(begin, document.find("```", begin) - begin));
  const Outcome outcome =
      run_command("/unused", {"check", "/proc/self/fd/" + std::to_string(file.descriptor())});
  EXPECT_EQ(outcome.code, ExitCode::ok) << outcome.error;
  // Whom it ran as, and what this machine has, are other things elsewhere.
  const std::size_t scripts = outcome.output.find("\n\n");
  const std::size_t memory = outcome.output.find("\nmemory at the most");
  expect_shown("wskeep.yaml: OK, 1 connection, as wskeep" +
               outcome.output.substr(scripts, memory - scripts));
}

TEST(CliDocument, ShowsADryRun) {
  constexpr std::string_view events =
      R"({"event":"connecting","elapsed_us":0,"url":"wss://stream.example.com/ws"}
{"event":"opened","elapsed_us":142000,"remote_address":"192.0.2.1:443","http_status":101,"subprotocol":"","attempt":{"ended_ms":141}}
{"event":"step","elapsed_us":142000,"part":"open[0]","text":"send {\"op\":\"login\",\"key\":\"${file:/run/credentials/key}\"}"}
{"event":"sent","elapsed_us":142000,"part":"open[0].send","type":"text","size":61,"text":"{\"op\":\"login\",\"key\":\"***\"}"}
{"event":"done","elapsed_us":142000,"part":"open[0]"}
{"event":"step","elapsed_us":142000,"part":"open[1]","text":"wait up to 10s for a message with /event = login, then set sid to /sid of the message"}
{"event":"received","elapsed_us":171000,"type":"text","size":36,"text":"{\"event\":\"login\",\"sid\":\"5f2c9a6e01\"}"}
{"event":"met","elapsed_us":171000,"part":"open[1]","condition":1}
{"event":"set","elapsed_us":171000,"part":"open[1]","name":"sid"}
{"event":"done","elapsed_us":171000,"part":"open[1]"}
{"event":"ready","elapsed_us":171000}
)";
  const DryRunPrinter printer({.width = 80, .unicode = true, .colors = false}, false);
  std::string printed;
  for (std::size_t begin = 0, end = 0; (end = events.find('\n', begin)) != std::string_view::npos;
       begin = end + 1) {
    printed += printer.print(parse_object(events.substr(begin, end - begin)));
  }
  expect_shown(printed);
}

}  // namespace
}  // namespace wskeep::cli
