#include "cli/explanation.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <utility>

#include "cli/advice.hpp"
#include "cli/escape.hpp"
#include "cli/json_access.hpp"
#include "cli/wrap.hpp"

namespace wskeep::cli {

namespace {

using boost::json::object;

/// Since when there is no session, as far as the cycles that are kept tell.
struct Away {
  SystemTime since;
  bool at_least = false;       ///< it may be longer
  std::uint64_t attempts = 0;  ///< that have ended since
};

std::optional<Away> away_of(const Attempts& attempts) {
  const auto& cycles = attempts.cycles;
  if (cycles.empty() || !cycles.front().started) return std::nullopt;
  const Cycle& newest = cycles.back();
  const std::uint64_t ended = newest.ended ? newest.number : newest.number - 1;
  for (auto cycle = cycles.rbegin(); cycle != cycles.rend(); ++cycle) {
    if (!cycle->session || !cycle->started || !cycle->ended) continue;
    return Away{*cycle->started + *cycle->ended + cycle->session->lived, false,
                ended - std::min(ended, cycle->number)};
  }
  const Cycle& oldest = cycles.front();
  const std::uint64_t before = oldest.number == 0 ? 0 : oldest.number - 1;
  return Away{*oldest.started, before > 0, ended - std::min(ended, before)};
}

/// The newest cycle that is over: what was decided then holds now.
const Cycle* last_ended(const Attempts& attempts) {
  const auto found =
      std::ranges::find_if(attempts.cycles.rbegin(), attempts.cycles.rend(),
                           [](const Cycle& cycle) { return cycle.failure || cycle.session; });
  return found == attempts.cycles.rend() ? nullptr : &*found;
}

/// The step that an opening is at; nullptr: none.
const StepAttempt* current_step(const Attempts& attempts) {
  if (attempts.cycles.empty()) return nullptr;
  const Cycle& cycle = attempts.cycles.back();
  if (cycle.session || cycle.failure) return nullptr;
  for (const auto* const steps : {&cycle.script, &cycle.prepare}) {
    const auto found =
        std::ranges::find_if(*steps, [](const StepAttempt& step) { return !step.took; });
    if (found != steps->end()) return &*found;
  }
  return nullptr;
}

struct LastError {
  ShownFailure failure;
  std::optional<SystemTime> time;
  std::uint64_t close_code = 0;
};

std::optional<LastError> last_error_of(const object& connection, const Attempts& attempts) {
  if (auto failure = parse_failure(connection, "last_error")) {
    const object& fields = *object_of(connection, "last_error");
    return LastError{std::move(*failure), parse_time(text_of(fields, "time")),
                     count_of(fields, "close_code").value_or(0)};
  }
  const Cycle* cycle = last_ended(attempts);
  if (cycle == nullptr) return std::nullopt;
  if (cycle->failure) return LastError{*cycle->failure, std::nullopt, 0};
  if (!cycle->session->failure) return std::nullopt;
  return LastError{*cycle->session->failure, std::nullopt, cycle->session->close_code};
}

class Explanation {
 public:
  Explanation(const object& connection, const Attempts& attempts, SystemTime now,
              const Canvas& canvas)
      : connection_(connection),
        attempts_(attempts),
        now_(now),
        canvas_(canvas),
        state_(text_of(connection, "state")),
        error_(last_error_of(connection, attempts)),
        cycle_(last_ended(attempts)) {
    next_attempt_ = attempts.next_attempt;
    if (!next_attempt_) next_attempt_ = parse_time(text_of(connection, "next_attempt"));
  }

  std::string write();

 private:
  void headline();
  void ready();
  void not_ready();
  void fact(std::string_view label, std::string_view text, Color color = Color::none);
  [[nodiscard]] std::string headline_text() const;
  [[nodiscard]] std::string next_text() const;
  [[nodiscard]] std::string error_text() const;
  [[nodiscard]] bool waits() const { return state_ == "backing_off" || state_ == "failed"; }
  [[nodiscard]] bool stopped() const {
    return waits() && !next_attempt_ && cycle_ != nullptr && cycle_->next &&
           cycle_->next->verdict == "stop";
  }
  [[nodiscard]] std::string name() const { return visible(text_of(connection_, "name")); }

