#pragma once

#include <cstdint>

namespace wskeep::cli {

/// docs/cli.md and `wskeep --help` list the same.
enum class ExitCode : std::uint8_t {
  ok = 0,
  failed = 1,         ///< the operation failed, such as a message that was rejected
  usage = 2,          ///< wrong arguments
  no_daemon = 3,      ///< nothing listens at the socket, or it may not be opened
  no_connection = 4,  ///< no connection of that name, or no right to it
  configuration = 5,  ///< `check` found problems
  disconnected = 6,   ///< upstream is not connected, or the daemon went away too early
  interrupted = 130,  ///< Ctrl-C
};

}  // namespace wskeep::cli
