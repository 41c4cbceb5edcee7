#include "config/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace wskeep::config {
namespace {

[[noreturn]] void fail(int error) {
  throw FileError(std::generic_category().message(error));
}

/// `way`: it is a folder on its path that cannot be entered, not the file that cannot be read.
/// Names are not looked up: this may be asked on a thread that must not wait.
[[noreturn]] void fail(int error, const std::string& path, bool way) {
  if (error != EACCES) fail(error);
  const std::string whom =
      std::generic_category().message(error) + " for uid " + std::to_string(::geteuid()) + ": ";
  // Where the service's own sandbox hides a folder, the folder's rights say nothing of it.
  if (way) {
    throw FileError(whom + "a folder on the way to it is closed (namei -l " + path +
                    "); for the service wskeepd, /home and /root are: keep it in /etc/wskeep");
  }
  throw FileError(whom + "for the service wskeepd, `chgrp wskeep " + path + "` and `chmod 640 " +
                  path + "` open it");
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { ::close(number_); }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

void require_regular(const struct stat& status) {
  if (!S_ISREG(status.st_mode)) {
    throw FileError(S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file");
  }
}

// To open some devices is to act on them, so the kind is asked first; asked again of the open file,
// because the path may name another by then. O_NONBLOCK covers the time between.
int open_regular(const std::string& path) {
  if (path.find('\0') != std::string::npos) {
    throw FileError("a path cannot hold a zero byte");
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    fail(errno, path, true);
  }
  require_regular(status);
  const int number = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (number < 0) {
    fail(errno, path, false);
  }
  return number;
}

void require_open_regular(const Descriptor& file) {
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) {
    fail(errno);
  }
  require_regular(status);
}

}  // namespace

std::string read_regular_file(const std::string& path, std::size_t limit) {
  const Descriptor file(open_regular(path));
  require_open_regular(file);
  std::string content;
  std::array<char, 4096> block{};
  for (;;) {
    const ssize_t got = ::read(file.number(), block.data(), block.size());
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      fail(errno);
    }
    if (got == 0) {
      return content;
    }
    content.append(block.data(), static_cast<std::size_t>(got));
    if (content.size() > limit) {
      throw FileError("is larger than " + std::to_string(limit >> 10U) + "KiB");
    }
  }
}

void check_readable(const std::string& path) {
  require_open_regular(Descriptor(open_regular(path)));
}

void check_readable_file_or_folder(const std::string& path) {
  struct stat status {};
  if (path.find('\0') != std::string::npos || ::stat(path.c_str(), &status) != 0 ||
      !S_ISDIR(status.st_mode)) {
    check_readable(path);
    return;
  }
  const int folder = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (folder < 0) {
    fail(errno);
  }
  static_cast<void>(Descriptor(folder));
}

}  // namespace wskeep::config
