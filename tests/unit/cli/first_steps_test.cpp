// `init`, `schema` and `health`: what somebody meets in the first five minutes.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "cli/init.hpp"
#include "cli/schema.hpp"
#include "config/load.hpp"
#include "config/reference.hpp"
#include "tests/unit/cli/run_command.hpp"

namespace wskeep::cli {
namespace {

namespace json = boost::json;
using test::answers;
using test::Outcome;
using test::run_command;
using test::ScriptedServer;

std::string content(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Init : public ::testing::Test {
 protected:
  Init() {
    std::string pattern = "/tmp/wskeep-init.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    file_ = folder_ + "/wskeep.yaml";
  }
  ~Init() override {
    ::unlink((folder_ + "/token").c_str());
    ::unlink(file_.c_str());
    ::rmdir(folder_.c_str());
  }

  std::string folder_;
  std::string file_;
};

TEST_F(Init, WritesAFileThatLoads) {
  const std::string token = folder_ + "/token";
  std::ofstream(token) << "secret\n";
  const Outcome outcome = run_command(
      "/run/x.sock", {"init", file_, "--url", "wss://stream.exchange.example/ws", "--subscribe",
                      R"({"op":"subscribe","args":["it's"]})", "--token-file", token});
  EXPECT_EQ(outcome.code, ExitCode::ok) << outcome.error;
  EXPECT_NE(outcome.output.find("wskeepd --config " + file_), std::string::npos);
  EXPECT_NE(outcome.output.find("wskeep tail exchange"), std::string::npos);
  const config::Config config = config::load_file(file_);
  ASSERT_EQ(config.connections.size(), 1U);
  EXPECT_EQ(config.connections.front().name, "exchange");
  EXPECT_EQ(config.ipc.socket, "/run/x.sock");
  EXPECT_EQ(config.metrics.listen, "127.0.0.1:9464");
  EXPECT_NE(config.connections.front().settings.session, nullptr);
  struct stat status {};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07U, 0U);
}

TEST_F(Init, NeverReplacesAFileUnasked) {
  std::ofstream(file_) << "mine";
  const Outcome refused = run_command("/x", {"init", file_, "--url", "ws://h/"});
  EXPECT_EQ(refused.code, ExitCode::failed);
  EXPECT_NE(refused.error.find("is there already; --force replaces it"), std::string::npos);
  EXPECT_EQ(content(file_), "mine");
  EXPECT_EQ(run_command("/x", {"init", file_, "--url", "ws://h/", "--force"}).code, ExitCode::ok);
  EXPECT_NE(content(file_), "mine");
}

TEST_F(Init, ReplacesWhatThePackageBrought) {
  const std::string brought =
      content(std::string(WSKEEP_TEST_DATA) + "/../../../config/examples/installed.yaml");
  ASSERT_FALSE(brought.empty());
  std::ofstream(file_) << brought << "# mine\n";
  EXPECT_EQ(run_command("/x", {"init", file_, "--url", "ws://h/"}).code, ExitCode::failed);
  std::ofstream(file_) << brought;
  EXPECT_EQ(run_command("/x", {"init", file_, "--url", "ws://h/", "--name", "a"}).code,
            ExitCode::ok);
  EXPECT_EQ(config::load_file(file_).connections.front().name, "a");
}

TEST_F(Init, WritesNothingThatWouldNotLoad) {
  const Outcome outcome = run_command("/x", {"init", file_, "--url", "https://h/"});
  EXPECT_EQ(outcome.code, ExitCode::configuration);
  EXPECT_NE(outcome.error.find("nothing was written"), std::string::npos) << outcome.error;
  EXPECT_EQ(::access(file_.c_str(), F_OK), -1);
}

TEST_F(Init, WantsAUrlWhereNobodyCanBeAsked) {
  const Outcome outcome = run_command("/x", {"init", file_});
  EXPECT_EQ(outcome.code, ExitCode::usage);
  EXPECT_NE(outcome.error.find("--url"), std::string::npos);
}

TEST_F(Init, WritesToStandardOutput) {
  const Outcome outcome = run_command("/x", {"init", "-", "--url", "ws://h/", "--name", "a"});
  EXPECT_EQ(config::load_text(outcome.output, "f").connections.front().name, "a");
}

TEST(NameFor, TakesWhatSaysMost) {
  EXPECT_EQ(name_for("wss://stream.binance.com:9443/ws"), "binance");
  EXPECT_EQ(name_for("wss://ws.okx.com/ws/v5"), "okx");
  EXPECT_EQ(name_for("wss://advanced-trade-ws.coinbase.com"), "advanced-trade-ws");
  EXPECT_EQ(name_for("ws://127.0.0.1:8080/"), "trades");
  EXPECT_EQ(name_for("ws://localhost:8080/"), "localhost");
  EXPECT_EQ(name_for("not a url"), "trades");
}

/// The schema of what stands at a path of the reference.
const json::object* schema_of(const json::object& root, std::string path) {
  const json::object* at = &root;
  while (at != nullptr) {
    if (const auto* choices = at->if_contains("anyOf"))
      at = &choices->as_array().front().as_object();
    const std::size_t dot = path.find('.');
    const std::string name = path.substr(0, dot);
    const json::value* next = nullptr;
    if (const auto* properties = at->if_contains("properties"))
      next = properties->as_object().if_contains(name);
    if (next == nullptr && name == "NAME") next = at->if_contains("additionalProperties");
    if (next == nullptr || !next->is_object()) return nullptr;
    at = &next->as_object();
    if (dot == std::string::npos) break;
    path.erase(0, dot + 1);
  }
  return at;
}

TEST(Schema, HasEveryKeyOfTheReferenceWithItsDescription) {
  const json::object schema = json::parse(configuration_schema()).as_object();
  for (const config::ReferenceEntry& entry : config::reference()) {
    const json::object* const key = schema_of(schema, entry.path);
    ASSERT_NE(key, nullptr) << entry.path;
    const std::string description(key->at("description").as_string());
    EXPECT_TRUE(description.starts_with(entry.description)) << entry.path;
  }
  EXPECT_EQ(schema_of(schema, "connections.NAME.urll"), nullptr);
}

TEST(Schema, IsPrinted) {
  const Outcome outcome = run_command("/x", {"schema"});
  EXPECT_EQ(outcome.code, ExitCode::ok);
  EXPECT_EQ(outcome.output, configuration_schema());
}

TEST(Health, SaysNothingWhereAllIsWell) {
  const ScriptedServer server(std::vector(2, answers(200, "ok\n")));
  const Outcome outcome = run_command(server.path(), {"health"});
  EXPECT_EQ(outcome.code, ExitCode::ok);
  EXPECT_EQ(outcome.output + outcome.error, "");
  EXPECT_EQ(run_command(server.path(), {"--json", "health"}).output, "{\"healthy\":true}\n");
}

TEST(Health, NamesWhatIsNotReady) {
  const ScriptedServer server(std::vector(1, answers(503, "trades\norders\n")));
  const Outcome outcome = run_command(server.path(), {"health", "--ready"});
  EXPECT_EQ(outcome.code, ExitCode::disconnected);
  EXPECT_NE(outcome.error.find("not ready: trades orders"), std::string::npos) << outcome.error;
}

TEST(Health, FailsWithoutADaemon) {
  EXPECT_EQ(run_command("/nonexistent/socket", {"health"}).code, ExitCode::no_daemon);
}

}  // namespace
}  // namespace wskeep::cli