  const object& connection_;
  const Attempts& attempts_;
  SystemTime now_;
  const Canvas& canvas_;
  std::string state_;
  std::optional<LastError> error_;
  const Cycle* cycle_;
  std::optional<SystemTime> next_attempt_;
  std::string output_;
};

std::string Explanation::write() {
  headline();
  if (state_ == "ready") {
    ready();
  } else {
    not_ready();
  }
  return std::move(output_);
}

std::string Explanation::headline_text() const {
  const std::string error = error_ ? visible(error_->failure.error) : std::string();
  const auto since = parse_time(text_of(connection_, "since"));
  const std::string lasting = since ? " for " + format_duration(now_ - *since) : std::string();
  if (state_ == "ready") return name() + " is connected, and has been" + lasting;
  if (state_ == "paused") {
    return name() + " is paused" + (since ? ", and has been" + lasting : "") +
           ": a person wanted it so";
  }
  if (state_ == "closing") return name() + " is being closed";
  std::string text = name() + " is not connected";
  if (!error.empty()) text += ": " + error;
  if (stopped()) return text + "; nothing more is tried";
  if (waits() && next_attempt_) {
    return text + "; next attempt in " + format_duration(*next_attempt_ - now_);
  }
  if (waits()) return text;
  return text + "; an attempt is under way" +
         (state_.empty() ? "" : " (" + visible(state_) + lasting + ")");
}

void Explanation::headline() {
  const bool good = state_ == "ready";
  const bool quiet = state_ == "paused" || state_ == "closing";
  const Color color = good ? Color::green : quiet ? Color::yellow : Color::red;
  const std::string_view mark =
      good ? canvas_.either("●", "*") : canvas_.either(quiet ? "◌" : "✗", quiet ? "-" : "x");
  // Wrapped as plain text, as colours take no room.
  const std::size_t room = canvas_.width > 2 ? canvas_.width - 2 : 1;
  bool first = true;
  for (const std::string& line : wrap(headline_text(), room)) {
    output_ += first ? canvas_.painted(mark, color) + " " : std::string("  ");
    output_ += canvas_.painted(line, Color::bold) + "\n";
    first = false;
  }
}

void Explanation::fact(std::string_view label, std::string_view text, Color color) {
  if (text.empty()) return;
  constexpr std::size_t width = 12;
  std::string head = "  " + std::string(label);
  head.resize(width, ' ');
  bool first = true;
  for (const std::string& line : wrap(text, canvas_.width > width ? canvas_.width - width : 1)) {
    output_ += first ? canvas_.painted(head, Color::dim) : std::string(width, ' ');
    output_ += canvas_.painted(line, color) + "\n";
    first = false;
  }
}

std::string Explanation::error_text() const {
  if (!error_) return {};
  std::string text = visible(error_->failure.error);
  if (error_->close_code != 0) text += " (close code " + std::to_string(error_->close_code) + ")";
  if (!error_->failure.message.empty()) text += ": " + visible(error_->failure.message);
  return text;
}

void Explanation::ready() {
  std::string where = visible(text_of(connection_, "remote_address"));
  if (const auto trip = number_of(connection_, "round_trip_ms")) {
    where += (where.empty() ? "round trip " : ", round trip ") + format_milliseconds(*trip);
  }
  fact("where", where);
  if (error_) {
    fact("before",
         (error_->time ? format_duration(now_ - *error_->time) + " ago: " : "") + error_text());
  } else {
    fact("before", "nothing has failed since wskeepd was started");
  }
}

std::string Explanation::next_text() const {
  if (state_ == "paused") {
    return "nothing is tried until somebody runs: wskeep resume " + name();
  }
  if (stopped()) {
    const std::string reason = reason_of(*cycle_->next);
    return "nothing more is tried" + (reason.empty() ? "" : ", " + reason) +
           "; to try again: wskeep reconnect " + name();
  }
  if (!waits()) return {};
  if (!next_attempt_) return {};
  std::string text = "an attempt in " + format_duration(*next_attempt_ - now_) + ", at " +
                     clock_text(*next_attempt_, now_);
  if (cycle_ != nullptr && cycle_->next) {
    const std::string reason = reason_of(*cycle_->next);
    if (!reason.empty()) text += ", " + reason;
  }
  return text;
}

void Explanation::not_ready() {
  if (const auto away = away_of(attempts_); away && state_ != "paused") {
    // How many there were before those that are kept, nobody knows.
    const std::string count = std::to_string(away->attempts) + (away->at_least ? " or more" : "") +
                              (away->attempts == 1 && !away->at_least ? " attempt" : " attempts") +
                              " failed";
    fact("away", (away->at_least ? "for more than " : "for ") +
                     format_duration(now_ - away->since) + " (" + visible(state_) + ")" +
                     (away->attempts > 0 ? ", " + count : ""));
  }
  if (const StepAttempt* step = current_step(attempts_); step != nullptr && !waits()) {
    fact("at", "step " + visible(step->step) +
                   (step->waits_for.empty() ? "" : ", waits for " + visible(step->waits_for)));
  }
  fact("happened", error_text());
  fact("next", next_text());
  if (!error_) return;
  if (const Advice* advice = find_advice(error_->failure.error)) {
    const bool known = state_ != "paused" && state_ != "closing";
    if (known) fact("to do", advice->advice, Color::yellow);
  }
}

}  // namespace

std::string explain(const object& connection, const Attempts& attempts, SystemTime now,
                    const Canvas& canvas) {
  return Explanation(connection, attempts, now, canvas).write();
}

std::string current_error(const object& connection, const Attempts& attempts) {
  const auto error = last_error_of(connection, attempts);
  return error ? error->failure.error : std::string();
}

}  // namespace wskeep::cli
