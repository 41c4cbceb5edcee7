#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
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

  /// See script::Run.
  void observe(script::Observer& observer) noexcept { run_.observe(observer); }
  [[nodiscard]] std::string waits_for() const { return run_.waits_for(); }

  void opened() { run_.opened(environment_.now()); }

  /// `save` is called when what is kept over a restart has changed: at once, and then once a second
  /// at most.
  void keep(std::function<void()> save) { save_ = std::move(save); }

  /// Goes through the messages that came since the last call; to be called before the ring forgets
  /// any of them.
  void read_ring();

  void check_time();
  [[nodiscard]] daemon::TimePoint next() const noexcept { return std::min(run_.next(), save_at_); }

  [[nodiscard]] std::vector<script::Run::Action> take() { return run_.take(); }
  [[nodiscard]] std::optional<script::Run::Send> farewell() { return run_.farewell(); }
  void closed_by_peer() { run_.closed_by_peer(); }
  [[nodiscard]] bool ready() const noexcept { return run_.ready(); }
  [[nodiscard]] bool resuming() const noexcept { return run_.resuming(); }
  [[nodiscard]] std::uint16_t close_code() const noexcept { return program_.script().close_code; }
  [[nodiscard]] const std::vector<script::StepRecord>& steps() const noexcept {
    return run_.steps();
  }

 private:
  [[nodiscard]] std::chrono::system_clock::time_point wall_now() const override;
  void random(std::span<std::byte> bytes) override;
  void plan_to_save(daemon::TimePoint now);

  daemon::Environment& environment_;
  script::Program& program_;
  const ring::Ring& ring_;
  ring::Sequence next_;  ///< the first message that was not looked at
  script::Run run_;
  const script::Variables& variables_;
  std::function<void()> save_;  ///< empty: nobody keeps anything
  std::uint64_t saved_;         ///< Variables::kept_changes() then
  daemon::TimePoint saved_last_ = daemon::TimePoint::min();
  daemon::TimePoint save_at_ = daemon::TimePoint::max();
};

/// What the end of a script is among the errors.
[[nodiscard]] daemon::Error script_error(script::Run::Why why) noexcept;

}  // namespace wskeep::upstream
