#include "ipc/access.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "config/principal.hpp"

namespace wskeep::ipc {
namespace {

using config::Principal;
using Kind = Principal::Kind;
using List = std::optional<config::Principals> config::Access::*;

constexpr struct {
  Right right;
  List list;
} all_rights[]{{Right::subscribe, &config::Access::subscribe},
               {Right::publish, &config::Access::publish},
               {Right::control, &config::Access::control}};

std::vector<std::uint32_t> groups_of(int socket) {
  std::vector<gid_t> groups(64);
  for (;;) {
    auto size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) == 0) {
      groups.resize(size / sizeof(gid_t));
      return {groups.begin(), groups.end()};
    }
    if (errno != ERANGE || size / sizeof(gid_t) <= groups.size()) return {};
    groups.resize(size / sizeof(gid_t));
  }
}

}  // namespace

std::optional<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  // Of what is no Unix socket, the kernel says that it is nobody's.
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      credentials.uid == static_cast<uid_t>(-1)) {
    return std::nullopt;
  }
  Peer peer{credentials.uid, groups_of(socket)};
  peer.groups.push_back(credentials.gid);
  std::erase(peer.groups, config::nobody);
  std::ranges::sort(peer.groups);
  peer.groups.erase(std::unique(peer.groups.begin(), peer.groups.end()), peer.groups.end());
  return peer;
}

std::string_view right_name(Right right) noexcept {
  switch (right) {
    case Right::subscribe:
      return "subscribe";
    case Right::publish:
      return "publish";
    case Right::control:
      break;
  }
  return "control";
}

bool names(const config::Principals& list, const Peer& peer, std::uint32_t own) {
  return std::ranges::any_of(list, [&](const Principal& principal) {
    switch (principal.kind) {
      case Kind::anyone:
        return true;
      case Kind::daemon:
        return peer.uid == own && own != config::nobody;
      case Kind::user:
        return peer.uid == principal.id && principal.id != config::nobody;
      case Kind::group:
        break;
    }
    return std::ranges::binary_search(peer.groups, principal.id);
  });
}

AccessRules::AccessRules(const config::Ipc& ipc, std::uint32_t own)
    : for_all_(ipc.access), own_(own) {
  const Principal anyone{Kind::anyone, 0, "anyone"};
  if (!for_all_.subscribe) for_all_.subscribe = {anyone};
  if (!for_all_.publish) for_all_.publish = {anyone};
  if (!for_all_.control)
    for_all_.control = {Principal{Kind::user, 0, "root"}, Principal{Kind::daemon, 0, "daemon"}};
  sockets_.emplace_back();
  for (const config::LocalSocket& socket : ipc.sockets) sockets_.push_back(socket.access);
}

Rights AccessRules::rights(const Client& client, const config::Access& connection) const {
  const config::Access none;
  const config::Access& socket = client.socket < sockets_.size() ? sockets_[client.socket] : none;
  Rights rights;
  for (const auto& [right, list] : all_rights) {
    const auto& own = connection.*list;
    const bool allowed = names(own ? *own : *(for_all_.*list), client.peer, own_);
    const auto& by_socket = socket.*list;
    if (allowed && (!by_socket || names(*by_socket, client.peer, own_))) rights.add(right);
  }
  return rights;
}

}  // namespace wskeep::ipc
