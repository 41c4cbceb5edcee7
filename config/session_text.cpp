#include "config/session_text.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "config/quantity.hpp"
#include "config/suggest.hpp"

namespace wskeep::config {
namespace {

/// Bytes of a text of the user's that are shown.
constexpr std::size_t longest_shown = 160;

std::string shown(std::string_view text) {
  if (text.size() <= longest_shown) {
    return std::string(text);
  }
  std::size_t end = longest_shown;
  // Not within a character of UTF-8.
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) {
    --end;
  }
  return std::string(text.substr(0, end)) + "...";
}

std::string joined_all(const std::vector<std::string>& texts, std::string_view last_word) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return joined(views, last_word);
}

// -- rules

/// With quotes where it could be taken for something else.
std::string value_text(const JsonScalar& value) {
  const bool plain = !value.text.empty() && value.text.find_first_of(" ,;\"") == std::string::npos;
  const bool looks_else = value.kind == JsonScalar::Kind::string &&
                          JsonScalar::of(value.text, false).kind != JsonScalar::Kind::string;
  return plain && !looks_else ? shown(value.text) : '"' + shown(value.text) + '"';
}

/// The empty pointer is the message itself.
std::string place_text(const JsonPointer& pointer) {
  return pointer.source().empty() ? "all of it" : shown(pointer.source());
}

std::vector<std::string> places(const std::vector<JsonPointer>& pointers) {
  std::vector<std::string> texts;
  texts.reserve(pointers.size());
  for (const JsonPointer& pointer : pointers) {
    texts.push_back(place_text(pointer));
  }
  return texts;
}

std::vector<std::string> what_it_has(const MessageRule& rule) {
  std::vector<std::string> has;
  for (const auto& [pointer, values] : rule.json) {
    std::vector<std::string> texts;
    for (const JsonScalar& value : values) {
      texts.push_back(value_text(value));
    }
    has.push_back(place_text(pointer) + " = " + joined_all(texts, "or"));
  }
  for (std::string& place : places(rule.exists)) {
    has.push_back(std::move(place));
  }
  return has;
}

// -- values

/// `of`: what it is taken from.
std::string source_text(const Assignment::Source& source, std::string_view of = "message") {
  if (const auto* const text = std::get_if<Template>(&source)) {
    return shown(text->source());
  }
  if (const auto* const pointer = std::get_if<JsonPointer>(&source)) {
    return place_text(*pointer) + " of the " + std::string(of);
  }
  const std::size_t group = std::get<std::size_t>(source);
  return group == 0 ? "what its regular expression finds"
                    : "group " + std::to_string(group) + " of its regular expression";
}

/// `set a to X and b to Y`; empty where nothing is set.
std::string set_text(const std::vector<Assignment>& set, std::string_view of = "message") {
  std::vector<std::string> texts;
  texts.reserve(set.size());
  for (const Assignment& one : set) {
    texts.push_back(one.variable + " to " + source_text(one.source, of));
  }
  return texts.empty() ? std::string() : "set " + joined_all(texts, "and");
}

std::string message_text(const ScriptMessage& message) {
  return "send " + shown(message.text.source()) + (message.binary ? " as a binary message" : "");
}

/// `set ..., then send ...`
std::string action_text(const std::vector<Assignment>& set, const ScriptMessage& message) {
  std::string text = set_text(set);
  if (!message.empty()) {
    text += (text.empty() ? "" : ", then ") + message_text(message);
  }
  return text;
}

// -- steps

std::string verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::retry:
      return "ends the session, and a new one is tried after the usual wait";
    case Verdict::slow:
      return "ends the session, and a new one is tried at the slowest pace";
    case Verdict::stop:
      break;
  }
  return "ends the session, and nothing more is tried";
}

struct StepText {
  const SessionScript& script;

  std::string operator()(const SendStep& step) const {
    std::string text = action_text(step.set, step.message);
    if (step.list.empty()) {
      return text;
    }
    const auto list = std::ranges::find(script.variables, step.list, &Constant::name);
    const std::size_t count = list == script.variables.end() ? 0 : list->values.size();
    text += " once for each " + step.each + " of " + step.list + " (" + std::to_string(count) + ")";
    if (step.pace.count() > 0) {
      text += ", " + format_duration(step.pace) + " apart";
    }
    return text;
  }

  std::string operator()(const WaitStep& step) const {
    std::vector<std::string> texts;
    for (const MessageRule& condition : step.conditions) {
      texts.push_back(describe_rule(condition));
    }
    std::string text = "wait up to " + format_duration(step.timeout) + " for " +
                       (texts.size() > 1 ? "all of these, in any order: " : "");
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const std::string number = texts.size() > 1 ? "(" + std::to_string(i + 1) + ") " : "";
      text += (i == 0 ? "" : ", ") + number + texts[i];
    }
    if (!step.set.empty()) {
      text += ", then " + set_text(step.set);
    }
    for (const RefusalRule& refusal : step.refusals) {
      text += "; but " + describe_rule(refusal.on) + " " + verdict_text(refusal.verdict);
    }
    return text;
  }

  std::string operator()(const SetStep& step) const { return set_text(step.set); }

  std::string operator()(const PauseStep& step) const {
    return "wait for " + format_duration(step.duration);
  }
};

// -- before connecting

/// What stands in a query may be a key.
std::string without_query(const std::string& url) {
  const std::size_t question = url.find('?');
  return question == std::string::npos ? url : url.substr(0, question) + "?...";
}

std::string codes_text(const std::vector<CodeRange>& codes) {
  std::string text;
  for (const CodeRange& range : codes) {
    text += (text.empty() ? "" : ", ") + std::to_string(range.first) +
            (range.last == range.first ? "" : "-" + std::to_string(range.last));
  }
  return text;
}

