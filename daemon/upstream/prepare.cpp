#include "daemon/upstream/prepare.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "config/header.hpp"
#include "config/quantity.hpp"
#include "config/session.hpp"
#include "config/url.hpp"
#include "daemon/script/evaluate.hpp"
#include "daemon/upstream/attempt_scope.hpp"
#include "daemon/upstream/fetch.hpp"
#include "daemon/upstream/refusal.hpp"
#include "daemon/upstream/target.hpp"
#include "match/json_reader.hpp"
#include "match/rule_set.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using config::PrepareCommand;
using config::PrepareRequest;
using config::PrepareStep;
using daemon::CommandEnd;
using daemon::Environment;
using daemon::Error;
using daemon::Failure;
using daemon::TimePoint;
using std::chrono::milliseconds;

namespace {

/// Why a step cannot be done: the rest of a sentence that begins with its name.
class StepError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// The variables of an attempt, and the answer to its step. All that makes up a request has the
/// same time, so that a nonce in the body and the signature of it in a header agree.
class StepScope final : public script::Scope {
 public:
  StepScope(Environment& environment, const script::Variables& variables)
      : scope_(environment, &variables), moment_(scope_.wall_now()) {}

  /// A step begins, or its answer came.
  void take_time() { moment_ = scope_.wall_now(); }

  /// It outlives the evaluations; nullptr for none.
  void answered(const std::string* answer) noexcept { answer_ = answer; }

  [[nodiscard]] std::optional<std::string_view> variable(std::string_view name) const override {
    if (answer_ != nullptr && name == "answer") return trimmed(*answer_);
    return scope_.variable(name);
  }
  [[nodiscard]] std::chrono::system_clock::time_point wall_now() const override { return moment_; }
  void random(std::span<std::byte> bytes) override { scope_.random(bytes); }

 private:
  AttemptScope scope_;
  std::chrono::system_clock::time_point moment_;
  const std::string* answer_ = nullptr;
};

/// All steps of one attempt. Lives in the frame of `prepare`.
class Preparing {
 public:
  Preparing(Environment& environment, const config::Connection& connection, OpeningMemory& memory,
            script::Variables& variables, Cycle& cycle)
      : environment_(environment),
        connection_(connection),
        memory_(memory),
        variables_(variables),
        cycle_(cycle),
        scope_(environment, variables),
        started_(environment.now()) {}

  asio::awaitable<std::optional<OpenFailure>> run();

 private:
  asio::awaitable<std::optional<OpenFailure>> step(const PrepareStep& step);
  asio::awaitable<std::optional<OpenFailure>> request(const PrepareRequest& what,
                                                      milliseconds timeout);
  asio::awaitable<std::optional<OpenFailure>> command(const PrepareCommand& what,
                                                      milliseconds timeout);
  [[nodiscard]] std::string value_of(const config::Template& text, const std::string& key);
  [[nodiscard]] Target target_of(const PrepareRequest& what);
  [[nodiscard]] config::ConnectionSettings settings_of(const PrepareRequest& what,
                                                       milliseconds timeout) const;
  [[nodiscard]] std::optional<OpenFailure> judge(const CommandEnd& end, const Secrets& secrets,
                                                 milliseconds timeout);
  void take_values(const PrepareStep& step);
  [[nodiscard]] std::string taken(const config::Assignment& assignment,
                                  const match::Message& message, const match::RuleSet& rules);
  [[nodiscard]] OpenFailure failed(const std::string& text, Error error = Error::prepare_failed);

  [[nodiscard]] PrepareRecord& record() { return cycle_.prepare.back(); }
  [[nodiscard]] milliseconds elapsed() const {
    return std::chrono::duration_cast<milliseconds>(environment_.now() - started_);
  }

  Environment& environment_;
  const config::Connection& connection_;
  OpeningMemory& memory_;
  script::Variables& variables_;
  Cycle& cycle_;
  StepScope scope_;
  TimePoint started_;
  std::string path_;    ///< "session.prepare[0]"
  std::string answer_;  ///< of the step at hand
  match::JsonReader reader_;
};

asio::awaitable<std::optional<OpenFailure>> Preparing::run() {
  const auto& steps = connection_.settings.session->prepare;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    path_ = "session.prepare[" + std::to_string(i) + "]";
    PrepareRecord& begun = cycle_.prepare.emplace_back();
    begun.step = "prepare[" + std::to_string(i) + "]";
    begun.kind = steps[i].action.index() == 0 ? "request" : "command";
    begun.started = elapsed();
    std::optional<OpenFailure> failure = co_await step(steps[i]);
    wipe(answer_);
    record().took = elapsed() - record().started;
    if (!failure) continue;
    record().failure = failure->failure;
    record().http_status = failure->http_status;
    co_return failure;
  }
  co_return std::nullopt;
}

