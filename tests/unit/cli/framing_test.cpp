#include "cli/framing.hpp"

#include <gtest/gtest.h>

#include "cli/line_splitter.hpp"
#include "cli/outstanding.hpp"
#include "cli/tail_printer.hpp"

namespace wskeep::cli {
namespace {

using websocket::Opcode;

TEST(ParseMessage, TakesTheLineInFrontOff) {
  const auto message = parse_message("17 1769860800123456789\n{\"a\":\n1}");
  ASSERT_TRUE(message);
  EXPECT_EQ(message->sequence, 17U);
  EXPECT_EQ(message->time_ns, 1'769'860'800'123'456'789);
  EXPECT_EQ(message->payload, "{\"a\":\n1}");
  EXPECT_EQ(parse_message("1 2\n")->payload, "");
}

TEST(ParseMessage, RefusesEverythingElse) {
  for (const char* text : {"", "17", "17 ", "17 5", "17  5\nx", " 17 5\nx", "x 5\nx", "17 x\nx",
                           "-1 5\nx", "17\n5 x", "99999999999999999999 5\nx"}) {
    EXPECT_FALSE(parse_message(text)) << text;
  }
}

TEST(ParseEvent, ReadsWhatTheCommandsUse) {
  EXPECT_TRUE(is_event(R"({"event":"hello"})"));
  EXPECT_FALSE(is_event("17 5\n{}"));
  EXPECT_FALSE(is_event(""));
  const auto hello = parse_event(
      R"({"event":"hello","epoch":"5f2c","first":3,"last":9,"next":10,"state":"ready","new":[1]})");
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->name, "hello");
  EXPECT_EQ(hello->epoch, "5f2c");
  EXPECT_EQ(hello->next, 10U);
  EXPECT_EQ(hello->state, "ready");
  EXPECT_FALSE(hello->close_code);
  EXPECT_FALSE(parse_event("{"));
  EXPECT_FALSE(parse_event("{}"));
  EXPECT_FALSE(parse_event(R"({"event":7})"));
}

TEST(DescribeEvent, SaysHowMuchWasLost) {
  const auto describe = [](const char* text) {
    return describe_event(*parse_event(text), "trades");
  };
  EXPECT_EQ(describe(R"({"event":"gap","from":100,"to":1115})"),
            "gap: 1,016 messages were lost (100 to 1115)");
  EXPECT_EQ(describe(R"({"event":"gap","from":7,"to":7})"), "gap: message 7 was lost");
  EXPECT_EQ(describe(R"({"event":"gap","from":0,"to":0})"),
            "gap: the daemon started anew, and how many messages were lost is unknown");
  EXPECT_EQ(describe(R"({"event":"disconnected","error":"closed_by_peer","message":"it closed",)"
                     R"("close_code":1001,"reason":"bye"})"),
            "trades is disconnected: it closed (close code 1001, bye)");
  EXPECT_EQ(describe(R"({"event":"disconnected","error":"receive_timeout","close_code":null})"),
            "trades is disconnected: receive_timeout");
  EXPECT_EQ(describe(R"({"event":"connected","remote_address":"192.0.2.1:443"})"),
            "trades is connected to 192.0.2.1:443");
  EXPECT_EQ(describe(R"({"event":"unheard_of"})"), "");
}

std::string printed(TailStyle style, Opcode type, std::string_view data) {
  TailPrinter printer(style);
  printer.message(type, *parse_message(data));
  return printer.batch();
}

TEST(TailPrinter, WritesPayloadsUntouchedToAPipe) {
  EXPECT_EQ(printed({}, Opcode::text, "1 2\n\x1b[31mred\n"), "\x1b[31mred\n\n");
  EXPECT_EQ(printed({}, Opcode::binary, std::string_view("1 2\n\0\xFF", 6)),
            std::string("\0\xFF\n", 3));
}

TEST(TailPrinter, WritesNothingThatATerminalObeys) {
  EXPECT_EQ(printed({.terminal = true}, Opcode::text, "1 2\n\x1b[31mred\n"), "\\x1b[31mred\n\n");
  EXPECT_EQ(printed({.terminal = true}, Opcode::binary, "1 2\n\x1b\xC3\xA9"), "\\x1b\\xc3\\xa9\n");
}

TEST(TailPrinter, WritesJson) {
  const TailStyle json{.json = true, .terminal = true, .timestamps = true};
  EXPECT_EQ(printed(json, Opcode::text, "1 2\n\"x\"\n"),
            "{\"seq\":1,\"time_ns\":2,\"type\":\"text\",\"data\":\"\\\"x\\\"\\n\"}\n");
  EXPECT_EQ(printed(json, Opcode::binary, "3 4\nfo"),
            "{\"seq\":3,\"time_ns\":4,\"type\":\"binary\",\"data\":\"Zm8=\"}\n");
}

TEST(TailPrinter, WritesTimesInFront) {
  EXPECT_EQ(printed({.timestamps = true}, Opcode::text, "1 1769860800123456789\nx"),
            "2026-01-31T12:00:00.123456Z x\n");
}

TEST(TailPrinter, KeepsTheOrderOfMessagesAndEvents) {
  TailPrinter printer({});
  printer.message(Opcode::text, *parse_message("1 2\na"));
  printer.event("{\"event\":\"gap\"}");
  printer.message(Opcode::text, *parse_message("5 2\nb"));
  EXPECT_EQ(printer.batch(), "a\n{\"event\":\"gap\"}\nb\n");
  printer.clear();
  EXPECT_EQ(printer.batch(), "");
}

Event answer(const char* name, const char* id) {
  Event event;
  event.name = name;
  event.id = id;
  event.error = "not_connected";
  return event;
}

TEST(Outstanding, CountsAnswersByTheirId) {
  Outstanding outstanding;
  EXPECT_EQ(outstanding.next_id(), "1\n");
  EXPECT_EQ(outstanding.next_id(), "2\n");
  EXPECT_EQ(outstanding.next_id(), "3\n");
  outstanding.take(answer("sent", "1"));
  outstanding.take(answer("failed", "3"));
  outstanding.take(answer("failed", "2"));
  EXPECT_EQ(outstanding.waiting(), 0U);
  EXPECT_EQ(outstanding.sent(), 1U);
  EXPECT_EQ(outstanding.failed(), 2U);
  ASSERT_TRUE(outstanding.first_failure());
  EXPECT_EQ(outstanding.first_failure()->number, 3U);
}

TEST(Outstanding, PassesOverWhatIsNotOurs) {
  Outstanding outstanding;
  static_cast<void>(outstanding.next_id());
  for (const char* id : {"", "0", "2", "x", "1x", "-1"}) outstanding.take(answer("sent", id));
  outstanding.take(answer("gap", "1"));
  EXPECT_EQ(outstanding.waiting(), 1U);
  outstanding.take(answer("sent", "1"));
  outstanding.take(answer("sent", "1"));
  EXPECT_EQ(outstanding.sent(), 1U);
  EXPECT_EQ(outstanding.waiting(), 0U);
}

TEST(LineSplitter, JoinsPieces) {
  LineSplitter lines;
  lines.append("on");
  EXPECT_FALSE(lines.next());
  lines.append("e\n\ntwo\nla");
  EXPECT_EQ(lines.next(), "one");
  EXPECT_EQ(lines.next(), "");
  EXPECT_EQ(lines.next(), "two");
  EXPECT_FALSE(lines.next());
  lines.append("st");
  lines.finish();
  EXPECT_FALSE(lines.done());
  EXPECT_EQ(lines.next(), "last");
  EXPECT_FALSE(lines.next());
  EXPECT_TRUE(lines.done());
}

TEST(LineSplitter, NoLineBehindTheLastLineFeed) {
  LineSplitter lines;
  lines.append("a\n");
  lines.finish();
  EXPECT_EQ(lines.next(), "a");
  EXPECT_FALSE(lines.next());
  EXPECT_TRUE(lines.done());
}

}  // namespace
}  // namespace wskeep::cli
