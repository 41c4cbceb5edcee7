#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "config/session.hpp"
#include "daemon/script/matching.hpp"

namespace wskeep::script {

/// What a rule of a session script is there for. In the order in which what one message means is
/// done.
enum class Role : std::uint8_t {
  remember,
  refusal,  ///< of a step
  condition,
  refusal_always,  ///< of the script
  reply,
  goodbye,
  beat_answer
};

struct Meaning {
  Role role = Role::condition;
  bool of_resume = false;  ///< of a step: in `resume`, not in `open`
  std::size_t step = 0;    ///< likewise: its number
  std::size_t index = 0;   ///< among those of the step, or of the script
};

/// Rules, and what each of them means.
struct Rules {
  RuleSet set;
  std::vector<Meaning> meanings;
};

/// A session script made ready to run: its rules compiled, once for a connection.
class Program {
 public:
  explicit Program(std::shared_ptr<const config::SessionScript> script);

  [[nodiscard]] const config::SessionScript& script() const noexcept { return *script_; }

  /// While a session is being opened: all of them.
  [[nodiscard]] Rules& opening() noexcept { return opening_; }

  /// When it is open: those of no step.
  [[nodiscard]] Rules& open() noexcept { return open_; }

 private:
  std::shared_ptr<const config::SessionScript> script_;
  Rules opening_;
  Rules open_;
};

}  // namespace wskeep::script
