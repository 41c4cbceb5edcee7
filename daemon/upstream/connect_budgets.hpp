#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// How many connects (TCP) may yet be made: `reconnect.budget` by connection and `connects` by host
/// of the URL (in lower case). In no stretch of a rate's length, wherever it begins, are there more
/// than its count. Bounded: a table that is full allows no further name a connect until another's
/// have run out.
///
/// One for all shards, as a host's budget spans them: the one thing that they share, behind a lock
/// that is held for one look-up per connect.
class ConnectBudgets {
 public:
  explicit ConnectBudgets(const config::Connects& settings);
  ConnectBudgets(const ConnectBudgets&) = delete;
  ConnectBudgets& operator=(const ConnectBudgets&) = delete;

  /// From now on these hold; what was taken counts.
  void configure(const config::Connects& settings);

  static constexpr std::size_t most_names = 65'536;

  /// Takes one connect from both budgets, or neither and says when both will allow one.
  /// `own` is the connection's own rate; an empty host has no budget. nullopt: taken.
  [[nodiscard]] std::optional<daemon::TimePoint> take(std::string_view connection,
                                                      const config::Rate& own,
                                                      std::string_view host, daemon::TimePoint now);

  /// When both would allow one; not later than `now` when they do. Takes nothing.
  [[nodiscard]] daemon::TimePoint allowed_at(std::string_view connection, const config::Rate& own,
                                             std::string_view host, daemon::TimePoint now) const;

  struct Use {
    std::uint32_t used = 0;  ///< within the last stretch
    config::Rate limit;
    std::string rule;  ///< where the limit stands: "connects.hosts example.com"
  };
  [[nodiscard]] Use use_of_connection(std::string_view connection, const config::Rate& own,
                                      daemon::TimePoint now) const;
  [[nodiscard]] Use use_of_host(std::string_view host, daemon::TimePoint now) const;

  /// Whether there is any budget of a host.
  [[nodiscard]] bool limits_hosts() const;

  /// A host as the budgets name it: in lower case.
  [[nodiscard]] static std::string host_key(std::string_view host);

  /// Those with a rate of their own.
  [[nodiscard]] std::vector<std::string> named_hosts() const;

  /// All that still counts, as JSON with wall-clock times; and from there. What cannot be read is
  /// forgotten: `load` then returns a sentence. Times ahead of `wall` count as of now.
  [[nodiscard]] std::string save(daemon::TimePoint now, daemon::WallTime wall) const;
  [[nodiscard]] std::string load(std::string_view text, daemon::TimePoint now,
                                 daemon::WallTime wall);

  /// Grows with each connect taken: whether there is something new to save.
  [[nodiscard]] std::uint64_t changes() const;

  /// Called after each connect taken, on the taker's thread and without the lock. Before there is
  /// more than one thread.
  void on_change(std::function<void()> told) { told_ = std::move(told); }

 private:
  /// The connects of one connection, or to one host, that may still count: ascending, at most the
  /// rate's count of them.
  struct Window {
    std::vector<daemon::TimePoint> times;
    config::Milliseconds per{0};  ///< as it was last taken from
  };
  using Windows = std::map<std::string, Window, std::less<>>;

  // All of these with the lock held.
  [[nodiscard]] const config::Rate& rate_of(std::string_view host) const;
  [[nodiscard]] static daemon::TimePoint allowed_by(const Windows& windows, std::string_view key,
                                                    const config::Rate& rate,
                                                    daemon::TimePoint now);
  [[nodiscard]] static std::uint32_t used(const Windows& windows, std::string_view key,
                                          const config::Rate& rate, daemon::TimePoint now);
  [[nodiscard]] daemon::TimePoint allowed(std::string_view connection, const config::Rate& own,
                                          std::string_view host, daemon::TimePoint now) const;
  static void make_room(Windows& windows, daemon::TimePoint now);
  static void add(Windows& windows, std::string_view key, const config::Rate& rate,
                  daemon::TimePoint now);

  std::function<void()> told_;
  mutable std::mutex lock_;
  config::Rate per_host_;
  std::map<std::string, config::Rate, std::less<>> named_hosts_;
  Windows connections_;
  Windows hosts_;
  std::uint64_t changes_ = 0;
};

}  // namespace wskeep::upstream
