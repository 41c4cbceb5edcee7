#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string>

#include "cli/dry_run_printer.hpp"
#include "cli/escape.hpp"
#include "cli/json_access.hpp"

namespace wskeep::cli {
namespace {

std::string printed(std::string_view event,
                    const Canvas& canvas = {.width = 80, .unicode = true, .colors = false},
                    bool cut = false) {
  return DryRunPrinter(canvas, cut).print(parse_object(event));
}

TEST(DryRunPrinter, SaysEachThingOnALine) {
  EXPECT_EQ(printed(R"({"event":"connecting","elapsed_us":0,"url":"wss://a.example/ws"})"),
            "   0.000 ▸  connecting to wss://a.example/ws\n");
  EXPECT_EQ(printed(R"({"event":"opened","elapsed_us":123456,"remote_address":"192.0.2.1:443",
                        "http_status":101,"subprotocol":"v2","attempt":{"ended_ms":123,"prepare":[
                        {"step":"prepare[0]","kind":"request","took_ms":20}]}})"),
            "   0.123 ✓  prepare[0]: request took 20 ms\n"
            "   0.123 ✓  connected to 192.0.2.1:443, HTTP 101, subprotocol v2, after 123 ms\n");
  EXPECT_EQ(printed(R"({"event":"step","elapsed_us":1000000,"part":"open[1]","kind":"wait",
                        "text":"wait up to 5s for a message with /event = ok"})"),
            "   1.000 ▸  open[1]: wait up to 5s for a message with /event = ok\n");
  EXPECT_EQ(printed(R"({"event":"met","part":"open[1]","condition":2})"),
            "   0.000 ✓  open[1]: condition 2 is met\n");
  EXPECT_EQ(printed(R"({"event":"done","part":"open[1]"})"), "   0.000 ✓  open[1]: done\n");
  EXPECT_EQ(printed(R"({"event":"set","part":"open[1].set","name":"sid"})"),
            "   0.000    open[1].set: sets sid\n");
  EXPECT_EQ(printed(R"({"event":"set","part":"open[1].set","name":"sid","value":"x\ny"})"),
            "   0.000    open[1].set: sets sid to x\\ny\n");
  EXPECT_EQ(printed(R"({"event":"answered","part":"heartbeat"})"),
            "   0.000 ✓  heartbeat: answered\n");
  EXPECT_EQ(printed(R"({"event":"ready","elapsed_us":61234567})"), "  61.235 ✓  ready\n");
  EXPECT_EQ(printed(R"({"event":"brand_new"})"), "");
}

TEST(DryRunPrinter, ShowsMessagesOfBothKinds) {
  EXPECT_EQ(printed(R"({"event":"sent","part":"open[0].send","type":"text","size":12,
                        "text":"{\"op\":\"a\"}"})"),
            "   0.000 →  open[0].send: 12 B  {\"op\":\"a\"}\n");
  EXPECT_EQ(printed(R"({"event":"sent","part":"open[0].send","type":"binary","size":2048,
                        "text":"***"})"),
            "   0.000 →  open[0].send: binary 2.0 KiB  ***\n");
  EXPECT_EQ(printed(R"({"event":"received","type":"text","size":4,"text":"\u001b[2J"})"),
            "   0.000 ←  4 B  \\x1b[2J\n");
  EXPECT_EQ(printed(R"({"event":"received","type":"binary","size":3,"hex":"4100ff"})"),
            "   0.000 ←  binary 3 B  A\\x00\\xff\n");
}

TEST(DryRunPrinter, SaysHowItEndedAndWhatToDo) {
  const std::string refused = printed(
      R"({"event":"ended","elapsed_us":5000000,"error":"script_timeout","message":"no message",
          "close_code":1001,"lived_ms":5000,"attempt":{"ended_ms":10,"script":[
            {"step":"open[0]","kind":"send","took_ms":0},
            {"step":"open[1]","kind":"wait","took_ms":null,"waits_for":"a message with /e = ok"}]}})");
  EXPECT_EQ(refused.substr(0, refused.find("\n            ", 100)),
            "   5.000 ✗  ended after 5.0 s, close code 1001: script_timeout: no message\n"
            "            open[1] waited in vain for a message with /e = ok");
  EXPECT_GT(std::ranges::count(refused, '\n'), 2) << "there is advice:\n" << refused;
  EXPECT_EQ(printed(R"({"event":"ended","error":"stopped","close_code":1001,"lived_ms":20})"),
            "   0.000    closed after 20 ms, close code 1001\n");
  const std::string failed = printed(
      R"({"event":"failed","error":"connection_refused","message":"127.0.0.1:1: TCP: refused",
          "attempt":{"number":1,"ended_ms":1,"legs":[{"url":"ws://a/","addresses":[
           {"address":"127.0.0.1:1","stage":"tcp","ended_ms":1,
            "failure":{"error":"connection_refused","message":"TCP: refused"}}]}]}})");
  for (const char* const expected :
       {"✗  not connected: connection_refused: 127.0.0.1:1: TCP: refused\n", "attempt 1",
        "✗ 127.0.0.1:1", "Check the port"}) {
    EXPECT_NE(failed.find(expected), std::string::npos) << expected << "\nin\n" << failed;
  }
  EXPECT_EQ(printed(R"({"event":"finished","reason":"time","ready":true,"messages_in":1200,
                        "bytes_in":2048,"messages_out":1,"bytes_out":9})"),
            "   0.000 ✓  was ready; 1,200 messages (2.0 KiB) came, 1 message (9 B) went\n");
  EXPECT_EQ(printed(R"({"event":"finished","ready":false})").substr(0, 34),
            "   0.000 ✗  never became ready; ");
}

TEST(DryRunPrinter, CutsToTheTerminal) {
  const std::string text(500, 'x');
  for (const bool unicode : {false, true}) {
    const std::string line =
        printed(R"({"event":"received","type":"text","size":500,"text":")" + text + "\"}",
                {.width = 60, .unicode = unicode, .colors = false}, true);
    EXPECT_EQ(display_width(line), 61U) << line;  // and the line's end
  }
  EXPECT_GT(display_width(
                printed(R"({"event":"received","type":"text","size":500,"text":")" + text + "\"}")),
            500U);
}

}  // namespace
}  // namespace wskeep::cli