asio::awaitable<std::optional<OpenFailure>> Preparing::step(const PrepareStep& step) {
  std::optional<OpenFailure> failure;
  std::string wrong;
  scope_.take_time();
  try {
    if (const auto* const asked = std::get_if<PrepareRequest>(&step.action))
      failure = co_await request(*asked, step.timeout);
    else
      failure = co_await command(std::get<PrepareCommand>(step.action), step.timeout);
    if (!failure) take_values(step);
  } catch (const StepError& error) {
    wrong = error.what();
  }
  if (!wrong.empty()) failure = failed(wrong);
  co_return failure;
}

OpenFailure Preparing::failed(const std::string& text, Error error) {
  OpenFailure failure;
  failure.failure = {error, path_ + ": " + text};
  return failure;
}

/// Throws StepError.
std::string Preparing::value_of(const config::Template& text, const std::string& key) {
  script::Evaluated evaluated = script::evaluate(text, scope_);
  if (const auto* const error = std::get_if<script::EvaluationError>(&evaluated))
    throw StepError(key + ": " + error->text);
  return std::get<std::string>(std::move(evaluated));
}

// -- requests

/// Throws StepError.
Target Preparing::target_of(const PrepareRequest& what) {
  Target target;
  std::string url = value_of(what.url, "request");
  try {
    target.url = config::parse_http_url(url);
  } catch (const config::UrlError& error) {
    wipe(url);
    throw StepError(std::string("request: ") + error.what());
  }
  wipe(url);
  target.request.host = target.url.authority();
  target.request.target = target.url.target;
  for (const auto& [name, text] : what.headers) {
    std::string value = value_of(text, "headers." + name);
    const std::string wrong = config::header_value_error(value);
    if (!wrong.empty()) {
      wipe(value);
      throw StepError("headers." + name + ": " + wrong);
    }
    target.secrets.add_header(value);
    target.request.headers.emplace_back(name, std::move(value));
  }
  add_user_of_url(target);
  target.secrets.add_query(target.request.target);
  if (!what.system_tls) target.tls = connection_.settings.tls;
  // That is of the connection's own server.
  target.tls.server_name.clear();
  return target;
}

config::ConnectionSettings Preparing::settings_of(const PrepareRequest& what,
                                                  milliseconds timeout) const {
  config::ConnectionSettings settings = connection_.settings;
  settings.timeouts.address = std::min(settings.timeouts.address, timeout);
  if (what.proxy) settings.proxy = *what.proxy;
  return settings;
}

asio::awaitable<std::optional<OpenFailure>> Preparing::request(const PrepareRequest& what,
                                                               milliseconds timeout) {
  const config::ConnectionSettings settings = settings_of(what, timeout);
  FetchRequest asked;
  asked.method = what.method;
  asked.status = what.status;
  asked.body = value_of(what.body, "body");
  if (what.body.kind() == config::Template::Kind::json) asked.content_type = "application/json";
  Target target = target_of(what);
  target.secrets.add(asked.body);
  FetchResult result = co_await fetch(environment_, settings, memory_, std::move(target), asked,
                                      environment_.now() + timeout);
  if (auto* const fetched = std::get_if<Fetched>(&result)) {
    record().http_status = fetched->status;
    answer_ = std::move(fetched->body);
    co_return std::nullopt;
  }
  auto& missed = std::get<FetchFailure>(result);
  OpenFailure& failure = missed.failure;
  if (failure.failure.error == Error::stopped) co_return std::move(failure);
  if (missed.late) {
    failure.failure = {Error::prepare_timeout, path_ + ": no answer within " +
                                                   config::format_duration(timeout) +
                                                   " (timeout); " + failure.failure.text};
  } else {
    failure.failure = {Error::prepare_failed, path_ + ": " + failure.failure.text};
  }
  co_return std::move(failure);
}

// -- commands

