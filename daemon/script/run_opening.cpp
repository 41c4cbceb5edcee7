// The steps of an opening: the parts of Run that go from one to the next.

#include <algorithm>
#include <utility>

#include "config/quantity.hpp"
#include "config/session_text.hpp"
#include "daemon/script/run.hpp"

namespace wskeep::script {

const std::vector<config::ScriptStep>& Run::steps_now() const noexcept {
  return resuming_ ? program_.script().resume : program_.script().open;
}

std::string Run::step_path(std::size_t step) const {
  return std::string(resuming_ ? "session.resume[" : "session.open[") + std::to_string(step) + "]";
}

/// Goes on until something must be waited for.
void Run::advance(Time now) {
  while (phase_ == Phase::opening && step_ < steps_now().size()) {
    if (!in_step_) {
      begin_step(now);
    }
    if (!do_step(now)) {
      return;
    }
    if (phase_ == Phase::opening) {
      end_step(now);
    }
  }
  if (phase_ == Phase::opening) {
    become_ready(now);
  }
}

void Run::begin_step(Time now) {
  in_step_ = true;
  repeat_ = 0;
  step_until_.reset();
  if (observer_ != nullptr) {
    observer_->step_begun(step_path(), steps_now()[step_]);
  }
  // Room was made for as many as are kept.
  if (records_.size() < records_.capacity()) {
    records_.push_back({step_path().substr(std::string_view("session.").size()),
                        config::step_name(steps_now()[step_]), now - begun_});
  }
}

void Run::end_step(Time now) {
  if (step_ < records_.size()) {
    records_[step_].took = now - begun_ - records_[step_].started;
  }
  if (observer_ != nullptr) {
    observer_->step_done(step_path());
  }
  const bool waited = step_ == wait_;
  in_step_ = false;
  step_until_.reset();
  ++step_;
  if (waited) {
    find_wait();
  }
}

/// The first wait that is not over: it counts what comes from now on, also while the steps before
/// it are being done.
void Run::find_wait() {
  const auto& steps = steps_now();
  wait_ = step_;
  while (wait_ < steps.size() && !std::holds_alternative<config::WaitStep>(steps[wait_])) {
    ++wait_;
  }
  met_.clear();
  assigned_.clear();
  if (wait_ < steps.size()) {
    const auto& wait = std::get<config::WaitStep>(steps[wait_]);
    met_.resize(wait.conditions.size());
    assigned_.resize(wait.set.size());
  }
}

/// False: there is something to wait for.
bool Run::do_step(Time now) {
  const config::ScriptStep& step = steps_now()[step_];
  if (const auto* const send = std::get_if<config::SendStep>(&step)) {
    return do_send(*send, now);
  }
  if (const auto* const wait = std::get_if<config::WaitStep>(&step)) {
    return do_wait(*wait, now);
  }
  if (const auto* const pause = std::get_if<config::PauseStep>(&step)) {
    return do_pause(*pause, now);
  }
  const std::string path = step_path() + ".set";
  const auto& set = std::get<config::SetStep>(step).set;
  return std::ranges::all_of(set, [&](const auto& one) { return assign(one, path); });
}

bool Run::do_send(const config::SendStep& step, Time now) {
  const std::string path = step_path() + ".send";
  const auto send_one = [&] {
    const auto assigned = [&](const auto& one) { return assign(one, step_path() + ".set"); };
    if (std::ranges::all_of(step.set, assigned)) {
      send(step.message, path);
    }
  };
  if (step.list.empty()) {
    send_one();
    return true;
  }
  const std::vector<std::string>& list = variables_.list(step.list);
  while (repeat_ < list.size() && phase_ == Phase::opening) {
    if (step_until_ && now < *step_until_) {
      return false;
    }
    static_cast<void>(variables_.set(step.each, list[repeat_++]));
    send_one();
    if (step.pace.count() > 0) {
      step_until_ = now + step.pace;
    }
  }
  variables_.unset(step.each);
  return true;
}

bool Run::do_pause(const config::PauseStep& step, Time now) {
  if (!step_until_) {
    step_until_ = now + step.duration;
  }
  return now >= *step_until_;
}

bool Run::do_wait(const config::WaitStep& step, Time now) {
  if (std::ranges::find(met_, false) == met_.end()) {
    return finish_wait(step);
  }
  if (!step_until_) {
    step_until_ = now + step.timeout;
  }
  if (now >= *step_until_) {
    wait_timed_out(step);
  }
  return false;
}

void Run::meet(std::size_t condition, std::size_t rule, const Message& message,
               JsonReader& reader) {
  // What came first counts.
  if (met_[condition]) {
    return;
  }
  met_[condition] = true;
  if (observer_ != nullptr) {
    observer_->condition_met(step_path(wait_), condition);
  }
  const auto& step = std::get<config::WaitStep>(steps_now()[wait_]);
  for (std::size_t i = 0; i < step.set.size(); ++i) {
    if (assigned_[i]) {
      continue;
    }
    if (auto value = taken(step.set[i].source, rule, message, reader)) {
      assigned_[i] = store(step.set[i].variable, std::move(*value), step_path(wait_));
    }
  }
}

bool Run::finish_wait(const config::WaitStep& step) {
  const std::string path = step_path() + ".set";
  for (std::size_t i = 0; i < step.set.size(); ++i) {
    const config::Assignment& assignment = step.set[i];
    if (std::holds_alternative<config::Template>(assignment.source)) {
      if (!assign(assignment, path)) {
        return false;
      }
    } else if (!assigned_[i]) {
      const std::string where = path + "." + assignment.variable;
      opening_failed({Why::refused, where + ": the message has no such value, or one over 64KiB",
                      where, std::nullopt});
      return false;
    }
  }
  return true;
}

std::string Run::waits_for() const {
  const bool waits = !was_ready_ && in_step_ && step_ == wait_ && step_ < steps_now().size();
  std::string text;
  for (std::size_t condition = 0; waits && condition < met_.size(); ++condition) {
    if (!met_[condition]) {
      const auto& wait = std::get<config::WaitStep>(steps_now()[step_]);
      text += (text.empty() ? "" : "; ") + config::describe_rule(wait.conditions[condition]);
    }
  }
  return text;
}

void Run::wait_timed_out(const config::WaitStep& step) {
  const auto unmet = std::ranges::find(met_, false) - met_.begin();
  std::string what = "no message met the condition";
  if (met_.size() > 1) {
    what = "no message met condition " + std::to_string(unmet + 1) + " of " +
           std::to_string(met_.size());
  }
  opening_failed({Why::timeout,
                  step_path() + ": " + what + " within " + config::format_duration(step.timeout) +
                      " (timeout)",
                  step_path(), std::nullopt});
}

void Run::refuse(const config::RefusalRule& refusal, const std::string& path) {
  opening_failed({Why::refused, "upstream refused: a message is what " + path + " says", path,
                  refusal.verdict});
}

/// A resume that fails is not tried again: what it needs is forgotten, and the next session is
/// opened anew.
void Run::opening_failed(End failure) {
  if (resuming_ && phase_ == Phase::opening) {
    variables_.forget(program_.script().resume_needs);
    failure.text += "; the next session does not resume";
    failure.verdict = config::Verdict::retry;
  }
  end(std::move(failure));
}

}  // namespace wskeep::script
