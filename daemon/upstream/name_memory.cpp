#include "daemon/upstream/name_memory.hpp"

#include <algorithm>

namespace wskeep::upstream {

std::optional<std::vector<daemon::Endpoint>> NameMemory::find(std::string_view host,
                                                              std::uint16_t port,
                                                              config::Family family,
                                                              daemon::TimePoint now) const {
  for (const Entry& entry : entries_)
    if (entry.host == host && entry.port == port && entry.family == family && now < entry.until)
      return entry.endpoints;
  return std::nullopt;
}

void NameMemory::keep(std::string_view host, std::uint16_t port, config::Family family,
                      const daemon::Resolved& answer, daemon::TimePoint now) {
  forget(host, port);
  if (answer.ttl <= std::chrono::seconds{0} || answer.ttl == std::chrono::seconds::max()) return;
  std::erase_if(entries_, [now](const Entry& entry) { return entry.until <= now; });
  if (entries_.size() == capacity) entries_.erase(entries_.begin());
  entries_.push_back(
      {std::string(host), port, family, answer.endpoints, now + std::min(answer.ttl, longest)});
}

void NameMemory::forget(std::string_view host, std::uint16_t port) {
  std::erase_if(entries_,
                [&](const Entry& entry) { return entry.host == host && entry.port == port; });
}

}  // namespace wskeep::upstream
