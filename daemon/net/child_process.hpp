#pragma once

#include <sys/types.h>

#include <optional>
#include <variant>
#include <vector>

#include "daemon/environment.hpp"

namespace wskeep::net {

/// Groups of programs that were killed and did not go at once: the kernel holds them until a disk
/// or a network file system answers. Process 1 of a container also gets the programs that these
/// have started, and nobody else would ever reap them. Looked at when the next program is run. On
/// one thread.
class LeftChildren {
 public:
  /// `group` is that of a program whose pid was not free since: see waitpid(2) for negative
  /// numbers.
  void add(pid_t group);
  void reap();
  [[nodiscard]] std::size_t count() const noexcept { return groups_.size(); }

 private:
  std::vector<pid_t> groups_;
};

/// A program in a process group of its own, whose output comes by two pipes. It inherits nothing
/// else: no descriptor, no signal mask, of the environment only what every program needs.
class ChildProcess {
 public:
  /// Waits until the program is loaded, which a file system that hangs holds up.
  [[nodiscard]] static std::variant<ChildProcess, daemon::Failure> start(
      const daemon::Command& command);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  /// Kills what is left of it. It must have been reaped, or left to LeftChildren.
  ~ChildProcess();

  /// The pipes' ends to read from, non-blocking; whoever takes one closes it.
  [[nodiscard]] int take_output() noexcept;
  [[nodiscard]] int take_errors() noexcept;

  /// Whether it has ended; it is still there to be reaped.
  [[nodiscard]] bool has_ended() const;

  /// Ends it and all of its group.
  void kill() const;

  /// Its wait status, once it has ended: see waitpid(2).
  [[nodiscard]] std::optional<int> reap();

  /// What is left of it and its group is somebody else's to reap.
  void leave_to(LeftChildren& left);

 private:
  ChildProcess(pid_t child, int output, int errors) noexcept
      : group_(child), child_(child), output_(output), errors_(errors) {}

  pid_t group_;
  pid_t child_;  ///< 0: it was reaped, or left
  int output_;
  int errors_;
};

/// Kills all that run, with their groups, and nothing more: for a process that ends without taking
/// itself apart. Any thread.
void kill_running_programs();

}  // namespace wskeep::net
