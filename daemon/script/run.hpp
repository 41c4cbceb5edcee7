#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/session.hpp"
#include "daemon/script/matching.hpp"
#include "daemon/script/observer.hpp"
#include "daemon/script/program.hpp"
#include "daemon/script/scope.hpp"
#include "daemon/script/variables.hpp"

namespace wskeep::script {

/// What a script cannot know by itself.
class Surroundings {
 public:
  [[nodiscard]] virtual std::chrono::system_clock::time_point wall_now() const = 0;

  /// Fills `bytes`, unpredictably.
  virtual void random(std::span<std::byte> bytes) = 0;

 protected:
  ~Surroundings() = default;
};

/// Of one step of an opening, for people. Without any value.
struct StepRecord {
  using Duration = std::chrono::steady_clock::duration;
  std::string step;                ///< "open[1]"
  std::string_view kind;           ///< "send", "wait", "set", "pause"
  Duration started{0};             ///< since the session began
  std::optional<Duration> took{};  ///< nothing while it runs, and when it was not done
};

/// A session script while one session lives: told of what happens, says what is to be done. Neither
/// waits nor reads a clock; all times are the caller's. After an End it says nothing more.
class Run final : private Scope {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Send {
    std::string text;
    bool binary = false;
  };

  /// The opening is done.
  struct Ready {};

  enum class Why : std::uint8_t {
    timeout,    ///< what a step waits for did not come
    refused,    ///< a message refuses
    heartbeat,  ///< a heartbeat was not answered
    goodbye,    ///< upstream announced the end
    failed,     ///< a template has no value now
  };

  /// The session is to be ended.
  struct End {
    Why why = Why::failed;
    std::string text;                        ///< for people, without any value
    std::string rule;                        ///< "session.open[1]"
    std::optional<config::Verdict> verdict;  ///< nothing: as the policy has it
  };

  using Action = std::variant<Send, Ready, End>;

  /// All referred to outlives it.
  Run(Program& program, Variables& variables, Surroundings& surroundings);

  /// From now on it looks on. It outlives this.
  void observe(Observer& observer) noexcept { observer_ = &observer; }

  /// The session is there. Called once, before all else.
  void opened(Time now);

  /// Some messages came, whatever they are.
  void received(Time now) noexcept { last_received_ = now; }

  /// Whether `message` is to be called for each of them.
  [[nodiscard]] bool watches() const noexcept;
  void message(const Message& message, JsonReader& reader, Time now);

  /// It is `now`; to be called at `next()`, or later.
  void time(Time now);
  [[nodiscard]] Time next() const noexcept;

  /// What is to be done now, in this order.
  [[nodiscard]] std::vector<Action> take();

  /// Upstream closed the session. A resume that it answers so is refused.
  void closed_by_peer();

  /// What is said before our Close frame; nothing where nothing is, or it was never ready.
  [[nodiscard]] std::optional<Send> farewell();

  [[nodiscard]] bool ready() const noexcept { return phase_ == Phase::open; }
  [[nodiscard]] bool ended() const noexcept { return phase_ == Phase::ended; }
  [[nodiscard]] bool resuming() const noexcept { return resuming_; }
  [[nodiscard]] const std::vector<StepRecord>& steps() const noexcept { return records_; }

  /// What the step at hand waits for and has not met, for people: `a message with /event = ok`.
  /// Empty: for nothing. Stays when the session has ended over it.
  [[nodiscard]] std::string waits_for() const;

 private:
  enum class Phase : std::uint8_t { opening, open, ended };

  // Scope
  [[nodiscard]] std::optional<std::string_view> variable(std::string_view name) const override;
  [[nodiscard]] std::chrono::system_clock::time_point wall_now() const override;
  void random(std::span<std::byte> bytes) override;

  // run_opening.cpp: steps
  void advance(Time now);
  [[nodiscard]] bool do_step(Time now);
  [[nodiscard]] bool do_send(const config::SendStep& step, Time now);
  [[nodiscard]] bool do_wait(const config::WaitStep& step, Time now);
  [[nodiscard]] bool do_pause(const config::PauseStep& step, Time now);
  void begin_step(Time now);
  void end_step(Time now);
  void find_wait();
  void meet(std::size_t condition, std::size_t rule, const Message& message, JsonReader& reader);
  void refuse(const config::RefusalRule& refusal, const std::string& path);
  [[nodiscard]] bool finish_wait(const config::WaitStep& step);
  void wait_timed_out(const config::WaitStep& step);
  void opening_failed(End end);
  [[nodiscard]] std::string step_path(std::size_t step) const;
  [[nodiscard]] std::string step_path() const { return step_path(step_); }
  [[nodiscard]] const std::vector<config::ScriptStep>& steps_now() const noexcept;

  // run.cpp: all else
  void become_ready(Time now);
  void act(const Meaning& meaning, std::size_t rule, const Message& message, JsonReader& reader,
           Time now);
  void remember(const config::Remembered& what, std::size_t rule, const Message& message,
                JsonReader& reader);
  void reply(const config::Reply& what, std::size_t index, std::size_t rule, const Message& message,
             JsonReader& reader);
  void beat(Time now);
  [[nodiscard]] bool schedule_beat(Time from, bool first);
  void end(End end);

  /// Nothing: it could not be, and this has ended.
  [[nodiscard]] std::optional<std::string> value_of(const config::Template& text,
                                                    const std::string& path);
  void send(const config::ScriptMessage& message, const std::string& path);
  [[nodiscard]] bool assign(const config::Assignment& assignment, const std::string& path);
  /// False: it is too long.
  [[nodiscard]] bool store(std::string_view variable, std::string value, std::string_view path);
  /// What a message has for it; a template is not looked at.
  [[nodiscard]] std::optional<std::string> taken(const config::Assignment::Source& source,
                                                 std::size_t rule, const Message& message,
                                                 JsonReader& reader);

  Program& program_;
  Variables& variables_;
  Surroundings& surroundings_;
  Observer* observer_ = nullptr;  ///< nobody, save in a dry run
  Phase phase_ = Phase::opening;
  bool resuming_ = false;
  bool was_ready_ = false;
  std::vector<Action> actions_;
  Time begun_;
  Time last_received_;

  std::size_t step_ = 0;
  bool in_step_ = false;
  std::size_t repeat_ = 0;          ///< of the step: how many are sent
  std::optional<Time> step_until_;  ///< its pause, pace or time-out
  std::size_t wait_ = 0;            ///< the step whose conditions count now
  std::vector<bool> met_;           ///< of its conditions
  std::vector<bool> assigned_;      ///< of its variables
  std::vector<StepRecord> records_;

  std::optional<Time> next_beat_;
  std::optional<Time> answer_by_;
  std::optional<Time> renew_at_;
  std::string renew_rule_;
  bool renew_anew_ = false;  ///< without a resume
};

}  // namespace wskeep::script
