#include "daemon/script/run.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "config/quantity.hpp"
#include "daemon/script/encoding.hpp"
#include "daemon/script/evaluate.hpp"

namespace wskeep::script {
namespace {

/// Steps whose records are kept.
constexpr std::size_t most_records = 64;

/// A part of the whole, all equally likely.
std::chrono::milliseconds part_of(std::chrono::milliseconds whole, Surroundings& surroundings) {
  std::array<std::byte, 4> bytes{};
  surroundings.random(bytes);
  std::uint64_t drawn = 0;
  for (const std::byte byte : bytes) {
    drawn = (drawn << 8U) | std::to_integer<std::uint64_t>(byte);
  }
  // At most a day and 32 bits: no overflow.
  return std::chrono::milliseconds((static_cast<std::uint64_t>(whole.count()) * drawn) >> 32U);
}

std::string number_of(std::string_view what, std::size_t index) {
  return "session." + std::string(what) + "[" + std::to_string(index) + "]";
}

}  // namespace

Run::Run(Program& program, Variables& variables, Surroundings& surroundings)
    : program_(program), variables_(variables), surroundings_(surroundings) {
  records_.reserve(most_records);
}

std::optional<std::string_view> Run::variable(std::string_view name) const {
  return variables_.find(name);
}

std::chrono::system_clock::time_point Run::wall_now() const {
  return surroundings_.wall_now();
}

void Run::random(std::span<std::byte> bytes) {
  surroundings_.random(bytes);
}

void Run::opened(Time now) {
  const config::SessionScript& script = program_.script();
  begun_ = now;
  last_received_ = now;
  variables_.begin_session();
  resuming_ = !script.resume.empty() && variables_.knows_all(script.resume_needs);
  find_wait();
  advance(now);
}

bool Run::watches() const noexcept {
  return phase_ != Phase::ended &&
         !(phase_ == Phase::open ? program_.open() : program_.opening()).set.empty();
}

void Run::message(const Message& message, JsonReader& reader, Time now) {
  if (!watches()) {
    return;
  }
  const bool opening = phase_ == Phase::opening;
  Rules& rules = opening ? program_.opening() : program_.open();
  const std::size_t wait = wait_;
  for (const std::uint32_t rule : rules.set.match(message, reader)) {
    const Meaning& meaning = rules.meanings[rule];
    const bool of_step = meaning.role == Role::refusal || meaning.role == Role::condition;
    if (of_step && (meaning.of_resume != resuming_ || meaning.step != wait)) {
      continue;
    }
    act(meaning, rule, message, reader, now);
    if (phase_ == Phase::ended) {
      return;
    }
  }
  if (opening) {
    advance(now);
  }
}

void Run::act(const Meaning& meaning, std::size_t rule, const Message& message, JsonReader& reader,
              Time now) {
  const config::SessionScript& script = program_.script();
  switch (meaning.role) {
    case Role::remember:
      return remember(script.remember[meaning.index], rule, message, reader);
    case Role::refusal:
      return refuse(std::get<config::WaitStep>(steps_now()[meaning.step]).refusals[meaning.index],
                    step_path(meaning.step) + ".refuse");
    case Role::refusal_always:
      return refuse(script.refusals[meaning.index], number_of("refuse", meaning.index));
    case Role::condition:
      return meet(meaning.index, rule, message, reader);
    case Role::reply:
      return reply(script.replies[meaning.index], meaning.index, rule, message, reader);
    case Role::goodbye: {
      const config::Goodbye& goodbye = script.goodbye[meaning.index];
      renew_anew_ = renew_anew_ || !goodbye.resume;
      const Time at = now + goodbye.renew_after;
      if (!renew_at_ || at < *renew_at_) {
        renew_at_ = at;
        renew_rule_ = number_of("goodbye", meaning.index);
      }
      if (at == now) {
        time(now);
      }
      return;
    }
    case Role::beat_answer:
      if (observer_ != nullptr && answer_by_) {
        observer_->beat_answered();
      }
      answer_by_.reset();
      return;
  }
}

std::optional<std::string> Run::taken(const config::Assignment::Source& source, std::size_t rule,
                                      const Message& message, JsonReader& reader) {
  if (const auto* const pointer = std::get_if<config::JsonPointer>(&source)) {
    return reader.text_at(*pointer);
  }
  const auto* const group = std::get_if<std::size_t>(&source);
  if (group == nullptr) {
    return std::nullopt;
  }
  const Rules& rules = phase_ == Phase::open ? program_.open() : program_.opening();
  std::vector<std::string> groups = rules.set.captures(rule, message);
  return *group < groups.size() ? std::optional(std::move(groups[*group])) : std::nullopt;
}

void Run::remember(const config::Remembered& what, std::size_t rule, const Message& message,
                   JsonReader& reader) {
  if (std::holds_alternative<config::Template>(what.value)) {
    static_cast<void>(assign({what.variable, what.value}, "session.remember." + what.variable));
    return;
  }
  std::optional<std::string> value = taken(what.value, rule, message, reader);
  // Too long a value is left out, as one that is not there.
  if (value) {
    static_cast<void>(store(what.variable, std::move(*value), "session.remember"));
  }
}

void Run::reply(const config::Reply& what, std::size_t index, std::size_t rule,
                const Message& message, JsonReader& reader) {
  const std::string path = number_of("replies", index);
  for (const config::Assignment& assignment : what.set) {
    if (std::holds_alternative<config::Template>(assignment.source)) {
      if (!assign(assignment, path)) {
        return;
      }
      continue;
    }
    // What an earlier message had is no answer to this one.
    std::optional<std::string> value = taken(assignment.source, rule, message, reader);
    if (!value) {
      variables_.unset(assignment.variable);
    } else if (!store(assignment.variable, std::move(*value), path)) {
      return end({Why::failed, path + ": the value for '" + assignment.variable + "' is over 64KiB",
                  path, std::nullopt});
    }
  }
  if (!what.message.empty()) {
    send(what.message, path);
  }
}

// -- heartbeats

void Run::become_ready(Time now) {
  phase_ = Phase::open;
  was_ready_ = true;
  actions_.emplace_back(Ready{});
  if (program_.script().heartbeat) {
    static_cast<void>(schedule_beat(now, program_.script().heartbeat->jitter_first));
  }
}

bool Run::schedule_beat(Time from, bool first) {
  const std::string path = "session.heartbeat.every";
  const auto text = value_of(program_.script().heartbeat->every, path);
  if (!text) {
    return false;
  }
  std::string wrong = "is out of range";
  try {
    const config::Milliseconds every = config::parse_duration(*text);
    if (every >= config::SessionScript::shortest_beat &&
        every <= config::SessionScript::longest_beat) {
      next_beat_ = from + (first ? part_of(every, surroundings_) : every);
      return true;
    }
  } catch (const config::QuantityError&) {
    wrong = "is no duration";
  }
  end({Why::failed, path + ": what it stands for " + wrong + "; allowed: 10ms to 1d", path,
       std::nullopt});
  return false;
}

void Run::beat(Time now) {
  const config::Heartbeat& heartbeat = *program_.script().heartbeat;
  if (heartbeat.idle_only) {
    const Time due = *next_beat_;
    if (!schedule_beat(last_received_, false)) {
      return;
    }
    if (*next_beat_ > now) {
      return;  // there was traffic
    }
    next_beat_ = due;
  }
  for (const config::Assignment& assignment : heartbeat.set) {
    if (!assign(assignment, "session.heartbeat.set")) {
      return;
    }
  }
  send(heartbeat.message, "session.heartbeat.send");
  if (heartbeat.expect && !answer_by_) {
    answer_by_ = now + heartbeat.within;
  }
  if (phase_ == Phase::open) {
    static_cast<void>(schedule_beat(now, false));
  }
}

// -- time

void Run::time(Time now) {
  if (phase_ == Phase::ended) {
    return;
  }
  if (renew_at_ && now >= *renew_at_) {
    if (renew_anew_) {
      variables_.forget(program_.script().resume_needs);
    }
    return end({Why::goodbye,
                "upstream announced that it will end the session (" + renew_rule_ + ")",
                renew_rule_, std::nullopt});
  }
  if (phase_ == Phase::opening) {
    if (step_until_ && now >= *step_until_) {
      advance(now);
    }
    return;
  }
  if (answer_by_ && now >= *answer_by_) {
    return end({Why::heartbeat,
                "upstream did not answer a heartbeat within " +
                    config::format_duration(program_.script().heartbeat->within) +
                    " (session.heartbeat.within)",
                "session.heartbeat", std::nullopt});
  }
  if (next_beat_ && now >= *next_beat_) {
    beat(now);
  }
}

Run::Time Run::next() const noexcept {
  Time next = Time::max();
  if (phase_ == Phase::ended) {
    return next;
  }
  const auto& own = phase_ == Phase::opening ? step_until_ : next_beat_;
  for (const auto& time : {own, answer_by_, renew_at_}) {
    if (time) {
      next = std::min(next, *time);
    }
  }
  return next;
}

// -- what comes of it

std::vector<Run::Action> Run::take() {
  return std::exchange(actions_, {});
}

void Run::end(End end) {
  if (phase_ == Phase::ended) {
    return;
  }
  phase_ = Phase::ended;
  actions_.emplace_back(std::move(end));
}

void Run::closed_by_peer() {
  if (phase_ == Phase::opening && resuming_) {
    variables_.forget(program_.script().resume_needs);
  }
}

std::optional<std::string> Run::value_of(const config::Template& text, const std::string& path) {
  Evaluated evaluated = evaluate(text, *this);
  if (auto* const error = std::get_if<EvaluationError>(&evaluated)) {
    end({Why::failed, path + ": " + error->text, path, std::nullopt});
    return std::nullopt;
  }
  return std::get<std::string>(std::move(evaluated));
}

void Run::send(const config::ScriptMessage& message, const std::string& path) {
  std::optional<std::string> text = value_of(message.text, path);
  if (!text) {
    return;
  }
  if (!message.binary && !is_utf8(*text)) {
    return end({Why::failed,
                path + ": what it stands for is not UTF-8, and a text must be; give 'binary: true'",
                path, std::nullopt});
  }
  if (observer_ != nullptr) {
    observer_->said(path, message, *text, variables_);
  }
  actions_.emplace_back(Send{std::move(*text), message.binary});
}

bool Run::store(std::string_view variable, std::string value, std::string_view path) {
  if (!variables_.set(variable, std::move(value))) {
    return false;
  }
  if (observer_ != nullptr) {
    observer_->variable_set(path, variable, variables_.find(variable).value_or(""));
  }
  return true;
}

bool Run::assign(const config::Assignment& assignment, const std::string& path) {
  const std::string where = path + "." + assignment.variable;
  std::optional<std::string> value = value_of(std::get<config::Template>(assignment.source), where);
  if (!value) {
    return false;
  }
  if (store(assignment.variable, std::move(*value), path)) {
    return true;
  }
  end({Why::failed, where + ": the value is over 64KiB", where, std::nullopt});
  return false;
}

std::optional<Run::Send> Run::farewell() {
  const config::ScriptMessage& message = program_.script().close_message;
  if (!was_ready_ || message.empty()) {
    return std::nullopt;
  }
  Evaluated evaluated = evaluate(message.text, *this);
  auto* const text = std::get_if<std::string>(&evaluated);
  if (text == nullptr || (!message.binary && !is_utf8(*text))) {
    return std::nullopt;  // there is no session left that this could fail
  }
  if (observer_ != nullptr) {
    observer_->said("session.close.send", message, *text, variables_);
  }
  return Send{std::move(*text), message.binary};
}

}  // namespace wskeep::script
