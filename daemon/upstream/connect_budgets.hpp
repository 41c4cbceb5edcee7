#pragma once

#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// How many connects (TCP) may yet be made: `reconnect.budget` by connection and `connects` by host
/// of the URL. In no stretch of a rate's length, wherever it begins, are there more than its count.
///
/// One for all shards, as a host's budget spans them: the one thing that they share, behind a lock
/// that is held for one look-up per connect.
class ConnectBudgets {
 public:
  explicit ConnectBudgets(config::Connects settings);

  /// Takes one connect from both budgets, or neither and says when both will allow one.
  /// `own` is the connection's own rate. nullopt: taken.
  [[nodiscard]] std::optional<daemon::TimePoint> take(std::string_view connection,
                                                      const config::Rate& own,
                                                      std::string_view host, daemon::TimePoint now);

  /// When both would allow one; not later than `now` when they do. Takes nothing.
  [[nodiscard]] daemon::TimePoint allowed_at(std::string_view connection, const config::Rate& own,
                                             std::string_view host, daemon::TimePoint now) const;

  struct Use {
    std::uint32_t used = 0;  ///< within the last stretch
    config::Rate limit;
  };
  [[nodiscard]] Use use_of_connection(std::string_view connection, const config::Rate& own,
                                      daemon::TimePoint now) const;
  [[nodiscard]] Use use_of_host(std::string_view host, daemon::TimePoint now) const;

  /// All that still counts, as JSON with wall-clock times; and from there. What cannot be read is
  /// forgotten: `load` then returns a sentence. Times ahead of `wall` count as of now.
  [[nodiscard]] std::string save(daemon::TimePoint now, daemon::WallTime wall) const;
  [[nodiscard]] std::string load(std::string_view text, daemon::TimePoint now,
                                 daemon::WallTime wall);

  /// Grows with each connect taken: whether there is something new to save.
  [[nodiscard]] std::uint64_t changes() const;
};

}  // namespace wskeep::upstream
