#include "config/session_load.hpp"

#include <algorithm>
#include <list>
#include <optional>
#include <utility>

#include "config/quantity.hpp"
#include "config/session_fields.hpp"
#include "config/session_fingerprint.hpp"
#include "config/session_needs.hpp"
#include "config/session_prepare.hpp"
#include "config/session_steps.hpp"

namespace wskeep::config {
namespace {

constexpr Milliseconds shortest{1};
constexpr Milliseconds hour = std::chrono::hours(1);
constexpr Milliseconds day = std::chrono::hours(24);

/// Reads the parts of one `session`.
class Reader {
 public:
  Reader(std::span<const SessionSource> sources, Problems& problems)
      : sources_(sources), problems_(problems), fields_(problems) {}

  std::shared_ptr<const SessionScript> read() {
    for (const SessionSource& source : sources_) {
      // Unknown keys are told wherever they stand.
      fields_.map({*source.node, source.path}, SessionMap::session,
                  [&](std::string_view name, const Field& field) {
                    if (name == "variables") {
                      script_.variables = fields_.constants(field, std::move(script_.variables));
                    } else {
                      keep_last(name, field);
                    }
                  });
    }
    fields_.know(script_.variables);
    // What is prepared is known to all the rest.
    for (const bool prepare : {true, false}) {
      for (const auto& [name, field] : parts_) {
        if ((name == "prepare") == prepare) {
          read_part(name, field);
        }
      }
    }
    fields_.check_templates();
    note_needs(script_, resume_, resume_url_, fields_.prepared(), problems_);
    script_.fingerprint.value = fingerprint_of(sources_);
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
    if (name == "prepare") {
      script_.prepare = read_prepare(field, fields_);
    } else if (name == "resume_url") {
      resume_url_.emplace(field);
      script_.resume_url = read_resume_url(field, fields_);
    } else if (name == "insecure_url") {
      script_.insecure_url = fields_.flag(field);
    } else if (name == "forget") {
      read_forget(field);
    } else if (name == "open") {
      script_.open = steps_.steps(field);
    } else if (name == "resume") {
      resume_.emplace(field);
      script_.resume = steps_.steps(field);
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
    } else if (name == "refuse") {
      fields_.one_or_list(
          field, [&](const Field& one) { script_.refusals.push_back(steps_.refusal(one)); });
    } else {
      read_close(field);
    }
  }

  void read_forget(const Field& field) {
    fields_.map(field, SessionMap::forget, [&](std::string_view name, const Field& value) {
      if (name == "close") {
        script_.forget_on_close = read_codes(value, fields_, 1000, 4999);
      } else {
        script_.forget_on_status = read_codes(value, fields_, 300, 599);
      }
    });
  }

  // -- while the session is open

  void require(const Field& field, std::string_view key) {
    if (field.node.kind == Element::Kind::map && !has_key(field.node, key)) {
      fields_.complain(field, "has no '" + std::string(key) + "'");
    }
  }

  /// What the table says is needed.
  void require(const Field& field, SessionMap map) {
    for (const SessionKey& key : session_keys(map)) {
      if (key.required) {
        require(field, key.name);
      }
    }
  }

  void read_heartbeat(const Field& field) {
    Heartbeat heartbeat;
    fields_.map(field, SessionMap::heartbeat, [&](std::string_view name, const Field& value) {
      if (name == "every") {
        heartbeat.every = fields_.text_template(value);
        const bool fixed = value.node.kind == Element::Kind::scalar &&
                           value.node.value.find("${") == std::string::npos;
        if (fixed) {
          static_cast<void>(
              fields_.duration(value, SessionScript::shortest_beat, SessionScript::longest_beat));
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
        if (!has_key(field.node, "expect")) {
          fields_.complain(value, "has no use without 'expect': what is awaited so long");
        }
      } else if (name == "jitter_first") {
        heartbeat.jitter_first = fields_.flag(value);
      } else {
        heartbeat.idle_only = fields_.flag(value);
      }
    });
    require(field, SessionMap::heartbeat);
    script_.heartbeat = std::move(heartbeat);
  }

  void read_reply(const Field& field) {
    Reply reply;
    std::optional<Field> set;
    fields_.map(field, SessionMap::reply, [&](std::string_view name, const Field& value) {
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
    require(field, SessionMap::reply);
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
    fields_.know_remembered(name.value);
    if (std::ranges::find(fields_.prepared(), name.value) != fields_.prepared().end()) {
      problems_.add(name.place, field.path,
                    "is set in 'prepare' too, which is forgotten before each attempt; give one of "
                    "the two another name");
    }
    std::optional<Field> value;
    bool on = false;
    if (field.node.kind == Element::Kind::scalar) {
      value.emplace(field);
    } else {
      fields_.map(field, SessionMap::remembered, [&](std::string_view key, const Field& one) {
        if (key == "keep") {
          remembered.over_restart =
              fields_.choice(one, session_choices(SessionMap::remembered, key)) == 1;
        } else if (key == "on") {
          on = true;
          remembered.on = fields_.rule(one);
        } else {
          value.emplace(one);
        }
      });
      require(field, SessionMap::remembered);
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
    fields_.map(field, SessionMap::goodbye, [&](std::string_view name, const Field& value) {
      if (name == "on") {
        goodbye.on = fields_.rule(value);
      } else if (name == "resume") {
        goodbye.resume = fields_.flag(value);
      } else if (value.node.kind != Element::Kind::scalar || value.node.value != "now") {
        goodbye.renew_after = fields_.duration(value, shortest, day, "now, or ");
      }
    });
    require(field, SessionMap::goodbye);
    script_.goodbye.push_back(std::move(goodbye));
  }

  void read_close(const Field& field) {
    fields_.map(field, SessionMap::close, [&](std::string_view name, const Field& value) {
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

  std::span<const SessionSource> sources_;
  Problems& problems_;
  SessionFields fields_;
  SessionScript script_;
  std::list<std::pair<std::string, Field>> parts_;  ///< of each key the one that counts
  SessionSteps steps_{fields_, script_.variables};
  std::optional<Field> resume_;
  std::optional<Field> resume_url_;
};

}  // namespace

std::shared_ptr<const SessionScript> read_session(std::span<const SessionSource> sources,
                                                  Problems& problems) {
  return sources.empty() ? nullptr : Reader(sources, problems).read();
}

}  // namespace wskeep::config
