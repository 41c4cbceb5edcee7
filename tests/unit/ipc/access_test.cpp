#include "ipc/access.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "config/principal.hpp"

namespace wskeep::ipc {
namespace {

using config::Access;
using config::Principal;
using config::Principals;
using Kind = Principal::Kind;

constexpr std::uint32_t own = 990;
const Principal anyone{Kind::anyone, 0, "anyone"};
const Principal daemon_user{Kind::daemon, 0, "daemon"};
const Principal root{Kind::user, 0, "root"};

Principal user(std::uint32_t id) {
  return {Kind::user, id, ""};
}
Principal group(std::uint32_t id) {
  return {Kind::group, id, ""};
}

Client client(std::uint32_t uid, std::vector<std::uint32_t> groups = {}, std::size_t socket = 0) {
  return {{uid, std::move(groups)}, socket};
}

bool may(const AccessRules& rules, const Client& who, Right right, const Access& of = {}) {
  return rules.rights(who, of).has(right);
}

TEST(Access, NamesUsersAndGroupsAlone) {
  const Peer peer{1000, {100, 1000}};
  EXPECT_TRUE(names({user(1000)}, peer, own));
  EXPECT_FALSE(names({user(100)}, peer, own));
  EXPECT_TRUE(names({user(1), group(100)}, peer, own));
  EXPECT_FALSE(names({group(99), group(101)}, peer, own));
  EXPECT_TRUE(names({anyone}, peer, own));
  EXPECT_FALSE(names({}, peer, own));
  EXPECT_FALSE(names({root, daemon_user}, peer, own));
  EXPECT_TRUE(names({root}, {0, {}}, own));
  EXPECT_TRUE(names({daemon_user}, {own, {}}, own));
}

TEST(Access, WhomTheKernelCannotNameIsNobody) {
  const Peer unnamed{config::nobody, {}};
  EXPECT_FALSE(names({user(config::nobody), group(config::nobody)}, unnamed, own));
  EXPECT_FALSE(names({daemon_user}, unnamed, config::nobody));
  // The file's mode let it in; who it is was not asked.
  EXPECT_TRUE(names({anyone}, unnamed, own));
}

TEST(Access, ByDefaultAllReadAndSendAndRootAndTheDaemonControl) {
  const AccessRules rules({}, own);
  for (const std::uint32_t uid : {0U, own, 1000U, config::nobody}) {
    EXPECT_TRUE(may(rules, client(uid), Right::subscribe)) << uid;
    EXPECT_TRUE(may(rules, client(uid), Right::publish)) << uid;
    EXPECT_EQ(may(rules, client(uid), Right::control), uid == 0 || uid == own) << uid;
  }
}

TEST(Access, AConnectionSaysItItself) {
  config::Ipc ipc;
  ipc.access.subscribe = {user(1), user(2)};
  ipc.access.publish = {user(1)};
  const AccessRules rules(ipc, own);
  Access of;
  of.subscribe = {user(3)};
  EXPECT_FALSE(may(rules, client(1), Right::subscribe, of));
  EXPECT_TRUE(may(rules, client(3), Right::subscribe, of));
  EXPECT_TRUE(may(rules, client(1), Right::publish, of));
  EXPECT_TRUE(rules.rights(client(2), of).none());
  of.publish.emplace();
  EXPECT_TRUE(rules.rights(client(1), of).none());
}

TEST(Access, ASocketOnlyTakesAway) {
  config::Ipc ipc;
  ipc.access.control = {anyone};
  ipc.access.publish = {user(1)};
  config::LocalSocket reading;
  reading.access = {.subscribe = {}, .publish = Principals{}, .control = Principals{user(2)}};
  ipc.sockets = {reading};
  const AccessRules rules(ipc, own);
  EXPECT_TRUE(may(rules, client(1, {}, 0), Right::publish));
  EXPECT_FALSE(may(rules, client(1, {}, 1), Right::publish));
  EXPECT_FALSE(may(rules, client(2, {}, 1), Right::publish));
  EXPECT_TRUE(may(rules, client(1, {}, 1), Right::subscribe));
  EXPECT_FALSE(may(rules, client(1, {}, 1), Right::control));
  EXPECT_TRUE(may(rules, client(2, {}, 1), Right::control));
}

TEST(Access, ThePeerIsWhoeverConnected) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()), 0);
  const auto peer = peer_of(pair[0]);
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->uid, ::geteuid());
  EXPECT_TRUE(names({group(::getegid())}, *peer, own) || ::getegid() == config::nobody);
  const int internet = ::socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_FALSE(peer_of(internet));
  for (const int socket : {pair[0], pair[1], internet}) ::close(socket);
}

}  // namespace
}  // namespace wskeep::ipc
