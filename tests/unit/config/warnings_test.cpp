#include "config/warnings.hpp"

#include <gtest/gtest.h>

#include "config/load.hpp"

namespace wskeep::config {
namespace {

using Sentences = std::vector<std::string>;

Sentences warnings_of(const std::string& top, const std::string& setting = "history: 1MiB") {
  Places places;
  const Config config = load_text(
      top + "\nconnections:\n  a:\n    url: wss://h/\n    " + setting + "\n", "f", &places);
  Sentences sentences;
  for (const Warning& warning : socket_warnings(config, places))
    sentences.push_back(warning.text());
  for (const Warning& warning : warnings(config, places)) sentences.push_back(warning.text());
  return sentences;
}

TEST(Warnings, OfNothing) {
  EXPECT_EQ(warnings_of("ipc: {access: {publish: [], control: [root, daemon, 'gid:0']}}"),
            Sentences{});
  EXPECT_EQ(warnings_of("", "access: {publish: ['uid:12345', anyone]}"), Sentences{});
}

TEST(Warnings, OfARightThatNobodyHas) {
  EXPECT_EQ(
      warnings_of("ipc: {sockets: [{path: /tmp/a, access: {publish: ['gid:4000000']}}]}",
                  "access: {control: ['gid:4000001', 'gid:4000002']}"),
      (Sentences{"ipc.sockets[0].access.publish: nobody has this right, for nobody is meant by "
                 "gid:4000000: put somebody into that group, or name others",
                 "connections.a.access.control: nobody has this right, for nobody is meant by "
                 "gid:4000001, gid:4000002: put somebody into that group, or name others"}));
  EXPECT_EQ(warnings_of("", "access: {control: ['gid:4000001', root]}"), Sentences{});
}

// `bin` is in no group but its own.
TEST(Warnings, OfWhoCannotOpenTheSocket) {
  const std::string closed = "ipc: {mode: '0660', group: root, access: {publish: ['user:bin']}";
  EXPECT_EQ(warnings_of(closed + "}"),
            Sentences{"ipc.access.publish: user:bin cannot open any of the sockets: put that user "
                      "into the group of one, or change its mode"});
  EXPECT_EQ(warnings_of(closed + ", sockets: [{path: /tmp/a, mode: '0666'}]}"), Sentences{});
  EXPECT_EQ(warnings_of(closed + ", sockets: [{path: /tmp/a, group: bin}]}"), Sentences{});
  // Of its own group, a file says nothing before there is a daemon.
  EXPECT_EQ(warnings_of("ipc: {access: {publish: ['user:bin']}}"), Sentences{});
}

TEST(Warnings, OfASocketInAFolderThatIsNotThere) {
  EXPECT_EQ(
      warnings_of("ipc: {socket: /nonexistent/s}"),
      Sentences{"ipc.socket: there is no folder /nonexistent: make it before wskeepd starts"});
  EXPECT_EQ(
      warnings_of("ipc: {sockets: [{path: /nonexistent/s}]}"),
      Sentences{"ipc.sockets[0].path: there is no folder /nonexistent: make it before wskeepd "
                "starts"});
  // Of the service, it is made at each start.
  EXPECT_EQ(warnings_of("ipc: {socket: /run/wskeep/other.sock}"), Sentences{});
}

TEST(Warnings, OfAStateDirectoryThatCannotBeMade) {
  EXPECT_EQ(warnings_of("state_directory: /nonexistent/a/b"),
            Sentences{"state_directory: there is no folder /nonexistent/a: make it"});
  EXPECT_EQ(warnings_of("state_directory: /tmp/not-there-yet"), Sentences{});
  EXPECT_EQ(warnings_of("state_directory: /tmp"), Sentences{});
}

TEST(Warnings, OfAHistoryThatHoldsNoMessage) {
  EXPECT_EQ(warnings_of("", "history: 64KiB"),
            Sentences{"connections.a.history: is less than one message of max_message, and so is "
                      "made as large: raise it, or lower max_message"});
  EXPECT_EQ(warnings_of("defaults: {history: 64KiB}", "max_message: 1KiB"), Sentences{});
  // Who wants large messages has said nothing of the history.
  EXPECT_EQ(warnings_of("", "max_message: 16MiB"), Sentences{});
}

TEST(Warnings, OfAProgramThatCannotBeRun) {
  const Sentences told = warnings_of("", "session: {prepare: [{command: [/etc/passwd]}]}");
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(
      told.front().find("connections.a.session.prepare[0].command: /etc/passwd cannot be run"),
      std::string::npos)
      << told.front();
  EXPECT_EQ(warnings_of("", "session: {prepare: [{command: [/bin/true]}]}"), Sentences{});
}

TEST(Warnings, WhereTheyStand) {
  Places places;
  const Config config = load_text(
      "defaults:\n  history: 64KiB\n  session:\n    prepare:\n    - timeout: 1s\n"
      "      command: [/etc/passwd]\nconnections:\n  a.b:\n    url: wss://h/\n",
      "f", &places);
  const auto line = [&](std::string_view path) {
    const Whereabouts* const place = find_place(places, "a.b", path);
    return place == nullptr ? 0 : place->line;
  };
  EXPECT_EQ(line("history"), 2U);
  EXPECT_EQ(line("session.prepare[0].command"), 6U);
  EXPECT_EQ(line("url"), 9U);
  EXPECT_EQ(line("tls.key"), 8U);
  EXPECT_EQ(find_place(places, "", "ipc.socket"), nullptr);
  EXPECT_EQ(warnings(config, places).size(), 2U);
}

}  // namespace
}  // namespace wskeep::config
