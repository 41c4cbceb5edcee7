#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "config/code_range.hpp"
#include "config/config.hpp"
#include "config/json_pointer.hpp"
#include "config/message_rule.hpp"
#include "config/template.hpp"

/// What is said to upstream, and what is awaited of it, as typed values. docs/session.md is the
/// language.
namespace wskeep::config {

/// A variable and what it is given: a template, what stands somewhere in the message at hand, or a
/// group of its rule's regular expression (0: the whole of what was found).
struct Assignment {
  using Source = std::variant<Template, JsonPointer, std::size_t>;
  std::string variable;
  Source source;

  friend bool operator==(const Assignment&, const Assignment&) = default;
};

/// A message of ours.
struct ScriptMessage {
  Template text;
  bool binary = false;

  [[nodiscard]] bool empty() const noexcept { return text.empty(); }

  friend bool operator==(const ScriptMessage&, const ScriptMessage&) = default;
};

/// What counts as a refusal, and what follows it.
struct RefusalRule {
  MessageRule on;
  Verdict verdict = Verdict::slow;

  friend bool operator==(const RefusalRule&, const RefusalRule&) = default;
};

/// Asks by HTTP or HTTPS.
struct PrepareRequest {
  Template url;
  std::string method = "GET";
  std::vector<std::pair<std::string, Template>> headers;
  Template body;
  std::vector<CodeRange> status{{200, 299}};  ///< of a good answer
  bool system_tls = false;    ///< the system's authorities, instead of the connection's settings
  std::optional<Text> proxy;  ///< as a connection's; nothing: the connection's

  friend bool operator==(const PrepareRequest&, const PrepareRequest&) = default;
};

/// Runs a program.
struct PrepareCommand {
  std::vector<Template> arguments;                            ///< the program's path first
  std::vector<std::pair<std::string, Template>> environment;  ///< beside what all of them get

  friend bool operator==(const PrepareCommand&, const PrepareCommand&) = default;
};

/// What is done before each attempt to connect.
struct PrepareStep {
  std::variant<PrepareRequest, PrepareCommand> action;
  Milliseconds timeout{10'000};
  std::optional<MessageRule> expect{};  ///< what the answer must be
  std::vector<Assignment> set{};        ///< from the answer, which is `answer` in templates

  friend bool operator==(const PrepareStep&, const PrepareStep&) = default;
};

struct SendStep {
  std::vector<Assignment> set;  ///< from templates, before each sending
  ScriptMessage message;
  std::string each;      ///< the variable that stands for one element of `list`; empty: once
  std::string list;      ///< a list among the constants
  Milliseconds pace{0};  ///< between two of them

  friend bool operator==(const SendStep&, const SendStep&) = default;
};

/// Over when each condition was met, in any order, by messages that came since the wait before it.
struct WaitStep {
  std::vector<MessageRule> conditions;  ///< one or more
  Milliseconds timeout{10'000};
  std::vector<Assignment> set;  ///< each from the first of the messages that has it
  std::vector<RefusalRule> refusals;

  friend bool operator==(const WaitStep&, const WaitStep&) = default;
};

struct SetStep {
  std::vector<Assignment> set;  ///< from templates, one after the other

  friend bool operator==(const SetStep&, const SetStep&) = default;
};

struct PauseStep {
  Milliseconds duration{0};

  friend bool operator==(const PauseStep&, const PauseStep&) = default;
};

using ScriptStep = std::variant<SendStep, WaitStep, SetStep, PauseStep>;

/// The step's key: `send`, `wait`, `set` or `pause`.
[[nodiscard]] std::string_view step_name(const ScriptStep& step) noexcept;

struct Heartbeat {
  Template every;               ///< stands for a duration
  std::vector<Assignment> set;  ///< before each beat
  ScriptMessage message;
  std::optional<MessageRule> expect;
  Milliseconds within{10'000};  ///< from a beat to what is expected
  bool jitter_first = false;    ///< the first beat comes at a random part of the interval
  bool idle_only = false;       ///< none while messages come

  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

struct Reply {
  MessageRule on;
  std::vector<Assignment> set;
  ScriptMessage message;  ///< empty: only `set`

  friend bool operator==(const Reply&, const Reply&) = default;
};

struct Remembered {
  std::string variable;
  MessageRule on;
  Assignment::Source value;
  bool over_restart = false;  ///< kept when the daemon ends

  friend bool operator==(const Remembered&, const Remembered&) = default;
};

struct Goodbye {
  MessageRule on;
  Milliseconds renew_after{0};
  bool resume = true;  ///< false: the next session is opened anew

  friend bool operator==(const Goodbye&, const Goodbye&) = default;
};

struct Constant {
  std::string name;
  std::vector<std::string> values;  ///< one, unless it is a list
  bool list = false;

  friend bool operator==(const Constant&, const Constant&) = default;
};

/// Tells scripts apart from one start of the daemon to the next, by what is written. It has no part
/// in whether two are the same.
struct Fingerprint {
  std::uint64_t value = 0;

  friend bool operator==(const Fingerprint&, const Fingerprint&) noexcept { return true; }
};

/// FNV-1a, 64 bits, going on from another. Not for what an enemy chooses.
[[nodiscard]] std::uint64_t fingerprint_of(std::string_view text,
                                           std::uint64_t before = 0xCBF29CE484222325U) noexcept;

/// All of `session`.
struct SessionScript {
  static constexpr Milliseconds shortest_beat{10};
  static constexpr Milliseconds longest_beat{std::chrono::hours(24)};

  std::vector<Constant> variables;
  std::vector<PrepareStep> prepare;
  std::vector<ScriptStep> open;
  std::vector<ScriptStep> resume;         ///< tried first when `resume_needs` are all known
  std::vector<std::string> resume_needs;  ///< what is remembered, and `resume` or its URL names
  Template resume_url;                    ///< where `resume` is tried; empty: as without
  Fingerprint fingerprint;
  bool insecure_url = false;                ///< a URL that is a value can begin with ws://
  std::vector<CodeRange> forget_on_close;   ///< codes after which nothing is remembered
  std::vector<CodeRange> forget_on_status;  ///< likewise, HTTP statuses
  std::optional<Heartbeat> heartbeat;
  std::vector<Reply> replies;
  std::vector<Remembered> remember;
  std::vector<Goodbye> goodbye;
  std::vector<RefusalRule> refusals;  ///< that end the session whenever they come
  ScriptMessage close_message;        ///< before our Close frame; empty: none
  std::uint16_t close_code = 0;       ///< of our Close frame; 0: what is usual

  friend bool operator==(const SessionScript&, const SessionScript&) = default;
};

}  // namespace wskeep::config
