#include "daemon/configuration_warnings.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "config/capacity.hpp"

namespace wskeep::daemon {
namespace {

using Level = Log::Level;

constexpr std::size_t most_logged = 20;

}  // namespace

void log_warnings(const std::vector<config::Problem>& warnings, Log& log) {
  const std::size_t shown = std::min(warnings.size(), most_logged);
  for (std::size_t index = 0; index < shown; ++index)
    log.add(Level::warning, "configuration_warning", {{"message", warnings[index].text()}});
  if (warnings.size() > shown) {
    log.add(Level::warning, "configuration_warning",
            {{"message",
              std::to_string(warnings.size() - shown) + " more: wskeep check has them all"}});
  }
}

void log_want_of_descriptors(const config::Config& config, Log& log) {
  const std::uint64_t needed = config::capacity(config).descriptors.needed;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || needed <= limit.rlim_cur) return;
  log.write(Level::warning, "", "descriptors_short",
            {{"needed", std::to_string(needed)},
             {"limit", std::to_string(limit.rlim_cur)},
             {"message",
              "not all connections can be held at once: raise LimitNOFILE= of the "
              "service, or ulimit -Hn"}});
}

}  // namespace wskeep::daemon
