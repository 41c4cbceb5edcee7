#include "config/session_load.hpp"

#include <algorithm>
#include <array>
#include <list>
#include <optional>
#include <utility>

#include "config/quantity.hpp"
#include "config/session_fields.hpp"
#include "config/suggest.hpp"

namespace wskeep::config {
namespace {

constexpr Milliseconds shortest{1};
constexpr Milliseconds hour = std::chrono::hours(1);
constexpr Milliseconds day = std::chrono::hours(24);
constexpr std::size_t most_steps = 1024;

bool has(const Element& map, std::string_view name) {
  return std::ranges::any_of(map.keys, [&](const Element& key) { return key.value == name; });
}

/// Reads the parts of one `session`.
class Reader {
 public:
  Reader(std::span<const SessionSource> sources, Problems& problems)
      : sources_(sources), problems_(problems), fields_(problems) {}

  std::shared_ptr<const SessionScript> read() {
    for (const SessionSource& source : sources_) {
      // Unknown keys are told wherever they stand.
      fields_.map(
          {*source.node, source.path},
          {"variables", "open", "resume", "heartbeat", "replies", "remember", "goodbye", "close"},
          [&](std::string_view name, const Field& field) {
            if (name == "variables") {
              script_.variables = fields_.constants(field, std::move(script_.variables));
            } else {
              keep_last(name, field);
            }
          });
    }
    fields_.know(script_.variables);
    for (const auto& [name, field] : parts_) {
      read_part(name, field);
    }
    fields_.check_templates();
    note_needs();
    return std::make_shared<const SessionScript>(std::move(script_));
  }

 private:
  void keep_last(std::string_view name, const Field& field) {
    std::erase_if(parts_, [&](const auto& part) { return part.first == name; });
    parts_.emplace_back(std::string(name), field);
  }

  void read_part(const std::string& name, const Field& field) {
    const bool off = field.node.kind == Element::Kind::scalar && field.node.value == "off";
    if (off) {
      return;  // as if it were not given
    }
    if (name == "open") {
      script_.open = steps(field);
    } else if (name == "resume") {
      resume_ = &field.node;
      resume_path_ = field.path;
      script_.resume = steps(field);
    } else if (name == "heartbeat") {
      read_heartbeat(field);
    } else if (name == "replies") {
      fields_.list(field, "list of replies", [&](const Field& one) { read_reply(one); });
    } else if (name == "remember") {
      fields_.entries(field, "map of variables to values",
                      [&](const Element& key, const Field& one) { read_remembered(key, one); });
    } else if (name == "goodbye") {
      fields_.list(field, "list of messages that announce the end",
                   [&](const Field& one) { read_goodbye(one); });
    } else {
      read_close(field);
    }
  }

  // -- steps

