#include <gtest/gtest.h>

#include "config/difference.hpp"
#include "config/principal.hpp"
#include "load_cases.hpp"

// Who may do what, the further sockets, and how fast may be published.
namespace wskeep::config {
namespace {

using Kind = Principal::Kind;

Config load_top(const std::string& lines) {
  return load_text(lines + "\nconnections: {a: {url: wss://h/}}\n", "f");
}

TEST(AccessKeys, AreReadWithTheNumbersOfTheNames) {
  const Config config = load_top(
      "ipc: {access: {subscribe: [anyone], publish: ['user:root', 'uid:1000', 'gid:7', "
      "'group:root'], control: [root, daemon]}}");
  const Access& access = config.ipc.access;
  EXPECT_EQ(*access.subscribe, (Principals{{Kind::anyone, 0, "anyone"}}));
  EXPECT_EQ(*access.publish, (Principals{{Kind::user, 0, "user:root"},
                                         {Kind::user, 1000, "uid:1000"},
                                         {Kind::group, 7, "gid:7"},
                                         {Kind::group, 0, "group:root"}}));
  EXPECT_EQ(*access.control, (Principals{{Kind::user, 0, "root"}, {Kind::daemon, 0, "daemon"}}));
}

TEST(AccessKeys, NothingIsSomethingElseThanNobody) {
  const Config config = load_text(
      "defaults: {access: {publish: [], control: [root]}}\n"
      "connections:\n"
      "  a: {url: 'wss://h/', access: {publish: [anyone]}}\n"
      "  b: {url: 'wss://h/'}\n",
      "f");
  EXPECT_FALSE(config.ipc.access.publish);
  const Access& a = config.connections[0].settings.access;
  const Access& b = config.connections[1].settings.access;
  EXPECT_EQ(a.publish->size(), 1U);
  EXPECT_EQ(a.control->size(), 1U);
  EXPECT_FALSE(a.subscribe);
  EXPECT_TRUE(b.publish && b.publish->empty());
}

TEST(AccessKeys, SayWhatIsWrongAndWhere) {
  const std::string allowed =
      "; allowed: user:NAME, group:NAME, uid:N, gid:N, root, daemon and anyone";
  const std::vector<Case> cases{
      {"access: {publish: ['user:no-such-user']}",
       "f:3:24: connections.a.access.publish[0]: 'user:no-such-user' names a user that does not "
       "exist here"},
      {"access: {control: [root, 'group:no-such-group']}",
       "f:3:30: connections.a.access.control[1]: 'group:no-such-group' names a group that does not "
       "exist here"},
      {"access: {publish: [somebody]}",
       "f:3:24: connections.a.access.publish[0]: 'somebody' is not who may do something" + allowed},
      {"access: {publish: ['user:']}",
       "f:3:24: connections.a.access.publish[0]: 'user:' is not who may do something" + allowed},
      {"access: {publish: ['uid:-1']}",
       "f:3:24: connections.a.access.publish[0]: 'uid:-1' has no number behind the colon"},
      {"access: {publish: ['uid:4294967295']}",
       "f:3:24: connections.a.access.publish[0]: 'uid:4294967295' has no number behind the colon"},
      {"access: {publish: ['uid:65534']}",
       "f:3:24: connections.a.access.publish[0]: 'uid:65534' is number 65534, which stands for "
       "whom the system cannot name: nobody has rights by it"},
      {"access: {publish: [root, root]}",
       "f:3:30: connections.a.access.publish[1]: 'root' is in the list twice"},
      {"access: {publish: root}",
       "f:3:23: connections.a.access.publish: is text; allowed: list of user:NAME, group:NAME, "
       "uid:N, gid:N, root, daemon and anyone"},
  };
  for (const Case& one : cases) EXPECT_EQ(error_of_setting(one.yaml), one.error) << one.yaml;
}

TEST(SocketsKey, IsAListOfSocketsWithRights) {
  const Config config = load_top(
      "ipc: {sockets: [{path: /run/a.sock, mode: '0666', access: {publish: [], control: []}}, "
      "{path: /run/b.sock, group: root}]}");
  ASSERT_EQ(config.ipc.sockets.size(), 2U);
  const LocalSocket& reading = config.ipc.sockets[0];
  EXPECT_EQ(reading.path, "/run/a.sock");
  EXPECT_EQ(reading.mode, 0666U);
  EXPECT_FALSE(reading.access.subscribe);
  EXPECT_TRUE(reading.access.publish && reading.access.publish->empty());
  EXPECT_EQ(config.ipc.sockets[1].mode, 0660U);
  EXPECT_EQ(config.ipc.sockets[1].group, "root");
}

TEST(SocketsKey, SaysWhatIsWrong) {
  const std::vector<Case> cases{
      {"ipc: {sockets: [{mode: '0600'}]}", "f:1:17: ipc.sockets[0]: has no 'path'"},
      {"ipc: {sockets: [{path: /a, mode: 0600}]}",
       "f:1:34: ipc.sockets[0].mode: '0600' needs quotes, because it is octal; allowed: \"0600\""},
      {"ipc: {sockets: [{path: /a, colour: red}]}",
       "f:1:28: ipc.sockets[0].colour: unknown key; allowed: path, mode, group and access"},
      {"ipc: {sockets: [{path: /a, access: {read: [root]}}]}",
       "f:1:37: ipc.sockets[0].access.read: unknown key; allowed: subscribe, publish and control"},
      {"ipc: {sockets: [{path: /a}, {path: /a}]}",
       "f:1:29: ipc.sockets[1]: has the path of another socket"},
      {"ipc: {socket: /a, sockets: [{path: /a}]}",
       "f:1:28: ipc.sockets: one of them has the path of ipc.socket"},
  };
  for (const Case& one : cases) EXPECT_EQ(error_of_top(one.yaml), one.error) << one.yaml;
}

TEST(PublishKeys, AreRates) {
  const ConnectionSettings settings =
      settings_of("publish_rate: 100/s\n    publish_bytes: 1MiB/10s");
  EXPECT_EQ(settings.publish.rate, (Rate{100, Milliseconds(1000)}));
  EXPECT_EQ(settings.publish.bytes, (ByteRate{1U << 20U, Milliseconds(10'000)}));
  EXPECT_TRUE(settings_of("publish_bytes: off", "defaults: {publish_bytes: 1kB/s}").publish.off());
  EXPECT_EQ(error_of_setting("publish_bytes: 5"),
            "f:3:20: connections.a.publish_bytes: '5' is not a rate such as 64KiB/s, 10MB/1m or "
            "1GiB/1d; allowed: size in a duration such as 1MiB/s, or off");
}

// A right that is taken away is taken away at once.
TEST(AccessDifference, HoldsInPlace) {
  const Config before = load_top("ipc: {sockets: [{path: /a}]}");
  const Config rights =
      load_top("ipc: {access: {publish: [root]}, sockets: [{path: /a, access: {publish: []}}]}");
  EXPECT_EQ(difference(before, rights).in_place,
            (std::vector<std::string>{"ipc.sockets", "ipc.access.publish"}));
  EXPECT_TRUE(difference(before, rights).next_start.empty());
  const Config moved = load_top(
      "ipc: {sockets: [{path: /b}, {path: /a, mode: '0600', access: "
      "{publish: []}}]}");
  EXPECT_EQ(difference(before, moved).next_start, std::vector<std::string>{"ipc.sockets"});
  const Config after = after_reload(before, moved);
  ASSERT_EQ(after.ipc.sockets.size(), 1U);
  EXPECT_EQ(after.ipc.sockets[0].path, "/a");
  EXPECT_EQ(after.ipc.sockets[0].mode, 0660U);
  EXPECT_TRUE(after.ipc.sockets[0].access.publish);

  Config connection = before;
  connection.connections[0].settings.access.control.emplace();
  const Difference of_connection = difference(before, connection);
  ASSERT_EQ(of_connection.changed.size(), 1U);
  EXPECT_EQ(of_connection.changed[0].effect, Effect::in_place);
}

TEST(Principal, AGroupMayHaveNoMembers) {
  EXPECT_TRUE(has_members(parse_principal("root")));
  EXPECT_TRUE(has_members(parse_principal("anyone")));
  EXPECT_TRUE(has_members(parse_principal("gid:0")));  // root's own
  EXPECT_FALSE(has_members(parse_principal("gid:4000000")));
}

}  // namespace
}  // namespace wskeep::config
