#include "cli/machine.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

namespace wskeep::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view service = "wskeepd.service";
/// From here on a cgroup of version 1 has no limit: it writes one as the largest number of pages.
constexpr std::uint64_t no_limit = std::uint64_t{1} << 60U;

std::string read_text(const fs::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  return text.str();
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> number_in(const fs::path& file) {
  const std::string text = read_text(file);
  return number(trimmed(text));
}

std::optional<std::uint64_t> physical_memory(const fs::path& root) {
  std::istringstream lines(read_text(root / "proc/meminfo"));
  for (std::string name; lines >> name;) {
    std::uint64_t kib = 0;
    if (name == "MemTotal:" && lines >> kib) return kib << 10U;
  }
  return std::nullopt;
}

void take_less(std::optional<std::uint64_t>& least, std::optional<std::uint64_t> limit) {
  if (limit && *limit < no_limit) least = std::min(least.value_or(*limit), *limit);
}

/// The least of a group and of those around it. In a container a group's path may be one that is
/// only seen from outside; its root is the container's then.
std::optional<std::uint64_t> least_around(const fs::path& mount, fs::path group, const char* file) {
  std::optional<std::uint64_t> least;
  while (true) {
    take_less(least, number_in(mount / group / file));
    if (group.empty()) return least;
    group = group.parent_path();
  }
}

std::optional<std::uint64_t> cgroup_memory(const fs::path& root) {
  const fs::path mounts = root / "sys/fs/cgroup";
  std::optional<std::uint64_t> least;
  std::istringstream lines(read_text(root / "proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const std::size_t controllers = line.find(':');
    const std::size_t path = line.find(":/");
    if (controllers == std::string::npos || path == std::string::npos) continue;
    const std::string list = "," + line.substr(controllers + 1, path - controllers - 1) + ",";
    const bool outside = line.find("/..", path) != std::string::npos;
    const fs::path group = outside ? "" : line.substr(path + 2);
    if (line.starts_with("0::")) {
      take_less(least, least_around(mounts, group, "memory.max"));
    } else if (list.find(",memory,") != std::string::npos) {
      take_less(least, least_around(mounts / "memory", group, "memory.limit_in_bytes"));
    }
  }
  return least;
}

/// `65536`, `4G`, `50%`, `1024:65536` (a soft and a hard limit); `infinity` is none.
std::optional<std::uint64_t> unit_value(std::string_view text,
                                        std::optional<std::uint64_t> hundred) {
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos)
    text.remove_prefix(colon + 1);
  if (text.empty()) return std::nullopt;
  constexpr std::string_view units = "KMGT";
  unsigned shift = 0;
  if (const std::size_t unit = units.find(text.back()); unit != std::string_view::npos) {
    shift = 10U * (static_cast<unsigned>(unit) + 1);
    text.remove_suffix(1);
  } else if (text.back() == '%') {
    const auto percent = number(text.substr(0, text.size() - 1));
    return percent && hundred ? std::optional(*hundred * *percent / 100) : std::nullopt;
  }
  const auto value = number(text);
  return value ? std::optional(*value << shift) : std::nullopt;
}

/// The unit's file, of several the one that counts, and what is put beside it (systemd.unit(5)).
UnitLimits unit_limits(const fs::path& root, std::optional<std::uint64_t> memory) {
  UnitLimits limits;
  constexpr std::array folders{"etc/systemd/system", "run/systemd/system",
                               "usr/local/lib/systemd/system", "usr/lib/systemd/system",
                               "lib/systemd/system"};
  for (const char* const folder : folders) {
    const std::string text = read_text(root / folder / service);
    if (text.empty()) continue;
    limits.installed = true;
    read_unit(text, memory, limits);
    break;
  }
  if (!limits.installed) return limits;
  std::vector<fs::path> beside;
  for (const char* const folder : folders) {
    std::error_code error;
    fs::directory_iterator at(root / folder / (std::string(service) + ".d"), error);
    for (; !error && at != fs::directory_iterator(); at.increment(error)) {
      if (at->path().extension() == ".conf") beside.push_back(at->path());
    }
  }
  std::ranges::stable_sort(beside, {}, [](const fs::path& file) { return file.filename(); });
  for (const fs::path& file : beside) read_unit(read_text(file), memory, limits);
  return limits;
}

}  // namespace

void read_unit(std::string_view text, std::optional<std::uint64_t> memory, UnitLimits& limits) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::size_t equals = line.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view name = trimmed(std::string_view(line).substr(0, equals));
    const std::string_view value = trimmed(std::string_view(line).substr(equals + 1));
    if (name == "LimitNOFILE") limits.descriptors = unit_value(value, std::nullopt);
    if (name == "MemoryMax") limits.memory = unit_value(value, memory);
  }
}

Machine look_at_machine(const fs::path& root) {
  Machine machine;
  machine.memory = physical_memory(root);
  machine.cgroup_memory = cgroup_memory(root);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    machine.descriptors = limit.rlim_cur;
    machine.descriptors_most = limit.rlim_max;
  }
  machine.system_descriptors = number_in(root / "proc/sys/fs/file-max");
  machine.unit = unit_limits(root, machine.memory);
  return machine;
}

}  // namespace wskeep::cli