  std::vector<ScriptStep> steps(const Field& field) {
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

  std::optional<ScriptStep> read_step(const Field& field) {
    if (field.node.kind == Element::Kind::map) {
      if (has(field.node, "send")) {
        return read_send(field);
      }
      if (has(field.node, "wait")) {
        return read_wait(field);
      }
      if (has(field.node, "pause")) {
        PauseStep step;
        fields_.map(field, {"pause"}, [&](std::string_view /*name*/, const Field& value) {
          step.duration = fields_.duration(value, shortest, hour);
        });
        return step;
      }
      if (has(field.node, "set")) {
        SetStep step;
        fields_.map(field, {"set"}, [&](std::string_view /*name*/, const Field& value) {
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

  SendStep read_send(const Field& field) {
    SendStep step;
    std::optional<Field> message;
    std::optional<Field> pace;
    fields_.map(field, {"send", "repeat", "pace", "binary"},
                [&](std::string_view name, const Field& value) {
                  if (name == "send") {
                    message.emplace(value);
                  } else if (name == "repeat") {
                    read_repeat(value, step);
                  } else if (name == "pace") {
                    pace.emplace(value);
                    step.pace = fields_.duration(value, shortest, hour);
                  } else {
                    step.message.binary = fields_.flag(value);
                  }
                });
    if (pace && step.list.empty() && !has(field.node, "repeat")) {
      fields_.complain(*pace, "has no use without 'repeat'; a 'pause' is a step of its own");
    }
    if (message) {
      step.message.text = fields_.message_template(*message, step.each);
    }
    return step;
  }

  void read_repeat(const Field& field, SendStep& step) {
    const std::string allowed = "{NAME: LIST}, LIST being one under 'variables'";
    if (field.node.kind == Element::Kind::map && field.node.items.size() != 1) {
      return fields_.complain(field, "needs one entry; allowed: " + allowed);
    }
    fields_.entries(field, allowed, [&](const Element& name, const Field& value) {
      const std::optional<std::string> list = fields_.text(value, "name of a list");
      std::vector<std::string_view> lists;
      for (const Constant& constant : script_.variables) {
        if (constant.list) {
          lists.push_back(constant.name);
        }
      }
      if (list && std::ranges::find(lists, *list) == lists.end()) {
        fields_.complain(
            value,
            in_quotes(*list) + " is no list under 'variables'" + suggestion(*list, lists) +
                (lists.empty() ? "; there are none" : "; there are " + joined(lists, "and")));
        return;
      }
      if (list && fields_.can_be_set(name, value.path)) {
        step.each = name.value;
        step.list = *list;
      }
    });
  }

  WaitStep read_wait(const Field& field) {
    WaitStep step;
    std::optional<Field> set;
    fields_.map(field, {"wait", "timeout", "set", "refuse"},
                [&](std::string_view name, const Field& value) {
                  if (name == "wait") {
                    fields_.one_or_list(value, [&](const Field& one) {
                      step.conditions.push_back(fields_.rule(one));
                    });
                    if (step.conditions.empty()) {
                      fields_.complain(value, "is empty; allowed: one or more conditions");
                    }
                  } else if (name == "timeout") {
                    step.timeout = fields_.duration(value, shortest, hour);
                  } else if (name == "set") {
                    set.emplace(value);
                  } else {
                    fields_.one_or_list(value, [&](const Field& one) {
                      step.refusals.push_back(read_refusal(one));
                    });
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

  RefusalRule read_refusal(const Field& field) {
    RefusalRule refusal;
    bool given = false;
    fields_.map(field, {"json", "exists", "absent", "text", "contains", "opcode", "verdict"},
                [&](std::string_view name, const Field& value) {
                  if (name == "verdict") {
                    refusal.verdict =
                        static_cast<Verdict>(fields_.choice(value, {"retry", "slow", "stop"}));
                  } else {
                    given = fields_.rule_key(name, value, refusal.on) || given;
                  }
                });
    if (!given && field.node.kind == Element::Kind::map) {
      fields_.complain(field,
                       "does not say which message refuses; allowed: json, exists, absent, text, "
                       "contains and opcode");
    }
    return refusal;
  }

  // -- while the session is open

  void require(const Field& field, std::string_view key) {
    if (field.node.kind == Element::Kind::map && !has(field.node, key)) {
      fields_.complain(field, "has no '" + std::string(key) + "'");
    }
  }

  void read_heartbeat(const Field& field) {
    Heartbeat heartbeat;
    fields_.map(field,
                {"every", "send", "binary", "set", "expect", "within", "jitter_first", "idle_only"},
                [&](std::string_view name, const Field& value) {
                  if (name == "every") {
                    heartbeat.every = fields_.text_template(value);
                    if (heartbeat.every.constant()) {
                      static_cast<void>(fields_.duration(value, SessionScript::shortest_beat,
                                                         SessionScript::longest_beat));
                    }
                  } else if (name == "send") {
                    heartbeat.message.text = fields_.message_template(value);
                  } else if (name == "binary") {
                    heartbeat.message.binary = fields_.flag(value);
                  } else if (name == "set") {
                    heartbeat.set = fields_.assignments(value, {});
                  } else if (name == "expect") {
                    heartbeat.expect = fields_.rule(value);
                  } else if (name == "within") {
                    heartbeat.within = fields_.duration(value, shortest, hour);
                  } else if (name == "jitter_first") {
                    heartbeat.jitter_first = fields_.flag(value);
                  } else {
                    heartbeat.idle_only = fields_.flag(value);
                  }
                });
    require(field, "every");
    require(field, "send");
    script_.heartbeat = std::move(heartbeat);
  }

  void read_reply(const Field& field) {
    Reply reply;
    std::optional<Field> set;
    fields_.map(field, {"on", "send", "binary", "set"},
                [&](std::string_view name, const Field& value) {
                  if (name == "on") {
                    reply.on = fields_.rule(value);
                  } else if (name == "send") {
                    reply.message.text = fields_.message_template(value);
                  } else if (name == "binary") {
                    reply.message.binary = fields_.flag(value);
                  } else {
                    set.emplace(value);
                  }
                });
    require(field, "on");
    if (set) {
      reply.set = fields_.assignments(*set, {&reply.on});
    } else {
      require(field, "send");
    }
    script_.replies.push_back(std::move(reply));
  }

  void read_remembered(const Element& name, const Field& field) {
    Remembered remembered{.variable = name.value, .on = {}, .value = {}};
    if (!fields_.declare(name, field.path)) {
      return;
    }
    std::optional<Field> value;
    bool on = false;
    if (field.node.kind == Element::Kind::scalar) {
      value.emplace(field);
    } else {
      fields_.map(field, {"on", "value"}, [&](std::string_view key, const Field& one) {
        if (key == "on") {
          on = true;
          remembered.on = fields_.rule(one);
        } else {
          value.emplace(one);
        }
      });
      require(field, "value");
    }
    if (value) {
      remembered.value = fields_.value_of_message(*value, {&remembered.on});
      read_when(*value, on, remembered);
    }
    script_.remember.push_back(std::move(remembered));
  }

  /// A pointer says by itself which messages are meant.
  void read_when(const Field& value, bool on, Remembered& remembered) {
    const auto* const pointer = std::get_if<JsonPointer>(&remembered.value);
    if (pointer != nullptr) {
      remembered.on.exists.push_back(*pointer);
    } else if (!on) {
      fields_.complain(value, "needs 'on': the messages that it is taken from");
    }
  }

  void read_goodbye(const Field& field) {
    Goodbye goodbye;
    fields_.map(field, {"on", "renew"}, [&](std::string_view name, const Field& value) {
      if (name == "on") {
        goodbye.on = fields_.rule(value);
      } else if (value.node.kind != Element::Kind::scalar || value.node.value != "now") {
        goodbye.renew_after = fields_.duration(value, shortest, day);
      }
    });
    require(field, "on");
    script_.goodbye.push_back(std::move(goodbye));
  }

  void read_close(const Field& field) {
    fields_.map(field, {"send", "binary", "code"}, [&](std::string_view name, const Field& value) {
      if (name == "send") {
        script_.close_message.text = fields_.message_template(value);
      } else if (name == "binary") {
        script_.close_message.binary = fields_.flag(value);
      } else {
        read_code(value);
      }
    });
  }

  void read_code(const Field& field) {
    const std::string allowed = "1000, 1001 or 3000 to 4999";
    const std::optional<std::string> value = fields_.text(field, allowed);
    if (!value) {
      return;
    }
    try {
      const std::uint64_t code = parse_count(*value);
      if (code == 1000 || code == 1001 || (code >= 3000 && code <= 4999)) {
        script_.close_code = static_cast<std::uint16_t>(code);
        return;
      }
      fields_.complain(field,
                       in_quotes(*value) + " is none that a client may send; allowed: " + allowed);
    } catch (const QuantityError& error) {
      fields_.complain(field, in_quotes(*value) + " " + error.what() + "; allowed: " + allowed);
    }
  }

  // -- what `resume` needs

  [[nodiscard]] bool is_constant(std::string_view name) const {
    return std::ranges::any_of(script_.variables,
                               [&](const Constant& constant) { return constant.name == name; });
  }

  [[nodiscard]] bool is_remembered(std::string_view name) const {
    return std::ranges::any_of(script_.remember, [&](const Remembered& remembered) {
      return remembered.variable == name;
    });
  }

  void note_needs() {
    std::vector<std::string> known;
    const auto assigned = [&](const std::vector<Assignment>& set) {
      for (const Assignment& one : set) {
        if (const auto* const text = std::get_if<Template>(&one.source)) {
          need(*text, known);
        }
        known.push_back(one.variable);
      }
    };
    for (const ScriptStep& step : script_.resume) {
      if (const auto* const send = std::get_if<SendStep>(&step)) {
        std::vector<std::string> here = known;
        here.push_back(send->each);
        need(send->message.text, here);
      } else if (const auto* const wait = std::get_if<WaitStep>(&step)) {
        assigned(wait->set);
      } else if (const auto* const set = std::get_if<SetStep>(&step)) {
        assigned(set->set);
      }
    }
    if (resume_ != nullptr && script_.resume_needs.empty() && problems_.empty()) {
      problems_.add(resume_->place, resume_path_,
                    "names nothing of 'remember', so that it would be tried each time; what it "
                    "needs of an earlier session goes there");
    }
  }

  void need(const Template& text, const std::vector<std::string>& known) {
    for (const std::string_view name : text.variables()) {
      if (is_constant(name) || std::ranges::find(known, name) != known.end()) {
        continue;
      }
      if (!is_remembered(name)) {
        problems_.add(resume_->place, resume_path_,
                      "needs '" + std::string(name) +
                          "', which is neither set in it nor under 'remember': no value is left "
                          "of an earlier session");
      } else if (std::ranges::find(script_.resume_needs, name) == script_.resume_needs.end()) {
        script_.resume_needs.emplace_back(name);
      }
    }
  }

  std::span<const SessionSource> sources_;
  Problems& problems_;
  SessionFields fields_;
  SessionScript script_;
  std::list<std::pair<std::string, Field>> parts_;  ///< of each key the one that counts
  const Element* resume_ = nullptr;
  std::string resume_path_;
};

}  // namespace

std::string_view step_name(const ScriptStep& step) noexcept {
  constexpr std::array<std::string_view, 4> names{"send", "wait", "set", "pause"};
  return names.at(step.index());
}

std::shared_ptr<const SessionScript> read_session(std::span<const SessionSource> sources,
                                                  Problems& problems) {
  return sources.empty() ? nullptr : Reader(sources, problems).read();
}

}  // namespace wskeep::config
