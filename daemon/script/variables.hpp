#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/session.hpp"

namespace wskeep::script {

/// The values of a connection's variables. Constants stay; what is under `remember` stays from
/// session to session; what `prepare` sets is of one attempt and its session; all else is of one
/// session. A list stands for a JSON array of its texts.
class Variables {
 public:
  /// Bytes of one value. Longer ones are refused, for they come from the peer.
  static constexpr std::size_t max_value = std::size_t{64} << 10U;

  /// `script` outlives it.
  explicit Variables(const config::SessionScript& script);
  ~Variables();
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const;

  /// False: it is too long, and the variable has no value now.
  [[nodiscard]] bool set(std::string_view name, std::string value);
  void unset(std::string_view name);

  /// Forgets what is of one attempt or session: a secret that could not be renewed is not used
  /// again.
  void begin_attempt();

  /// Forgets what is of one session.
  void begin_session();

  /// Forgets these of what is remembered.
  void forget(std::span<const std::string> names);
  void forget_remembered();

  [[nodiscard]] bool knows_all(std::span<const std::string> names) const;

  using Values = std::map<std::string, std::string, std::less<>>;

  /// Bytes of a value that outlives the daemon. Longer ones do not.
  static constexpr std::size_t max_kept = 4096;

  /// What is remembered over a restart of the daemon, and how often that has changed.
  [[nodiscard]] Values kept() const;
  [[nodiscard]] std::uint64_t kept_changes() const noexcept { return kept_changes_; }

  /// What was kept before a restart.
  void restore(Values values);

  /// The texts of a list; it must be one.
  [[nodiscard]] const std::vector<std::string>& list(std::string_view name) const;

 private:
  [[nodiscard]] Values& place_of(std::string_view name);
  static void wipe_all(Values& values);

  const config::SessionScript& script_;
  Values constants_;
  Values remembered_;
  Values prepared_;
  Values session_;
  std::set<std::string, std::less<>> over_restart_;  ///< the names of what is kept
  std::uint64_t kept_changes_ = 0;
};

}  // namespace wskeep::script
