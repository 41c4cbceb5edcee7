#include "config/principal.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "config/characters.hpp"
#include "config/quantity.hpp"

namespace wskeep::config {
namespace {

using Kind = Principal::Kind;

constexpr std::size_t largest_entry = std::size_t{16} << 20U;

/// Calls one of getpwnam_r and its like with as much memory as it needs; nothing: there is no such
/// entry. Throws PrincipalError where the system cannot say.
template <typename Entry, typename Key, typename Use>
auto look_up(int (*get)(Key, Entry*, char*, std::size_t, Entry**), Key key, Use use)
    -> std::optional<decltype(use(std::declval<const Entry&>()))> {
  std::vector<char> memory(4096);
  for (;;) {
    Entry entry{};
    Entry* found = nullptr;
    const int error = get(key, &entry, memory.data(), memory.size(), &found);
    if (error == ERANGE && memory.size() < largest_entry) {
      memory.resize(memory.size() * 4);
      continue;
    }
    if (error == EINTR) continue;
    if (found != nullptr) return use(*found);
    // Some sources say so of an entry that does not exist.
    if (error == 0 || error == ENOENT || error == ESRCH || error == EBADF || error == EPERM)
      return std::nullopt;
    throw PrincipalError("cannot be looked up: " + std::system_category().message(error));
  }
}

std::uint32_t user_id(const std::string& name) {
  const auto id =
      look_up(&::getpwnam_r, name.c_str(), [](const passwd& entry) { return entry.pw_uid; });
  if (!id) throw PrincipalError("names a user that does not exist here");
  return *id;
}

std::uint32_t group_id(const std::string& name) {
  const auto id =
      look_up(&::getgrnam_r, name.c_str(), [](const ::group& entry) { return entry.gr_gid; });
  if (!id) throw PrincipalError("names a group that does not exist here");
  return *id;
}

std::uint32_t number(std::string_view text) {
  try {
    // -1 is no user either: it stands for "leave as it is".
    const std::uint64_t value = parse_count(text);
    if (value < 0xFFFF'FFFF) return static_cast<std::uint32_t>(value);
  } catch (const QuantityError&) {
  }
  throw PrincipalError("has no number behind the colon");
}

}  // namespace

Principal parse_principal(std::string_view text) {
  const std::string whole(text);
  if (text == "anyone") return {Kind::anyone, 0, whole};
  if (text == "daemon") return {Kind::daemon, 0, whole};
  if (text == "root") return {Kind::user, 0, whole};
  const std::size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  if (colon == std::string_view::npos || colon + 1 == text.size() || has_control(text))
    throw PrincipalError("is not who may do something");
  const std::string name(text.substr(colon + 1));
  Principal principal{kind == "user" || kind == "uid" ? Kind::user : Kind::group, 0, whole};
  if (kind == "user") {
    principal.id = user_id(name);
  } else if (kind == "group") {
    principal.id = group_id(name);
  } else if (kind == "uid" || kind == "gid") {
    principal.id = number(name);
  } else {
    throw PrincipalError("is not who may do something");
  }
  if (principal.id == nobody) {
    throw PrincipalError(
        "is number 65534, which stands for whom the system cannot name: nobody "
        "has rights by it");
  }
  return principal;
}

// The path has to fit into sockaddr_un with its end mark.
std::string socket_error(std::string_view path) {
  return path.empty() || path.size() > 107 || has_control(path) ? "is not a path of 1 to 107 bytes"
                                                                : "";
}

std::string group_error(std::string_view name) {
  return has_control(name) || name.find_first_of(" :/") != std::string_view::npos
             ? "is not the name of a group"
             : "";
}

bool is_member(std::uint32_t uid, const std::string& group) {
  try {
    const std::uint32_t wanted = group_id(group);
    const auto member = look_up(&::getpwuid_r, uid, [wanted](const passwd& entry) {
      std::vector<gid_t> groups(64);
      int count = static_cast<int>(groups.size());
      if (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0) {
        groups.resize(static_cast<std::size_t>(count));
        if (::getgrouplist(entry.pw_name, entry.pw_gid, groups.data(), &count) < 0) return true;
      }
      groups.resize(static_cast<std::size_t>(count));
      return std::ranges::find(groups, wanted) != groups.end();
    });
    return member.value_or(true);
  } catch (const PrincipalError&) {
    return true;
  }
}

bool has_members(const Principal& principal) {
  if (principal.kind != Kind::group) return true;
  try {
    const auto listed = look_up(&::getgrgid_r, principal.id, [](const ::group& entry) {
      return entry.gr_mem != nullptr && *entry.gr_mem != nullptr;
    });
    if (listed.value_or(false)) return true;
  } catch (const PrincipalError&) {
    return true;
  }
  // Whose own group it is does not stand there. Read once, by who checks a file: no other thread
  // reads the list of users.
  bool found = false;
  ::setpwent();
  for (const passwd* entry = ::getpwent(); entry != nullptr && !found; entry = ::getpwent())
    found = entry->pw_gid == principal.id;
  ::endpwent();
  return found;
}

}  // namespace wskeep::config
