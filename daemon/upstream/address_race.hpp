#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "daemon/environment.hpp"

namespace wskeep::upstream {

/// Which address of a cycle does what, and when (RFC 8305, section 5, taken on through TLS and the
/// upgrade). A value: no clock, no sockets. Addresses are numbers from 0 in the order they are to
/// be tried.
///
/// Addresses are started one after another, the next one `delay` after the last start or at once
/// when one fails. The first whose TCP is there leads: it alone goes on to TLS and upgrade. No
/// further one is started then; those that connect meanwhile wait in reserve, with their clock
/// stopped. When the leader fails or exceeds its deadline, a reserve takes the lead, or the next
/// address is started.
class AddressRace {
 public:
  struct Settings {
    std::chrono::milliseconds delay{250};
    std::chrono::milliseconds address{10'000};  ///< for one address, time in reserve not counted
  };

  enum class Kind : std::uint8_t {
    start,    ///< begin TCP to it
    advance,  ///< it leads: let it go on behind TCP
    give_up,  ///< its time is over: stop it; it counts as failed already
  };
  struct Action {
    Kind kind;
    std::size_t address;
    friend bool operator==(const Action&, const Action&) = default;
  };

  AddressRace(std::size_t addresses, Settings settings);

  /// What is to be done now; to be asked until it answers nothing. Time never goes back.
  [[nodiscard]] std::optional<Action> next(daemon::TimePoint now);

  /// When `next` must be asked again if no event comes first; max() for never.
  [[nodiscard]] daemon::TimePoint wake_at() const;

  /// TCP is there. The answer comes from `next`: `advance`, now or later.
  void connected(std::size_t address, daemon::TimePoint now);

  /// It failed at any stage. For one that was given up already: ignored.
  void failed(std::size_t address, daemon::TimePoint now);

  /// This one, which was to be started, must not be, nor any other from now on. Those that run go
  /// on.
  void start_no_more(std::size_t address);

  /// No address is left that runs or could be started.
  [[nodiscard]] bool exhausted() const noexcept;

 private:
  enum class State : std::uint8_t { waiting, connecting, reserve, leading, over };
  struct Entry {
    State state = State::waiting;
    daemon::TimePoint deadline = daemon::TimePoint::max();
    std::chrono::nanoseconds left{0};  ///< of its time, while in reserve
  };

  [[nodiscard]] bool has(State state) const noexcept;
  [[nodiscard]] std::optional<std::size_t> first(State state) const noexcept;
  [[nodiscard]] std::optional<Action> give_up_overdue(daemon::TimePoint now);
  [[nodiscard]] std::optional<Action> promote(daemon::TimePoint now);
  [[nodiscard]] std::optional<Action> start(daemon::TimePoint now);

  Settings settings_;
  std::vector<Entry> entries_;
  std::vector<std::size_t> reserve_;  ///< in the order they connected
  daemon::TimePoint next_start_ = daemon::TimePoint::min();
};

}  // namespace wskeep::upstream
