#include "cli/attempt_row.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "cli/escape.hpp"
#include "cli/format.hpp"

namespace wskeep::cli {

namespace {

std::string without_spaces(std::string text) {
  std::erase(text, ' ');
  return text;
}

/// The address without its port where that is the same for all.
std::vector<std::string> bare_addresses(const std::vector<std::string>& answers) {
  std::vector<std::string> bare;
  std::string_view port;
  for (const std::string& answer : answers) {
    const std::size_t colon = answer.rfind(':');
    if (colon == std::string::npos) return answers;
    if (bare.empty()) port = std::string_view(answer).substr(colon);
    if (std::string_view(answer).substr(colon) != port) return answers;
    std::string address = answer.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) {
      address = address.substr(1, address.size() - 2);
    }
    bare.push_back(std::move(address));
  }
  return bare;
}

}  // namespace

std::string span_text(milliseconds duration) {
  return duration.count() <= 0 ? "<1 ms" : format_duration(duration);
}

/// One that was given up because another address was faster has not failed.
AttemptOutcome outcome_of(const AddressAttempt& address) {
  if (!address.ended && address.stage != "open") return AttemptOutcome::running;
  if (address.stage == "open" && !address.failure) return AttemptOutcome::good;
  if (!address.failure || address.failure->error == "stopped") return AttemptOutcome::not_needed;
  return AttemptOutcome::bad;
}

AttemptRow make_row(const LookUp& look_up) {
  AttemptRow row;
  row.outcome = look_up.failure ? AttemptOutcome::bad : AttemptOutcome::none;
  row.label = look_up.host.empty() ? "DNS" : "DNS " + visible(look_up.host);
  row.segments = {{Phase::name, look_up.started, look_up.started + look_up.duration}};
  row.figures.fill(span_text(look_up.duration));
  return row;
}

AttemptRow make_row(const AddressAttempt& address, const UrlAttempt& leg, milliseconds now) {
  AttemptRow row;
  row.outcome = outcome_of(address);
  row.label = visible(address.address);
  row.segments = segments_of(address, leg.addresses, now);
  for (const Segment& segment : row.segments) {
    const std::string name = std::string(look_of(segment.phase).name) + " ";
    const std::string span = span_text(segment.end - segment.begin);
    auto& [whole, short_one, shortest] = row.figures;
    if (!whole.empty()) {
      whole += "  ";
      short_one += " ";
    }
    whole += name;
    whole += span;
    short_one += name;
    short_one += without_spaces(span);
    shortest = name;
    shortest += span;
  }
  return row;
}

AttemptRow make_row(const StepAttempt& step, Phase phase, milliseconds now, bool running) {
  AttemptRow row;
  if (!step.took) row.outcome = running ? AttemptOutcome::running : AttemptOutcome::bad;
  if (step.failure) row.outcome = AttemptOutcome::bad;
  row.label = visible(step.step);
  if (!step.kind.empty()) row.label += (row.label.empty() ? "" : " ") + visible(step.kind);
  const milliseconds took = step.took.value_or(std::max(now - step.started, milliseconds(0)));
  row.segments = {{phase, step.started, step.started + took}};
  row.figures.fill(span_text(took));
  return row;
}

bool is_literal(const LookUp& look_up) {
  const std::string_view host = look_up.host;
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  const std::string_view bare = in_brackets ? host.substr(1, host.size() - 2) : host;
  return !look_up.failure && look_up.answers.size() == 1 &&
         bare_addresses(look_up.answers).front() == bare;
}

std::string answers_text(const LookUp& look_up) {
  std::string text;
  for (const std::string& answer : bare_addresses(look_up.answers)) {
    text += (text.empty() ? "" : ", ") + visible(answer);
  }
  if (look_up.answer_count > look_up.answers.size()) {
    text += " and " + std::to_string(look_up.answer_count - look_up.answers.size()) + " more";
  }
  if (look_up.source == "remembered") text += " (remembered, still in force)";
  if (look_up.source == "configuration") text += " (from resolve in the configuration)";
  return text;
}

}  // namespace wskeep::cli
