#include "cli/run_as.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "cli/escape.hpp"
#include "cli/request.hpp"

namespace wskeep::cli {

void become(const std::string& user) {
  const passwd* const entry = ::getpwnam(user.c_str());
  if (entry == nullptr) {
    throw CommandError(ExitCode::usage, "there is no user " + visible(user) +
                                            ": getent passwd lists those that there are");
  }
  if (entry->pw_uid == ::geteuid()) return;
  if (::initgroups(user.c_str(), entry->pw_gid) != 0 || ::setgid(entry->pw_gid) != 0 ||
      ::setuid(entry->pw_uid) != 0) {
    throw CommandError(ExitCode::usage, "cannot check as " + visible(user) + ": " +
                                            std::generic_category().message(errno) +
                                            "; only root can: sudo wskeep check --user " +
                                            visible(user) + " FILE");
  }
}

std::string own_user() {
  const passwd* const entry = ::getpwuid(::geteuid());
  return entry == nullptr ? "uid " + std::to_string(::geteuid()) : entry->pw_name;
}

bool has_user(const std::string& name) {
  return ::getpwnam(name.c_str()) != nullptr;
}

}  // namespace wskeep::cli
