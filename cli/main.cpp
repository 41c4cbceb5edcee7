#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <variant>
#include <vector>

#include "cli/console.hpp"
#include "cli/options.hpp"
#include "cli/run.hpp"

namespace {

using wskeep::cli::ExitCode;

// All output is written in whole lines and nothing is buffered, so there is nothing to save.
extern "C" void leave_interrupted(int) {
  _exit(static_cast<int>(ExitCode::interrupted));
}

void prepare_signals() {
  std::signal(SIGPIPE, SIG_IGN);
  // A shell starts background jobs with SIGINT ignored, and means it.
  if (std::signal(SIGINT, SIG_IGN) != SIG_IGN) std::signal(SIGINT, leave_interrupted);
}

/// Where a standard descriptor is closed, the next socket would take its number and its part.
void fill_standard_descriptors() {
  int descriptor = 0;
  do {
    descriptor = ::open("/dev/null", O_RDWR);
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) ::close(descriptor);
}

}  // namespace

int main(int count, char** values) {
  using namespace wskeep::cli;
  fill_standard_descriptors();
  prepare_signals();
  const std::vector<std::string> arguments(values + (count > 0 ? 1 : 0), values + count);
  const auto parsed = parse_arguments(arguments);
  ExitCode code = ExitCode::ok;
  if (const auto* leave = std::get_if<Leave>(&parsed)) {
    const Console console(STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, ColorChoice::automatic);
    code = leave_early(*leave, console);
  } else {
    const Options& options = std::get<Options>(parsed);
    const Console console(STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, options.color);
    code = run(options, console);
  }
  return static_cast<int>(code);
}