std::string prepare_text(const PrepareStep& step) {
  std::string text;
  if (const auto* const request = std::get_if<PrepareRequest>(&step.action)) {
    text = "ask " + request->method + " " + shown(without_query(request->url.source())) +
           ", which must answer " + codes_text(request->status);
  } else {
    text = "run " + shown(std::get<PrepareCommand>(step.action).arguments.front().source());
  }
  text += " within " + format_duration(step.timeout);
  if (step.expect) {
    text += "; the answer must be " + describe_rule(*step.expect);
  }
  return step.set.empty() ? text : text + "; then " + set_text(step.set, "answer");
}

// -- the whole

class Telling {
 public:
  explicit Telling(const SessionScript& script) : script_(script) {}

  std::vector<ScriptSentence> tell() {
    all("prepare", script_.prepare, prepare_text);
    resuming();
    steps("open", script_.open);
    heartbeat();
    all("replies", script_.replies, [](const Reply& reply) {
      return "whenever " + describe_rule(reply.on) + " comes, " +
             action_text(reply.set, reply.message);
    });
    remembering();
    all("goodbye", script_.goodbye, [](const Goodbye& goodbye) {
      return describe_rule(goodbye.on) + " announces the end: renew the session " +
             (goodbye.renew_after.count() == 0 ? std::string("now")
                                               : format_duration(goodbye.renew_after) + " later") +
             (goodbye.resume ? "" : ", without resume");
    });
    all("refuse", script_.refusals, [](const RefusalRule& refusal) {
      return describe_rule(refusal.on) + " " + verdict_text(refusal.verdict);
    });
    closing();
    return std::move(sentences_);
  }

 private:
  void add(std::string part, std::string text) {
    sentences_.push_back({std::move(part), std::move(text)});
  }

  template <typename Item, typename Text>
  void all(const std::string& name, const std::vector<Item>& items, const Text& text) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      add(name + "[" + std::to_string(i) + "]", text(items[i]));
    }
  }

  void steps(const std::string& name, const std::vector<ScriptStep>& list) {
    all(name, list, [&](const ScriptStep& step) { return describe_step(step, script_); });
  }

  void resuming() {
    if (!script_.resume_url.empty()) {
      add("resume_url", "when " + joined_all(script_.resume_needs, "and") +
                            (script_.resume_needs.size() == 1 ? " is" : " are") +
                            " known of an earlier session, this is tried before the other "
                            "URLs: " +
                            shown(without_query(script_.resume_url.source())));
    }
    if (script_.resume.empty()) {
      return;
    }
    const bool one = script_.resume_needs.size() == 1;
    add("resume", "when " + joined_all(script_.resume_needs, "and") + (one ? " is" : " are") +
                      " known of an earlier session, these steps take the place of open; when "
                      "they fail, the next session opens anew");
    steps("resume", script_.resume);
  }

  void heartbeat() {
    if (!script_.heartbeat) {
      return;
    }
    const Heartbeat& beat = *script_.heartbeat;
    std::string text =
        "every " + shown(beat.every.source()) + ", " + action_text(beat.set, beat.message);
    if (beat.jitter_first) {
      text += "; the first after a random part of that time";
    }
    if (beat.idle_only) {
      text += "; none while messages come";
    }
    if (beat.expect) {
      text += "; without " + describe_rule(*beat.expect) + " within " +
              format_duration(beat.within) + " the session is dead";
    }
    add("heartbeat", text);
  }

  void remembering() {
    for (const Remembered& one : script_.remember) {
      add("remember." + one.variable, "whenever " + describe_rule(one.on) + " comes, keep " +
                                          source_text(one.value) + " as " + one.variable +
                                          " for later sessions" +
                                          (one.over_restart ? ", also of the next daemon" : ""));
    }
    if (const std::string codes = codes_text(script_.forget_on_close); !codes.empty()) {
      add("forget.close", "when upstream closes with " + codes + ", nothing of this is kept");
    }
    if (const std::string codes = codes_text(script_.forget_on_status); !codes.empty()) {
      add("forget.status",
          "when the upgrade is answered with " + codes + ", nothing of this is kept");
    }
  }

  void closing() {
    if (!script_.close_message.empty()) {
      add("close", "before our Close frame, " + message_text(script_.close_message));
    }
    if (script_.close_code != 0) {
      add("close", "close with the code " + std::to_string(script_.close_code));
    }
  }

  const SessionScript& script_;
  std::vector<ScriptSentence> sentences_;
};

}  // namespace

std::string describe_rule(const MessageRule& rule) {
  std::string text = rule.opcode == MessageRule::Opcode::text     ? "a text message"
                     : rule.opcode == MessageRule::Opcode::binary ? "a binary message"
                                                                  : "a message";
  if (rule == MessageRule()) {
    return "any message";
  }
  if (const auto has = what_it_has(rule); !has.empty()) {
    text += " with " + joined_all(has, "and");
  }
  if (!rule.absent.empty()) {
    text += " without " + joined_all(places(rule.absent), "and");
  }
  if (!rule.contains.empty()) {
    text += " that contains \"" + shown(rule.contains) + '"';
  }
  if (!rule.text.empty()) {
    text += (rule.contains.empty() ? " that matches " : " and matches ") + shown(rule.text);
  }
  return text;
}

std::string describe_step(const ScriptStep& step, const SessionScript& script) {
  return std::visit(StepText{script}, step);
}

std::vector<ScriptSentence> describe_script(const SessionScript& script) {
  return Telling(script).tell();
}

}  // namespace wskeep::config
