#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// What a connection remembers of its names from cycle to cycle, so that a short outage does not
/// hang on a name server too: an answer holds for its TTL, an hour at the most, and is forgotten as
/// soon as none of its addresses gave a session. Bounded.
class NameMemory {
 public:
  static constexpr std::size_t capacity = 16;
  static constexpr std::chrono::seconds longest{3600};

  /// The answer that still holds; nullopt: ask.
  [[nodiscard]] std::optional<std::vector<daemon::Endpoint>> find(std::string_view host,
                                                                  std::uint16_t port,
                                                                  config::Family family,
                                                                  daemon::TimePoint now) const;

  /// A TTL of zero is not kept, nor an answer that cannot change, which costs nothing to get.
  void keep(std::string_view host, std::uint16_t port, config::Family family,
            const daemon::Resolved& answer, daemon::TimePoint now);

  void forget(std::string_view host, std::uint16_t port);

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  struct Entry {
    std::string host;
    std::uint16_t port = 0;
    config::Family family = config::Family::any;
    std::vector<daemon::Endpoint> endpoints;
    daemon::TimePoint until;
  };

  std::vector<Entry> entries_;  ///< oldest first
};

}  // namespace wskeep::upstream
