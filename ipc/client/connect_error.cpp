#include "ipc/client/connect_error.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "ipc/client/error.hpp"

namespace wskeep::ipc {
namespace {

/// Our own name, if there is one.
std::optional<std::string> user_name() {
  const passwd* const entry = ::getpwuid(::geteuid());
  return entry == nullptr ? std::nullopt : std::optional<std::string>(entry->pw_name);
}

/// Whether the user is in the group, as whoever logs in now would find.
bool is_member(const std::string& user, gid_t group) {
  const passwd* const entry = ::getpwnam(user.c_str());
  if (entry == nullptr) return false;
  int count = 64;
  std::vector<gid_t> groups(static_cast<std::size_t>(count));
  if (::getgrouplist(user.c_str(), entry->pw_gid, groups.data(), &count) < 0) {
    groups.resize(static_cast<std::size_t>(std::max(count, 0)));
    if (::getgrouplist(user.c_str(), entry->pw_gid, groups.data(), &count) < 0) return false;
  }
  groups.resize(static_cast<std::size_t>(count));
  return std::ranges::find(groups, group) != groups.end();
}

std::string who_may(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return "a folder on the way to it may not be entered (namei -l " + path + ")";
  const group* const owner = ::getgrgid(status.st_gid);
  const std::optional<std::string> user = user_name();
  // To be in root's group is nobody's way in.
  if ((status.st_mode & S_IWGRP) == 0 || status.st_gid == 0 || owner == nullptr || !user)
    return "its owner, or root, has to give you the right (ls -l " + path + ")";
  const std::string name = owner->gr_name;
  if (is_member(*user, status.st_gid)) {
    return "you are in the group " + name + ", but not yet when you logged in: log in again, or " +
           "`newgrp " + name + "`";
  }
  return "you are not in the group " + name + ": `sudo adduser " + *user + " " + name +
         "`, then log in again";
}

}  // namespace

void throw_connect_error(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED:
      throw ClientError(Fault::no_daemon, "no daemon listens at " + path +
                                              ": `sudo systemctl start wskeepd` starts it, "
                                              "`systemctl status wskeepd` says why it has ended");
    case EACCES:
    case EPERM:
      throw ClientError(Fault::no_daemon, "not allowed to open " + path + ": " + who_may(path));
    case EPROTOTYPE:
    case ENOTSOCK:
      throw ClientError(Fault::no_daemon, path + " is not a stream socket: is --socket right?");
    default:
      throw ClientError(Fault::no_daemon,
                        "cannot connect to " + path + ": " + std::strerror(error));
  }
}

}  // namespace wskeep::ipc
