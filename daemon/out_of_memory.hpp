#pragma once

#include "config/config.hpp"

namespace wskeep::daemon {

/// The code that the process ends with when it has no memory to go on.
inline constexpr int exit_out_of_memory = 71;  // EX_OSERR

/// From now on an allocation that fails ends the process at once, with one line on stderr: what was
/// half done in whichever thread could not be relied on, and upstreams and local apps see the end
/// of their connections like that of a process that is killed. Once, before there are threads.
void end_when_memory_is_out(const config::Log& settings) noexcept;

/// While one lives, an allocation of this thread that fails throws std::bad_alloc instead: around
/// what can be refused as a whole.
class MemoryMayBeRefused {
 public:
  MemoryMayBeRefused() noexcept;
  ~MemoryMayBeRefused();
  MemoryMayBeRefused(const MemoryMayBeRefused&) = delete;
  MemoryMayBeRefused& operator=(const MemoryMayBeRefused&) = delete;
};

}  // namespace wskeep::daemon
