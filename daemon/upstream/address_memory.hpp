#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// What a connection remembers of its addresses from cycle to cycle: the one that worked goes
/// first, those that failed lately go last, the one that failed longest ago first among them.
/// Bounded.
class AddressMemory {
 public:
  static constexpr std::size_t capacity = 64;
  /// A failure older than this is forgotten.
  static constexpr std::chrono::minutes lately{10};

  /// The addresses to try, in order, at most `limit` of them and none twice. Families alternate and
  /// IPv6 begins (RFC 8305, section 4); within a family the order of the answers is kept.
  [[nodiscard]] std::vector<daemon::Endpoint> order(const std::vector<daemon::Endpoint>& answers,
                                                    std::size_t limit, daemon::TimePoint now) const;

  void succeeded(const daemon::Endpoint& endpoint);
  void failed(const daemon::Endpoint& endpoint, daemon::TimePoint now);

  [[nodiscard]] std::size_t size() const noexcept { return failures_.size(); }

 private:
  struct Failed {
    daemon::Endpoint endpoint;
    daemon::TimePoint when;
  };

  [[nodiscard]] std::optional<daemon::TimePoint> failed_lately(const daemon::Endpoint& endpoint,
                                                               daemon::TimePoint now) const;

  std::optional<daemon::Endpoint> last_good_;
  std::vector<Failed> failures_;  ///< oldest first
};

}  // namespace wskeep::upstream
