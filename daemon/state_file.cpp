#include "daemon/state_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace wskeep::daemon {
namespace {

/// More than all budgets that a configuration can hold come to.
constexpr std::size_t largest = std::size_t{64} << 20U;

class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace

StateFile::StateFile(const std::string& directory, std::string name)
    : directory_(directory), name_(std::move(name)), path_(directory + "/" + name_) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST && errno != EROFS) {
    fail("cannot make the directory " + directory_);
  }
  descriptor_ = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor_ < 0) fail("cannot open the directory " + directory_);
  // Where a file system knows no locks, nobody is kept out.
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor_);
    throw StateError("another wskeepd uses the directory " + directory_ +
                     ": give each a state_directory of its own");
  }
  if (::faccessat(descriptor_, ".", W_OK | X_OK, AT_EACCESS) != 0) {
    const int reason = errno;
    ::close(std::exchange(descriptor_, -1));
    errno = reason;
    fail("cannot write in the directory " + directory_);
  }
}

StateFile::~StateFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void StateFile::fail(const std::string& what) const {
  throw StateError(what + ": " + std::strerror(errno) +
                   "; state_directory (or $STATE_DIRECTORY) must name one that wskeepd may write");
}

std::optional<std::string> StateFile::read() const {
  return read(name_);
}

std::optional<std::string> StateFile::read(const std::string& name) const {
  const std::string path = directory_ + "/" + name;
  const Descriptor file(
      ::openat(descriptor_, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (file.number() < 0 && errno == ENOENT) return std::nullopt;
  if (file.number() < 0) fail("cannot read " + path);
  std::string text;
  std::array<char, 65'536> part;
  for (;;) {
    const ssize_t count = ::read(file.number(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot read " + path);
    if (count == 0) return text;
    text.append(part.data(), static_cast<std::size_t>(count));
    if (text.size() > largest) throw StateError(path + " is too large: remove it");
  }
}

void StateFile::write(const std::string& text) const {
  write(name_, text);
}

void StateFile::write(const std::string& name, const std::string& text) const {
  const std::string temporary = name + ".new";
  const Descriptor file(::openat(descriptor_, temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.number() < 0 || ::fchmod(file.number(), 0600) != 0 || !write_all(file.number(), text) ||
      ::fsync(file.number()) != 0 ||
      ::renameat(descriptor_, temporary.c_str(), descriptor_, name.c_str()) != 0) {
    const int reason = errno;
    if (file.number() >= 0) ::unlinkat(descriptor_, temporary.c_str(), 0);
    errno = reason;
    fail("cannot write " + directory_ + "/" + name);
  }
  // So that the new name is there after a power cut as well; the file itself is safe by now.
  ::fsync(descriptor_);
}

std::string state_directory(const std::string& configured) {
  if (!configured.empty()) return configured;
  const char* const given = std::getenv("STATE_DIRECTORY");
  if (given == nullptr) return {};
  const std::string_view all(given);
  return std::string(all.substr(0, all.find(':')));
}

}  // namespace wskeep::daemon
