// What a connection keeps of its session script beyond a session: the parts of Connection that do.

#include <cstdint>
#include <vector>

#include "daemon/upstream/connection.hpp"
#include "daemon/upstream/forgetting.hpp"

namespace wskeep::upstream {
namespace {

/// Of all that a remembered value hangs on.
std::uint64_t fingerprint_of(const config::Connection& settings) {
  std::uint64_t fingerprint = settings.settings.session->fingerprint.value;
  for (const config::Template& url : settings.urls)
    fingerprint = config::fingerprint_of(url.source(), fingerprint);
  return fingerprint;
}

}  // namespace

/// While there is no session. What is remembered of an earlier script is not another one's.
void Connection::prepare_script() {
  const auto& script = settings_.settings.session;
  if (program_ ? &program_->script() == script.get() : !script) return;
  variables_.reset();
  program_.reset();
  if (!script) return;
  program_ = std::make_unique<script::Program>(script);
  variables_ = std::make_unique<script::Variables>(program_->script());
  restore_remembered();
}

void Connection::keep_remembered(RememberedStore& store) {
  remembered_ = &store;
  restore_remembered();
}

void Connection::restore_remembered() {
  if (remembered_ == nullptr || !variables_) return;
  variables_->restore(remembered_->find(settings_.name, fingerprint_of(settings_)));
}

/// One that the configuration has no more, or has anew, leaves nothing.
void Connection::save_remembered() {
  if (remembered_ == nullptr || !variables_ || session_gone_) return;
  remembered_->put(settings_.name, fingerprint_of(settings_), variables_->kept());
}

/// What the script of the session went through.
std::vector<ScriptRecord> Connection::script_records() const {
  std::vector<ScriptRecord> steps;
  for (const script::StepRecord& record : script_->steps()) {
    const auto milliseconds = [](auto duration) {
      return std::chrono::duration_cast<std::chrono::milliseconds>(duration);
    };
    ScriptRecord& step = steps.emplace_back();
    step.step = record.step;
    step.kind = record.kind;
    step.started = milliseconds(record.started);
    if (record.took) step.took = milliseconds(*record.took);
  }
  // Of the last one alone it is worth its memory.
  if (!steps.empty() && !steps.back().took) steps.back().waits_for = script_->waits_for();
  return steps;
}

/// What is remembered is not to be used in vain for ever.
void Connection::forget_as_said(const SessionEnd& end) {
  constexpr unsigned most_resumes = 3;
  const config::SessionScript& script = program_->script();
  if (end.closed_by == ClosedBy::upstream && refuses_remembered(script, end.close_code))
    variables_->forget_remembered();
  if (!script_->resuming()) return;
  resumes_lost_ = ready_since_ ? 0 : resumes_lost_ + 1;
  if (resumes_lost_ < most_resumes) return;
  variables_->forget(script.resume_needs);
  resumes_lost_ = 0;
}

}  // namespace wskeep::upstream
