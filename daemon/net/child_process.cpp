#include "daemon/net/child_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace wskeep::net {
namespace {

using daemon::Error;
using daemon::Failure;

/// What every program may need, and holds no secret of ours.
constexpr auto passed_on =
    std::to_array<const char*>({"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR",
                                "CREDENTIALS_DIRECTORY", "SSL_CERT_FILE", "SSL_CERT_DIR"});

void close_if_open(int& descriptor) noexcept {
  if (descriptor >= 0) ::close(std::exchange(descriptor, -1));
}

struct Pipe {
  int read = -1;
  int write = -1;

  Pipe() = default;
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_if_open(read);
    close_if_open(write);
  }

  /// Our end does not block; the program's does.
  [[nodiscard]] bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return ::fcntl(read, F_SETFL, O_NONBLOCK) == 0;
  }
};

/// Arguments, or an environment, as exec(3) wants them.
class Strings {
 public:
  explicit Strings(std::vector<std::string> texts) : texts_(std::move(texts)) {
    for (std::string& text : texts_) pointers_.push_back(text.data());
    pointers_.push_back(nullptr);
  }
  Strings(const Strings&) = delete;
  Strings& operator=(const Strings&) = delete;
  [[nodiscard]] char* const* get() const noexcept { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

std::vector<std::string> environment_of(const daemon::Command& command) {
  std::vector<std::string> all = command.environment;
  for (const char* const name : passed_on) {
    const std::string prefix = std::string(name) + "=";
    const bool given = std::ranges::any_of(
        all, [&](const std::string& entry) { return entry.starts_with(prefix); });
    const char* const value = std::getenv(name);
    if (!given && value != nullptr) all.push_back(prefix + value);
  }
  return all;
}

/// How the program begins: with three descriptors, in a group of its own, and with all signals as
/// they are by default.
class Beginning {
 public:
  Beginning(int output, int errors) {
    posix_spawn_file_actions_init(&files_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files_, errors, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&files_, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_,
        static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK));
  }
  Beginning(const Beginning&) = delete;
  Beginning& operator=(const Beginning&) = delete;
  ~Beginning() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }

  [[nodiscard]] int spawn(pid_t& child, const Strings& arguments, const Strings& environment) {
    return posix_spawn(&child, arguments.get()[0], &files_, &attributes_, arguments.get(),
                       environment.get());
  }

 private:
  posix_spawn_file_actions_t files_{};
  posix_spawnattr_t attributes_{};
};

/// The groups of those that run, for whoever ends the process. A lock, for each shard runs its own;
/// it is taken twice for each program.
class RunningGroups {
 public:
  void add(pid_t group) {
    const std::lock_guard guard(lock_);
    groups_.insert(group);
  }
  void remove(pid_t group) {
    const std::lock_guard guard(lock_);
    groups_.erase(group);
  }
  void kill() {
    const std::lock_guard guard(lock_);
    for (const pid_t group : groups_) ::kill(-group, SIGKILL);
  }

 private:
  std::mutex lock_;
  std::set<pid_t> groups_;
};

/// Never destroyed: threads that are left behind may use it to the last.
RunningGroups& running_groups() {
  static RunningGroups* const groups = std::make_unique<RunningGroups>().release();
  return *groups;
}

/// Whether there is still a child of ours in this group. Those that have ended are reaped.
bool has_members(pid_t group) {
  pid_t reaped = 0;
  do {
    reaped = ::waitpid(-group, nullptr, WNOHANG);
  } while (reaped > 0);
  return reaped == 0;
}

}  // namespace

void LeftChildren::add(pid_t group) {
  if (has_members(group)) groups_.push_back(group);
}

void LeftChildren::reap() {
  std::erase_if(groups_, [](pid_t group) { return !has_members(group); });
}

std::variant<ChildProcess, Failure> ChildProcess::start(const daemon::Command& command) {
  Pipe output;
  Pipe errors;
  if (!output.open() || !errors.open())
    return Failure{Error::out_of_resources,
                   std::string("no pipe for a program: ") + std::strerror(errno)};
  const Strings arguments(command.arguments);
  const Strings environment(environment_of(command));
  Beginning beginning(output.write, errors.write);
  pid_t child = 0;
  const int error = beginning.spawn(child, arguments, environment);
  if (error != 0)
    return Failure{Error::prepare_failed,
                   command.arguments[0] + " cannot be run: " + std::strerror(error)};
  running_groups().add(child);
  return ChildProcess(child, std::exchange(output.read, -1), std::exchange(errors.read, -1));
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : group_(other.group_),
      child_(std::exchange(other.child_, 0)),
      output_(std::exchange(other.output_, -1)),
      errors_(std::exchange(other.errors_, -1)) {}

ChildProcess::~ChildProcess() {
  close_if_open(output_);
  close_if_open(errors_);
  if (child_ == 0) return;
  running_groups().remove(group_);
  kill();
  ::waitpid(child_, nullptr, WNOHANG);
}

int ChildProcess::take_output() noexcept {
  return std::exchange(output_, -1);
}

int ChildProcess::take_errors() noexcept {
  return std::exchange(errors_, -1);
}

bool ChildProcess::has_ended() const {
  siginfo_t information{};
  const int result =
      ::waitid(P_PID, static_cast<id_t>(child_), &information, WEXITED | WNOHANG | WNOWAIT);
  return result != 0 || information.si_pid != 0;
}

/// The group keeps its number as long as its first process was not reaped.
void ChildProcess::kill() const {
  if (child_ > 0) ::kill(-child_, SIGKILL);
}

std::optional<int> ChildProcess::reap() {
  // While the number is its own.
  if (has_ended()) running_groups().remove(group_);
  int status = 0;
  const pid_t reaped = ::waitpid(child_, &status, WNOHANG);
  if (reaped == 0) return std::nullopt;
  // Somebody else had it: how it ended is not known, and that is not well.
  if (reaped < 0) status = W_EXITCODE(127, 0);
  child_ = 0;
  return status;
}

void ChildProcess::leave_to(LeftChildren& left) {
  running_groups().remove(group_);
  child_ = 0;
  left.add(group_);
}

void kill_running_programs() {
  running_groups().kill();
}

}  // namespace wskeep::net
