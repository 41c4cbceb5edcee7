#include "cli/options.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

namespace wskeep::cli {
namespace {

using namespace std::chrono_literals;
using Arguments = std::vector<std::string>;

Options accepted(const Arguments& arguments) {
  const auto parsed = parse_arguments(arguments);
  if (const auto* leave = std::get_if<Leave>(&parsed)) {
    ADD_FAILURE() << leave->error << leave->output;
    return {};
  }
  return std::get<Options>(parsed);
}

Leave left(const Arguments& arguments) {
  const auto parsed = parse_arguments(arguments);
  if (const auto* leave = std::get_if<Leave>(&parsed)) return *leave;
  ADD_FAILURE() << "accepted";
  return {};
}

TEST(Options, GlobalOnesStandBeforeAndBehindTheCommand) {
  for (const Arguments& arguments :
       {Arguments{"--json", "--socket", "/a", "--color", "never", "--timeout", "2s", "show", "x"},
        Arguments{"show", "x", "--json", "--socket=/a", "--color=never", "--timeout=2s"}}) {
    const Options options = accepted(arguments);
    EXPECT_TRUE(options.json);
    EXPECT_EQ(options.socket, "/a");
    EXPECT_EQ(options.color, ColorChoice::never);
    EXPECT_EQ(options.timeout, 2s);
    EXPECT_EQ(std::get<ShowCommand>(options.command).name, "x");
  }
}

TEST(Options, TheSocketComesFromTheEnvironmentUnlessSaid) {
  ::unsetenv("WSKEEP_SOCKET");
  EXPECT_EQ(accepted({"list"}).socket, "/run/wskeep/wskeep.sock");
  ::setenv("WSKEEP_SOCKET", "/from/environment", 1);
  EXPECT_EQ(accepted({"list"}).socket, "/from/environment");
  EXPECT_EQ(accepted({"list", "--socket", "/said"}).socket, "/said");
  ::unsetenv("WSKEEP_SOCKET");
}

TEST(Options, Tail) {
  const auto tail =
      std::get<TailCommand>(accepted({"tail", "trades", "--from", "oldest", "--events", "--limit",
                                      "5", "--timestamps", "--reconnect"})
                                .command);
  EXPECT_EQ(tail.name, "trades");
  EXPECT_EQ(tail.from, "oldest");
  EXPECT_EQ(tail.limit, 5U);
  EXPECT_TRUE(tail.events && tail.timestamps && tail.reconnect);
  EXPECT_EQ(std::get<TailCommand>(accepted({"tail", "t", "--after", "5f2c:12"}).command).after,
            "5f2c:12");
}

TEST(Options, Why) {
  EXPECT_EQ(std::get<WhyCommand>(accepted({"why", "trades"}).command).name, "trades");
  EXPECT_FALSE(std::get<WhyCommand>(accepted({"why", "trades"}).command).cycles);
  EXPECT_EQ(std::get<WhyCommand>(accepted({"why", "t", "--cycles", "5"}).command).cycles, 5U);
}

TEST(Options, Top) {
  const auto top = [](const Arguments& arguments) {
    return std::get<TopCommand>(accepted(arguments).command);
  };
  EXPECT_EQ(top({"top"}).batch, 0U);
  EXPECT_EQ(top({"top"}).interval, 1s);
  EXPECT_EQ(top({"top", "--once", "--interval", "200ms"}).batch, 1U);
  EXPECT_EQ(top({"top", "--once", "--interval", "200ms"}).interval, 200ms);
  EXPECT_EQ(top({"top", "--batch", "5", "--sort", "lag", "--filter", "a"}).order, TopOrder::lag);
  EXPECT_EQ(left({"top", "--batch", "2", "--once"}).code, ExitCode::usage);
  EXPECT_EQ(left({"top", "--sort", "colour"}).code, ExitCode::usage);
}

TEST(Options, ControlsTakeNamesOrAll) {
  const auto control = [](const Arguments& arguments) {
    return std::get<ControlCommand>(accepted(arguments).command);
  };
  EXPECT_EQ(control({"pause", "a", "b"}).names, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(control({"pause", "a"}).control, Control::pause);
  EXPECT_EQ(control({"resume", "a"}).control, Control::resume);
  EXPECT_EQ(control({"reconnect", "a"}).control, Control::reconnect);
  EXPECT_TRUE(control({"reconnect", "--all"}).all);
  EXPECT_FALSE(control({"reconnect", "a"}).wait);
}

TEST(Options, TheTimeToWaitIsNoName) {
  for (const Arguments& arguments :
       {Arguments{"resume", "--wait", "a"}, Arguments{"resume", "a", "--wait"}}) {
    const auto command = std::get<ControlCommand>(accepted(arguments).command);
    EXPECT_EQ(command.names, std::vector<std::string>{"a"});
    EXPECT_EQ(command.wait, 1min);
  }
  EXPECT_EQ(std::get<ControlCommand>(accepted({"reconnect", "a", "--wait=5s"}).command).wait, 5s);
}

TEST(Options, TextIsSentAsItStands) {
  for (const std::string text : {"{\"op\":\"ping\"}", "", "[1,2]", "\"quoted\"", "a b", "%%"}) {
    const auto send = std::get<SendCommand>(accepted({"send", "trades", text}).command);
    ASSERT_TRUE(send.text) << text;
    EXPECT_EQ(*send.text, text);
  }
  EXPECT_EQ(std::get<SendCommand>(accepted({"send", "t", "--", "-1"}).command).text, "-1");
  EXPECT_FALSE(std::get<SendCommand>(accepted({"send", "t"}).command).text);
}

TEST(Options, MistakesAreUsageErrorsThatNameTheHelp) {
  for (const Arguments& arguments : {Arguments{},
                                     Arguments{"frobnicate"},
                                     Arguments{"show"},
                                     Arguments{"show", "a", "b"},
                                     Arguments{"tail", "x", "--from", "middle"},
                                     Arguments{"tail", "x", "--after", "12"},
                                     Arguments{"tail", "x", "--from", "oldest", "--after", "a:1"},
                                     Arguments{"tail", "x", "--limit", "0"},
                                     Arguments{"tail", "x", "--limit", "-3"},
                                     Arguments{"list", "--color", "red"},
                                     Arguments{"list", "--timeout", "soon"},
                                     Arguments{"pause"},
                                     Arguments{"pause", "a", "--all"},
                                     Arguments{"pause", "a", "--wait"},
                                     Arguments{"reconnect", "a", "--wait=soon"},
                                     Arguments{"why"},
                                     Arguments{"why", "a", "b"},
                                     Arguments{"why", "a", "--cycles", "0"},
                                     Arguments{"send", "x", "text", "--whole"},
                                     Arguments{"list", "--nonsense"}}) {
    const Leave leave = left(arguments);
    EXPECT_EQ(leave.code, ExitCode::usage);
    EXPECT_NE(leave.error.find("--help"), std::string::npos) << leave.error;
    EXPECT_EQ(leave.output, "");
  }
}

TEST(Options, HelpNamesEveryExitCode) {
  const Leave leave = left({"--help"});
  EXPECT_EQ(leave.code, ExitCode::ok);
  for (const char* line : {"\n  0 ", "\n  1 ", "\n  2 ", "\n  3 ", "\n  4 ", "\n  5 ", "\n  6 ",
                           "\n  130 ", "Examples:"}) {
    EXPECT_NE(leave.output.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(left({"--version"}).output.substr(0, 7), "wskeep ");
  EXPECT_EQ(left({"tail", "--help"}).code, ExitCode::ok);
}

}  // namespace
}  // namespace wskeep::cli