asio::awaitable<std::optional<OpenFailure>> Preparing::command(const PrepareCommand& what,
                                                               milliseconds timeout) {
  daemon::Command command;
  Secrets secrets;
  for (const config::Template& argument : what.arguments) {
    command.arguments.push_back(value_of(argument, "command"));
    if (!argument.constant()) secrets.add(command.arguments.back());
  }
  for (const auto& [name, text] : what.environment) {
    std::string value = value_of(text, "environment." + name);
    secrets.add(value);
    command.environment.push_back(name + "=" + value);
    wipe(value);
  }
  // A NUL would cut it off there.
  const auto cut = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (std::ranges::any_of(command.arguments, cut) || std::ranges::any_of(command.environment, cut))
    throw StepError("a value for the command holds a NUL");
  command.timeout = timeout;
  command.max_output = max_command_output;
  daemon::CommandResult result = co_await environment_.run_command(std::move(command));
  if (auto* const failure = std::get_if<Failure>(&result)) {
    if (failure->error == Error::stopped) co_return OpenFailure{std::move(*failure), 0, {}};
    co_return failed(failure->text);
  }
  auto& end = std::get<CommandEnd>(result);
  std::optional<OpenFailure> failure = judge(end, secrets, timeout);
  if (!failure) answer_ = std::move(end.output);
  wipe(end.output);
  co_return failure;
}

std::optional<OpenFailure> Preparing::judge(const CommandEnd& end, const Secrets& secrets,
                                            milliseconds timeout) {
  const std::string said = excerpt(secrets.hidden(end.errors));
  const std::string behind = said.empty() ? "" : ": " + said;
  switch (end.kind) {
    case CommandEnd::Kind::timed_out:
      return failed("the command did not end within " + config::format_duration(timeout) +
                        " (timeout) and was killed" + behind,
                    Error::prepare_timeout);
    case CommandEnd::Kind::output_too_large:
      return failed("the command wrote more than " + config::format_size(max_command_output) +
                    " and was killed");
    case CommandEnd::Kind::signalled:
      return failed("the command was ended by signal " + std::to_string(end.code) + " (" +
                    ::strsignal(end.code) + ")" + behind);
    case CommandEnd::Kind::exited:
      break;
  }
  if (end.code == 0) return std::nullopt;
  return failed("the command exited with " + std::to_string(end.code) + behind);
}

// -- values

/// Throws StepError.
void Preparing::take_values(const PrepareStep& step) {
  const match::Message message{1, std::as_bytes(std::span(answer_)), false};
  const config::MessageRule any;
  match::RuleSet rules(std::span(step.expect ? &*step.expect : &any, 1));
  reader_.open(message);
  // A rule that asks for nothing is not one that matches nothing.
  if (step.expect && rules.match(message, reader_).empty())
    throw StepError("the answer is not what 'expect' says");
  scope_.take_time();
  scope_.answered(&answer_);
  for (const config::Assignment& assignment : step.set) {
    std::string value;
    try {
      value = taken(assignment, message, rules);
    } catch (const StepError&) {
      scope_.answered(nullptr);
      throw;
    }
    if (!variables_.set(assignment.variable, std::move(value))) {
      scope_.answered(nullptr);
      throw StepError("set." + assignment.variable + ": the value is over 64KiB");
    }
  }
  scope_.answered(nullptr);
}

/// Throws StepError. An empty value is none: it would be sent as a secret.
std::string Preparing::taken(const config::Assignment& assignment, const match::Message& message,
                             const match::RuleSet& rules) {
  const std::string key = "set." + assignment.variable;
  std::optional<std::string> value;
  if (const auto* const pointer = std::get_if<config::JsonPointer>(&assignment.source)) {
    const auto found = reader_.find(*pointer);
    if (found && found->kind != match::JsonValue::Kind::null) value = reader_.text_at(*pointer);
  } else if (const auto* const group = std::get_if<std::size_t>(&assignment.source)) {
    std::vector<std::string> groups = rules.captures(0, message);
    if (*group < groups.size()) value = std::move(groups[*group]);
  } else {
    value = value_of(std::get<config::Template>(assignment.source), key);
  }
  if (!value || value->empty()) throw StepError(key + ": the answer has no such value");
  return std::move(*value);
}

}  // namespace

asio::awaitable<std::optional<OpenFailure>> prepare(Environment& environment,
                                                    const config::Connection& connection,
                                                    OpeningMemory& memory,
                                                    script::Variables& variables, Cycle& cycle) {
  Preparing preparing(environment, connection, memory, variables, cycle);
  co_return co_await preparing.run();
}

}  // namespace wskeep::upstream
