#include "config/warnings.hpp"

#include <gtest/gtest.h>

#include "config/load.hpp"

namespace wskeep::config {
namespace {

using Sentences = std::vector<std::string>;

Sentences warnings_of(const std::string& top, const std::string& setting = "history: 1MiB") {
  return warnings(
      load_text(top + "\nconnections:\n  a:\n    url: wss://h/\n    " + setting + "\n", "f"));
}

TEST(Warnings, OfNothing) {
  EXPECT_EQ(warnings_of("ipc: {access: {publish: [], control: [root, daemon, 'gid:0']}}"),
            Sentences{});
  EXPECT_EQ(warnings_of("", "access: {publish: ['uid:12345', anyone]}"), Sentences{});
}

TEST(Warnings, OfARightThatNobodyHas) {
  EXPECT_EQ(
      warnings_of("ipc: {sockets: [{path: /a, access: {publish: ['gid:4000000']}}]}",
                  "access: {control: ['gid:4000001', 'gid:4000002']}"),
      (Sentences{"ipc.sockets[0].access.publish: nobody has this right, for nobody is meant by "
                 "gid:4000000",
                 "connections.a.access.control: nobody has this right, for nobody is meant by "
                 "gid:4000001, gid:4000002"}));
  EXPECT_EQ(warnings_of("", "access: {control: ['gid:4000001', root]}"), Sentences{});
}

// `bin` is in no group but its own.
TEST(Warnings, OfWhoCannotOpenTheSocket) {
  const std::string closed = "ipc: {mode: '0660', group: root, access: {publish: ['user:bin']}";
  EXPECT_EQ(warnings_of(closed + "}"),
            Sentences{"ipc.access.publish: user:bin cannot open any of the sockets: put that user "
                      "into the group of one, or change its mode"});
  EXPECT_EQ(warnings_of(closed + ", sockets: [{path: /a, mode: '0666'}]}"), Sentences{});
  EXPECT_EQ(warnings_of(closed + ", sockets: [{path: /a, group: bin}]}"), Sentences{});
  // Of its own group, a file says nothing before there is a daemon.
  EXPECT_EQ(warnings_of("ipc: {access: {publish: ['user:bin']}}"), Sentences{});
}

}  // namespace
}  // namespace wskeep::config
