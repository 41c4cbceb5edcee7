#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "config/config.hpp"

namespace wskeep::daemon {

struct DryRun {
  std::string name;                           ///< of the connection
  std::chrono::milliseconds at_most{30'000};  ///< the whole of it, but the closing
  std::uint64_t messages = 0;                 ///< that come, and then it ends; 0: any number
  bool show_values = false;                   ///< also what may be secret
};

/// What became of it, as exit codes: those of `wskeep`.
enum class DryRunResult : std::uint8_t { ready = 0, no_connection = 4, not_ready = 6 };

/// One attempt to connect, and one session of one connection, in the foreground: each thing that
/// happens is a line of JSON on `output`, a file descriptor (docs/cli.md, dry-run). Nothing is
/// kept, and nobody but upstream can reach it. Ends with the session, on SIGINT or SIGTERM, when
/// nobody reads the output any more, or as `what` says. Throws std::exception with a sentence for
/// people.
[[nodiscard]] DryRunResult dry_run(const config::Config& config, const DryRun& what, int output);

}  // namespace wskeep::daemon
