#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

/// What the machine has, and what a process may take of it. What cannot be read is not there: a
/// container may show little.
namespace wskeep::cli {

/// Of a service, as its unit's files have it.
struct UnitLimits {
  bool installed = false;
  std::optional<std::uint64_t> descriptors;  ///< LimitNOFILE=
  std::optional<std::uint64_t> memory;       ///< MemoryMax=, in bytes
};

struct Machine {
  std::optional<std::uint64_t> memory;              ///< bytes, physical
  std::optional<std::uint64_t> cgroup_memory;       ///< bytes: what this process's group may take
  std::optional<std::uint64_t> descriptors;         ///< RLIMIT_NOFILE, which the daemon raises
  std::optional<std::uint64_t> descriptors_most;    ///< to this, its hard limit
  std::optional<std::uint64_t> system_descriptors;  ///< fs.file-max
  UnitLimits unit;                                  ///< wskeepd.service
};

/// `root`: where the machine's file systems are, for tests.
[[nodiscard]] Machine look_at_machine(const std::filesystem::path& root = "/");

/// `LimitNOFILE` and `MemoryMax` of a unit's file; later settings stand for earlier ones. `memory`:
/// of the machine, for percentages.
void read_unit(std::string_view text, std::optional<std::uint64_t> memory, UnitLimits& limits);

}  // namespace wskeep::cli
