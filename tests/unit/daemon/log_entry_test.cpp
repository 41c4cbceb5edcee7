#include "daemon/log_entry.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace wskeep::daemon {
namespace {

using config::LogLevel;
using Fields = std::vector<std::string>;

LogEntry entry() {
  return {.time = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'234)),
          .level = LogLevel::warning,
          .connection = "trades",
          .event = "disconnected",
          .fields = {{"error", "connection_reset"},
                     {"message", "the peer said \"no\"\nand went"},
                     {"next_attempt_in", "20ms"},
                     {"reason", ""}}};
}

TEST(LogEntry, AsText) {
  EXPECT_EQ(text_line(entry()),
            "1970-01-01T00:00:01.234Z warning trades disconnected error=connection_reset "
            R"(message="the peer said \"no\"\nand went" next_attempt_in=20ms reason="")");
}

TEST(LogEntry, OfTheDaemonItself) {
  LogEntry own{
      .time = {}, .level = LogLevel::info, .connection = "", .event = "stopped", .fields = {}};
  EXPECT_EQ(text_line(own), "1970-01-01T00:00:00.000Z info    - stopped");
  EXPECT_EQ(json_line(own),
            R"({"time":"1970-01-01T00:00:00.000Z","level":"info","event":"stopped"})");
  EXPECT_EQ(journal_fields(own), (Fields{"MESSAGE=- stopped", "PRIORITY=6",
                                         "SYSLOG_IDENTIFIER=wskeepd", "WSKEEP_EVENT=stopped"}));
}

TEST(LogEntry, AsJson) {
  const auto line = boost::json::parse(json_line(entry())).as_object();
  EXPECT_EQ(line.at("level").as_string(), "warning");
  EXPECT_EQ(line.at("connection").as_string(), "trades");
  EXPECT_EQ(line.at("event").as_string(), "disconnected");
  EXPECT_EQ(line.at("message").as_string(), "the peer said \"no\"\nand went");
  EXPECT_EQ(line.at("next_attempt_in").as_string(), "20ms");
}

/// systemd.journal-fields(7): names of A-Z, 0-9 and _; values may be anything.
TEST(LogEntry, AsFieldsOfTheJournal) {
  EXPECT_EQ(journal_fields(entry()),
            (Fields{"MESSAGE=trades disconnected error=connection_reset "
                    R"(message="the peer said \"no\"\nand went" next_attempt_in=20ms reason="")",
                    "PRIORITY=4", "SYSLOG_IDENTIFIER=wskeepd", "WSKEEP_EVENT=disconnected",
                    "WSKEEP_CONNECTION=trades", "WSKEEP_ERROR=connection_reset",
                    "WSKEEP_MESSAGE=the peer said \"no\"\nand went", "WSKEEP_NEXT_ATTEMPT_IN=20ms",
                    "WSKEEP_REASON="}));
}

TEST(LogEntry, PrioritiesOfSyslog) {
  const auto priority = [](LogLevel level) {
    LogEntry one = entry();
    one.level = level;
    return journal_fields(one)[1];
  };
  EXPECT_EQ(priority(LogLevel::trace), "PRIORITY=7");
  EXPECT_EQ(priority(LogLevel::debug), "PRIORITY=7");
  EXPECT_EQ(priority(LogLevel::info), "PRIORITY=6");
  EXPECT_EQ(priority(LogLevel::error), "PRIORITY=3");
}

}  // namespace
}  // namespace wskeep::daemon
