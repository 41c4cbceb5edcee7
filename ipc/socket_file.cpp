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
#include <stdexcept>
#include <system_error>
#include <utility>

namespace wskeep::ipc {
namespace {

/// Closes what is not let go of.
class Owned {
 public:
  explicit Owned(int descriptor) noexcept : descriptor_(descriptor) {}
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

/// What mostly is the reason under systemd, whose service may write to two folders alone.
std::string hint(int reason) {
  if (reason != EROFS && reason != EACCES) return {};
  return ": the service wskeepd can make sockets in /run/wskeep; for another folder see "
         "ReadWritePaths= in systemd.exec(5)";
}

/// The path fits: the configuration was checked for it.
sockaddr_un make_address(const std::string& file) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  file.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

}  // namespace

SocketFile::SocketFile(const config::LocalSocket& settings, std::string key)
    : settings_(settings), key_(std::move(key)) {
  if (settings_.path.size() >= sizeof(sockaddr_un::sun_path)) {
    refuse(settings_.path + " is too long: a socket's path has at most " +
           std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
  }
  lock();
  try {
    bind_and_listen();
  } catch (...) {
    ::close(lock_);
    throw;
  }
}

void SocketFile::fail(const std::string& what) const {
  const int reason = errno;
  refuse(what + ": " + std::system_category().message(reason) + hint(reason));
}

void SocketFile::refuse(const std::string& what) const {
  throw std::runtime_error(key_ + ": " + what);
}

void SocketFile::lock() {
  const std::string lock_file = settings_.path + ".lock";
  lock_ = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ < 0) fail("cannot open the lock file " + lock_file);
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  ::close(lock_);
  if (reason == EWOULDBLOCK) {
    refuse("another wskeepd listens at " + settings_.path +
           ": stop it, or give this one another socket");
  }
  errno = reason;
  fail("cannot lock " + lock_file);
}

/// The lock is ours, so whoever made the file is gone; unless somebody removed the lock file, or
/// the socket is that of a service manager or of another program.
void SocketFile::remove_stale() const {
  struct stat status {};
  if (::lstat(settings_.path.c_str(), &status) != 0) return;
  if (!S_ISSOCK(status.st_mode)) {
    refuse(settings_.path + " exists and is not a socket: remove it, or choose another path");
  }
  const Owned probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = make_address(settings_.path);
  const int connected =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (connected == 0 || errno == EAGAIN) {
    refuse("somebody listens at " + settings_.path +
           ": stop that program, or give this one another socket");
  }
  if (::unlink(settings_.path.c_str()) != 0) fail("cannot remove the stale " + settings_.path);
}

void SocketFile::bind_and_listen() {
  const std::string& path = settings_.path;
  const ::group* const owner =
      settings_.group.empty() ? nullptr : ::getgrnam(settings_.group.c_str());
  if (owner == nullptr && !settings_.group.empty()) {
    throw std::runtime_error("ipc.group: there is no group '" + settings_.group +
                             "': create it (groupadd --system " + settings_.group +
                             ") or name another");
  }
  remove_stale();
  Owned listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (listener.get() < 0) fail("cannot make a socket");
  // The file is made with no rights at all; nobody can connect until they are given.
  ::fchmod(listener.get(), 0);
  const sockaddr_un address = make_address(path);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail("cannot listen at " + path);
  // Only where it is wanted: a sandbox may forbid chown (systemd/wskeepd.service does).
  if (owner != nullptr && ::chown(path.c_str(), static_cast<uid_t>(-1), owner->gr_gid) != 0)
    refuse("cannot give " + path + " to the group '" + settings_.group +
           "': " + std::system_category().message(errno) +
           ": wskeepd has to be a member of it, and to be allowed to. `systemctl edit wskeepd`: "
           "[Service], SupplementaryGroups=" +
           settings_.group + ", SystemCallFilter=@chown");
  if (::chmod(path.c_str(), settings_.mode) != 0) fail("cannot set the mode of " + path);
  if (::listen(listener.get(), SOMAXCONN) != 0) fail("cannot listen at " + path);
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) refuse(path + " is gone again");
  device_ = status.st_dev;
  inode_ = status.st_ino;
  if (listener_ >= 0) ::close(listener_);
  listener_ = listener.release();
}

std::optional<std::string> SocketFile::path_of(int listener) {
  sockaddr_un address{};
  socklen_t size = sizeof address - 1;  // so that the path ends in any case
  if (::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      address.sun_family != AF_UNIX || address.sun_path[0] == '\0') {
    return std::nullopt;
  }
  return address.sun_path;
}

int SocketFile::take_listener() noexcept {
  return std::exchange(listener_, -1);
}

SocketFile::Condition SocketFile::condition() const noexcept {
  struct stat status {};
  if (::lstat(settings_.path.c_str(), &status) != 0)
    return errno == ENOENT || errno == ENOTDIR ? Condition::removed : Condition::ours;
  return status.st_dev == device_ && status.st_ino == inode_ ? Condition::ours
                                                             : Condition::replaced;
}

void SocketFile::renew() {
  relock();
  bind_and_listen();
}

/// Whoever removed the socket's file may have removed that of the lock too, or the whole folder.
void SocketFile::relock() {
  struct stat ours {};
  struct stat there {};
  if (::fstat(lock_, &ours) == 0 && ::lstat((settings_.path + ".lock").c_str(), &there) == 0 &&
      ours.st_dev == there.st_dev && ours.st_ino == there.st_ino) {
    return;
  }
  const int old = lock_;
  try {
    lock();
  } catch (...) {
    lock_ = old;
    throw;
  }
  ::close(old);
}

SocketFile::~SocketFile() {
  if (condition() == Condition::ours) ::unlink(settings_.path.c_str());
  if (listener_ >= 0) ::close(listener_);
  ::close(lock_);
}

}  // namespace wskeep::ipc
