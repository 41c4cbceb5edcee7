#pragma once

#include "cli/console.hpp"
#include "cli/exit_code.hpp"
#include "cli/options.hpp"

namespace wskeep::cli {

/// Runs the command, and says on the console what went wrong.
[[nodiscard]] ExitCode run(const Options& options, const Console& console);

/// Prints what takes a command's place.
[[nodiscard]] ExitCode leave_early(const Leave& leave, const Console& console);

}  // namespace wskeep::cli
