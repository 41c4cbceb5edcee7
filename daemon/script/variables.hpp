#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/session.hpp"

namespace wskeep::script {

/// The values of a connection's variables. Constants stay; what is under `remember` stays from
/// session to session; all else is of one session. A list stands for a JSON array of its texts.
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

  /// Forgets what is of one session.
  void begin_session();

  /// Forgets these of what is remembered.
  void forget(std::span<const std::string> names);

  [[nodiscard]] bool knows_all(std::span<const std::string> names) const;

  /// The texts of a list; it must be one.
  [[nodiscard]] const std::vector<std::string>& list(std::string_view name) const;

 private:
  using Values = std::map<std::string, std::string, std::less<>>;

  [[nodiscard]] bool is_remembered(std::string_view name) const;
  static void wipe_all(Values& values);

  const config::SessionScript& script_;
  Values constants_;
  Values remembered_;
  Values session_;
};

}  // namespace wskeep::script
