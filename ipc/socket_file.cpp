#include "ipc/socket_file.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace wskeep::ipc {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::system_category().message(errno));
}

gid_t find_group(const std::string& name) {
  const ::group* found = ::getgrnam(name.c_str());
  if (found == nullptr) {
    throw std::runtime_error("ipc.group: there is no group '" + name +
                             "': create it (groupadd --system " + name + ") or name another");
  }
  return found->gr_gid;
}

sockaddr_un make_address(const std::string& file) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (file.size() >= sizeof address.sun_path) {
    throw std::runtime_error("ipc.socket: " + file + " is too long: a socket's path has at most " +
                             std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, file.c_str(), file.size() + 1);
  return address;
}

}  // namespace

SocketFile::SocketFile(const std::filesystem::path& file, std::uint32_t mode,
                       const std::string& group)
    : file_(file) {
  lock();
  try {
    bind_and_listen(mode, group);
  } catch (...) {
    if (listener_ >= 0) ::close(listener_);
    ::close(lock_);
    throw;
  }
}

void SocketFile::lock() {
  const std::string lock_file = file_.string() + ".lock";
  lock_ = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ < 0) fail("ipc.socket: cannot open the lock file " + lock_file);
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  ::close(lock_);
  if (reason == EWOULDBLOCK) {
    throw std::runtime_error("ipc.socket: another wskeepd listens at " + file_.string() +
                             ": stop it, or give this one another socket");
  }
  errno = reason;
  fail("ipc.socket: cannot lock " + lock_file);
}

void SocketFile::bind_and_listen(std::uint32_t mode, const std::string& group) {
  const sockaddr_un address = make_address(file_.string());
  const std::optional<gid_t> owner =
      group.empty() ? std::nullopt : std::optional<gid_t>(find_group(group));
  struct stat status {};
  if (::lstat(file_.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode)) {
      throw std::runtime_error("ipc.socket: " + file_.string() +
                               " exists and is not a socket: remove it, or choose another path");
    }
    // The lock is ours, so whoever made it is gone.
    if (::unlink(file_.c_str()) != 0) fail("ipc.socket: cannot remove the stale " + file_.string());
  }
  listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) fail("ipc.socket: cannot make a socket");
  // The file is made with no rights at all; nobody can connect until they are given.
  ::fchmod(listener_, 0);
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("ipc.socket: cannot listen at " + file_.string());
  }
  // Only where it is wanted: a sandbox may forbid chown (systemd/wskeepd.service does).
  if (owner && ::chown(file_.c_str(), static_cast<uid_t>(-1), *owner) != 0) {
    fail("ipc.group: cannot give " + file_.string() + " to the group '" + group + "'");
  }
  if (::chmod(file_.c_str(), mode) != 0) fail("ipc.mode: cannot set the mode of " + file_.string());
  if (::listen(listener_, SOMAXCONN) != 0) fail("ipc.socket: cannot listen at " + file_.string());
  if (::lstat(file_.c_str(), &status) != 0)
    fail("ipc.socket: " + file_.string() + " is gone again");
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

std::string SocketFile::handed_over_error(int listener, const std::filesystem::path& file) {
  sockaddr_un address{};
  socklen_t size = sizeof address - 1;  // so that the path ends in any case
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      address.sun_family != AF_UNIX) {
    return "ipc.socket: what was handed over is not a Unix socket";
  }
  if (file == address.sun_path) return "";
  return "ipc.socket is " + file.string() + ", but the socket that was handed over lies at " +
         address.sun_path + ": make them equal (ListenStream= of wskeepd.socket)";
}

int SocketFile::take_listener() noexcept {
  return std::exchange(listener_, -1);
}

SocketFile::~SocketFile() {
  struct stat status {};
  if (::lstat(file_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
    ::unlink(file_.c_str());
  }
  if (listener_ >= 0) ::close(listener_);
  ::close(lock_);
}

}  // namespace wskeep::ipc
