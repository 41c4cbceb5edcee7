#include "config/session_steps.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "config/suggest.hpp"

namespace wskeep::config {
namespace {

constexpr Milliseconds shortest{1};
constexpr Milliseconds hour = std::chrono::hours(1);
constexpr std::size_t most_steps = 1024;

}  // namespace

std::string_view step_name(const ScriptStep& step) noexcept {
  constexpr std::array<std::string_view, 4> names{"send", "wait", "set", "pause"};
  return names.at(step.index());
}

std::vector<ScriptStep> SessionSteps::steps(const Field& field) {
  std::vector<ScriptStep> all;
  fields_.list(field, "list of steps: send, wait, set or pause", [&](const Field& one) {
    if (all.size() == most_steps) {
      return fields_.complain(one, "is one too many: at most " + std::to_string(most_steps));
    }
    if (std::optional<ScriptStep> step = read_step(one)) {
      all.push_back(std::move(*step));
    }
  });
  return all;
}

std::optional<ScriptStep> SessionSteps::read_step(const Field& field) {
  if (two_in_one(field)) {
    return std::nullopt;
  }
  if (field.node.kind == Element::Kind::map) {
    if (has_key(field.node, "send")) {
      return read_send(field);
    }
    if (has_key(field.node, "wait")) {
      return read_wait(field);
    }
    if (has_key(field.node, "pause")) {
      PauseStep step;
      fields_.map(field, SessionMap::pause, [&](std::string_view /*name*/, const Field& value) {
        step.duration = fields_.duration(value, shortest, hour);
      });
      return step;
    }
    if (has_key(field.node, "set")) {
      SetStep step;
      fields_.map(field, SessionMap::set, [&](std::string_view /*name*/, const Field& value) {
        step.set = fields_.assignments(value, {});
      });
      return step;
    }
  }
  // Says what is there, and what could be.
  fields_.map(field, {"send", "wait", "set", "pause"}, [](std::string_view, const Field&) {});
  if (field.node.kind == Element::Kind::map && field.node.items.empty()) {
    fields_.complain(field, "is empty; allowed: send, wait, set or pause");
  }
  return std::nullopt;
}

/// Told for what it is, and not as a key that the first of them does not have.
bool SessionSteps::two_in_one(const Field& field) {
  std::string_view first;
  if (field.node.kind != Element::Kind::map) {
    return false;
  }
  for (const Element& key : field.node.keys) {
    const bool step = key.value == "send" || key.value == "wait" || key.value == "pause";
    if (step && !first.empty() && key.value != first) {
      fields_.complain({key, field.path + "." + key.value},
                       "is a step of its own: put it into another item of the list, with '- " +
                           key.value + ":'");
      return true;
    }
    first = step ? std::string_view(key.value) : first;
  }
  return false;
}

SendStep SessionSteps::read_send(const Field& field) {
  SendStep step;
  std::optional<Field> message;
  std::optional<Field> pace;
  fields_.map(field, SessionMap::send, [&](std::string_view name, const Field& value) {
    if (name == "send") {
      message.emplace(value);
    } else if (name == "repeat") {
      read_repeat(value, step);
    } else if (name == "pace") {
      pace.emplace(value);
      step.pace = fields_.duration(value, shortest, hour);
    } else if (name == "set") {
      step.set = fields_.assignments(value, {});
    } else {
      step.message.binary = fields_.flag(value);
    }
  });
  if (pace && step.list.empty() && !has_key(field.node, "repeat")) {
    fields_.complain(*pace, "has no use without 'repeat'; a 'pause' is a step of its own");
  }
  if (message) {
    step.message.text = fields_.message_template(*message, step.each);
  }
  return step;
}

void SessionSteps::read_repeat(const Field& field, SendStep& step) {
  const std::string allowed = "{NAME: LIST}, LIST being one under 'variables'";
  if (field.node.kind == Element::Kind::map && field.node.items.size() != 1) {
    return fields_.complain(field, "needs one entry; allowed: " + allowed);
  }
  fields_.entries(field, allowed, [&](const Element& name, const Field& value) {
    const std::optional<std::string> list = fields_.text(value, "name of a list");
    std::vector<std::string_view> lists;
    for (const Constant& constant : constants_) {
      if (constant.list) {
        lists.push_back(constant.name);
      }
    }
    if (list && std::ranges::find(lists, *list) == lists.end()) {
      fields_.complain(
          value, in_quotes(*list) + " is no list under 'variables'" + suggestion(*list, lists) +
                     (lists.empty() ? "; there are none" : "; there are " + joined(lists, "and")));
      return;
    }
    if (list && fields_.can_be_set(name, value.path)) {
      step.each = name.value;
      step.list = *list;
    }
  });
}

WaitStep SessionSteps::read_wait(const Field& field) {
  WaitStep step;
  std::optional<Field> set;
  fields_.map(field, SessionMap::wait, [&](std::string_view name, const Field& value) {
    if (name == "wait") {
      fields_.one_or_list(value,
                          [&](const Field& one) { step.conditions.push_back(fields_.rule(one)); });
      if (step.conditions.empty()) {
        fields_.complain(value, "is empty; allowed: one or more conditions");
      }
    } else if (name == "timeout") {
      step.timeout = fields_.duration(value, shortest, hour);
    } else if (name == "set") {
      set.emplace(value);
    } else {
      fields_.one_or_list(value, [&](const Field& one) { step.refusals.push_back(refusal(one)); });
    }
  });
  if (set) {
    std::vector<const MessageRule*> rules;
    for (const MessageRule& condition : step.conditions) {
      rules.push_back(&condition);
    }
    step.set = fields_.assignments(*set, rules);
  }
  return step;
}

RefusalRule SessionSteps::refusal(const Field& field) {
  RefusalRule refusal;
  bool given = false;
  fields_.map(field, SessionMap::refusal, [&](std::string_view name, const Field& value) {
    if (name == "verdict") {
      refusal.verdict =
          static_cast<Verdict>(fields_.choice(value, session_choices(SessionMap::refusal, name)));
    } else {
      given = fields_.rule_key(name, value, refusal.on) || given;
    }
  });
  const bool only_verdict = std::ranges::all_of(
      field.node.keys, [](const Element& key) { return key.value == "verdict"; });
  if (!given && only_verdict && field.node.kind == Element::Kind::map) {
    fields_.complain(field,
                     "does not say which message refuses; allowed: json, exists, absent, text, "
                     "contains and opcode");
  }
  return refusal;
}

}  // namespace wskeep::config
