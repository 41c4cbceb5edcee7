#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/keys.hpp"

namespace wskeep::config {

/// What it takes for a changed key to hold, from the least to the most.
enum class Effect : std::uint8_t {
  in_place,     ///< it holds from now on, or from the next attempt on; nobody notices
  new_session,  ///< upstream has to be connected to anew; the ring and its readers stay
  new_ring,     ///< the connection begins anew, and its readers with it
  next_start,   ///< the daemon has to be started anew
};

[[nodiscard]] Effect effect_of(const Key& key);

/// A connection that is in both configurations, and not the same.
struct ConnectionChange {
  std::string name;
  Effect effect = Effect::in_place;  ///< the most that any of its keys takes
  std::vector<std::string> keys;     ///< in the order of the documents; `timeouts.connect`

  friend bool operator==(const ConnectionChange&, const ConnectionChange&) = default;
};

/// What the step from one configuration to another is. Names are in the order of the file.
struct Difference {
  std::vector<std::string> added;
  std::vector<std::string> removed;
  std::vector<ConnectionChange> changed;
  std::size_t unchanged = 0;            ///< connections
  std::vector<std::string> in_place;    ///< keys at the top of the file that hold from now on
  std::vector<std::string> next_start;  ///< and those that do from the daemon's next start on

  [[nodiscard]] bool empty() const noexcept {
    return added.empty() && removed.empty() && changed.empty() && in_place.empty() &&
           next_start.empty();
  }
};

using ByName = std::map<std::string_view, const Connection*>;

/// The connections of a configuration, which outlives that.
[[nodiscard]] ByName by_name(const Config& config);

/// Compares what is written. What place-holders stand for, and what is in files that are only
/// named, is no part of it: that is read at each attempt anyway.
[[nodiscard]] Difference difference(const Config& running, const Config& wanted);

/// What runs after that step was made: `wanted`, with what holds at the next start only as it is in
/// `running`.
[[nodiscard]] Config after_reload(const Config& running, Config wanted);

}  // namespace wskeep::config
