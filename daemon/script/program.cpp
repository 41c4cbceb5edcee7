#include "daemon/script/program.hpp"

#include <utility>

namespace wskeep::script {
namespace {

using config::SessionScript;

/// Rules and their meanings, side by side.
struct Collected {
  std::vector<config::MessageRule> rules;
  std::vector<Meaning> meanings;

  void add(const config::MessageRule& rule, Meaning meaning) {
    rules.push_back(rule);
    meanings.push_back(meaning);
  }
};

void add_steps(const std::vector<config::ScriptStep>& steps, bool resume, Role role,
               Collected& to) {
  for (std::size_t step = 0; step < steps.size(); ++step) {
    const auto* const wait = std::get_if<config::WaitStep>(&steps[step]);
    if (wait == nullptr) {
      continue;
    }
    const bool refusals = role == Role::refusal;
    const std::size_t count = refusals ? wait->refusals.size() : wait->conditions.size();
    for (std::size_t index = 0; index < count; ++index) {
      to.add(refusals ? wait->refusals[index].on : wait->conditions[index],
             {role, resume, step, index});
    }
  }
}

Rules rules_of(const SessionScript& script, bool opening) {
  Collected all;
  for (std::size_t i = 0; i < script.remember.size(); ++i) {
    all.add(script.remember[i].on, {Role::remember, false, 0, i});
  }
  for (const Role role : {Role::refusal, Role::condition}) {
    if (opening) {
      add_steps(script.open, false, role, all);
      add_steps(script.resume, true, role, all);
    }
  }
  for (std::size_t i = 0; i < script.refusals.size(); ++i) {
    all.add(script.refusals[i].on, {Role::refusal_always, false, 0, i});
  }
  for (std::size_t i = 0; i < script.replies.size(); ++i) {
    all.add(script.replies[i].on, {Role::reply, false, 0, i});
  }
  for (std::size_t i = 0; i < script.goodbye.size(); ++i) {
    all.add(script.goodbye[i].on, {Role::goodbye, false, 0, i});
  }
  if (!opening && script.heartbeat && script.heartbeat->expect) {
    all.add(*script.heartbeat->expect, {Role::beat_answer, false, 0, 0});
  }
  return {RuleSet(all.rules), std::move(all.meanings)};
}

}  // namespace

Program::Program(std::shared_ptr<const SessionScript> script)
    : script_(std::move(script)),
      opening_(rules_of(*script_, true)),
      open_(rules_of(*script_, false)) {}

}  // namespace wskeep::script
