#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "cli/commands.hpp"
#include "cli/dry_run_printer.hpp"
#include "cli/json_access.hpp"
#include "cli/line_splitter.hpp"
#include "cli/request.hpp"

namespace wskeep::cli {

namespace {

constexpr int cannot_run = 127;  // as shells have it

volatile std::sig_atomic_t child_process = 0;

extern "C" void pass_on(int signal) {
  if (child_process > 0) ::kill(child_process, signal);
}

/// While it lives, Ctrl-C is the child's, which closes the session first.
class PassedOnSignals {
 public:
  explicit PassedOnSignals(pid_t child) {
    child_process = child;
    struct sigaction action {};
    action.sa_handler = pass_on;
    for (std::size_t index = 0; index < signals.size(); ++index) {
      ::sigaction(signals[index], &action, &before_[index]);
    }
  }
  PassedOnSignals(const PassedOnSignals&) = delete;
  PassedOnSignals& operator=(const PassedOnSignals&) = delete;
  ~PassedOnSignals() {
    for (std::size_t index = 0; index < signals.size(); ++index) {
      ::sigaction(signals[index], &before_[index], nullptr);
    }
    child_process = 0;
  }

 private:
  static constexpr std::array<int, 2> signals{SIGINT, SIGTERM};
  std::array<struct sigaction, 2> before_{};
};

/// A program that runs beside this one and ends with it.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
      throw std::system_error(errno, std::generic_category(), "pipe");
    }
    std::vector<char*> values;
    values.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) values.push_back(argument.data());
    values.push_back(nullptr);
    const pid_t parent = ::getpid();
    id_ = ::fork();
    if (id_ == 0) become(values, ends[1], parent);
    const int error = errno;
    ::close(ends[1]);
    output_ = ends[0];
    if (id_ < 0) {
      ::close(output_);
      throw std::system_error(error, std::generic_category(), "fork");
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    ::close(output_);
    if (id_ > 0) {
      ::kill(id_, SIGTERM);
      static_cast<void>(wait());
    }
  }

  [[nodiscard]] pid_t id() const noexcept { return id_; }

  /// What it has written; nothing when it has ended.
  [[nodiscard]] std::string_view read() {
    for (;;) {
      const ssize_t count = ::read(output_, buffer_.data(), buffer_.size());
      if (count >= 0) return {buffer_.data(), static_cast<std::size_t>(count)};
      if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "read");
    }
  }

  /// Its exit code; 128 and the signal's number where one ended it.
  int wait() {
    int status = 0;
    const pid_t waited_for = std::exchange(id_, 0);
    while (::waitpid(waited_for, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  /// In the child. Ctrl-C reaches it through us alone: twice would be one too many.
  [[noreturn]] static void become(std::vector<char*>& arguments, int output, pid_t parent) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    if (::getppid() == parent) ::execvp(arguments.front(), arguments.data());
    ::_exit(cannot_run);
  }

  pid_t id_ = 0;
  int output_ = -1;
  std::array<char, 65536> buffer_{};
};

/// The one that was installed with this program, or that of PATH.
std::string daemon_program() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path() / "wskeepd";
  if (!error && ::access(beside.c_str(), X_OK) == 0) return beside.string();
  return "wskeepd";
}

std::vector<std::string> arguments_of(const DryRunCommand& command) {
  std::vector<std::string> arguments{daemon_program(),
                                     "--config",
                                     command.config,
                                     "--dry-run",
                                     command.name,
                                     "--for",
                                     std::to_string(command.at_most.count()) + "ms",
                                     "--messages",
                                     std::to_string(command.messages)};
  if (command.show_values) arguments.emplace_back("--show-values");
  return arguments;
}

ExitCode code_of(int code) {
  if (code == cannot_run) {
    throw CommandError(ExitCode::failed,
                       "a dry run needs wskeepd, which is neither beside wskeep nor in PATH");
  }
  for (const ExitCode known :
       {ExitCode::ok, ExitCode::no_connection, ExitCode::configuration, ExitCode::disconnected}) {
    if (code == static_cast<int>(known)) return known;
  }
  if (code == 1) return ExitCode::failed;  // it has said why
  throw CommandError(ExitCode::failed, "wskeepd ended with the code " + std::to_string(code));
}

}  // namespace

ExitCode run_dry_run(const Options& options, const DryRunCommand& command, const Console& console) {
  const DryRunPrinter printer(canvas_of(console), console.size().columns > 0);
  Child child(arguments_of(command));
  const PassedOnSignals signals(child.id());
  LineSplitter lines;
  for (std::string_view read = child.read(); !read.empty(); read = child.read()) {
    if (options.json) {
      console.print(read);
      continue;
    }
    lines.append(read);
    while (const auto line = lines.next()) console.print(printer.print(parse_object(*line)));
  }
  return code_of(child.wait());
}

}  // namespace wskeep::cli
