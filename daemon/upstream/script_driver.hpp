#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/error.hpp"
#include "daemon/script/program.hpp"
#include "daemon/script/run.hpp"
#include "daemon/script/variables.hpp"
#include "ring/ring.hpp"

namespace wskeep::upstream {

/// Shows a session's script what comes into the ring, and gives it time and chance.
class ScriptDriver final : private script::Surroundings {
 public:
  /// All referred to outlives it. Messages that are in the ring already are not the session's.
  ScriptDriver(daemon::Environment& environment, script::Program& program,
               script::Variables& variables, const ring::Ring& ring);

  void opened() { run_.opened(environment_.now()); }

  /// Goes through the messages that came since the last call; to be called before the ring forgets
  /// any of them.
  void read_ring();

  void check_time() { run_.time(environment_.now()); }
  [[nodiscard]] daemon::TimePoint next() const noexcept { return run_.next(); }

  [[nodiscard]] std::vector<script::Run::Action> take() { return run_.take(); }
  [[nodiscard]] std::optional<script::Run::Send> farewell() { return run_.farewell(); }
  void closed_by_peer() { run_.closed_by_peer(); }
  [[nodiscard]] bool ready() const noexcept { return run_.ready(); }
  [[nodiscard]] std::uint16_t close_code() const noexcept { return program_.script().close_code; }
  [[nodiscard]] const std::vector<script::StepRecord>& steps() const noexcept {
    return run_.steps();
  }

 private:
  [[nodiscard]] std::chrono::system_clock::time_point wall_now() const override;
  void random(std::span<std::byte> bytes) override;

  daemon::Environment& environment_;
  script::Program& program_;
  const ring::Ring& ring_;
  ring::Sequence next_;  ///< the first message that was not looked at
  script::Run run_;
};

/// What the end of a script is among the errors.
[[nodiscard]] daemon::Error script_error(script::Run::Why why) noexcept;

}  // namespace wskeep::upstream
