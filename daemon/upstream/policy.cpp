#include "daemon/upstream/policy.hpp"

#include <array>

namespace wskeep::upstream {
namespace {

using config::CodeRule;
using config::Verdict;
using daemon::Error;

/// 429 and 503 are here to be seen: what they say of the time to wait (Retry-After) is obeyed.
constexpr std::array<CodeRule, 5> status_rules{{{401, 401, Verdict::slow},
                                                {403, 403, Verdict::slow},
                                                {407, 407, Verdict::slow},
                                                {429, 429, Verdict::retry},
                                                {503, 503, Verdict::retry}}};
/// 1012 (restart) and 1013 (try again later) mean just what the back-off does.
constexpr std::array<CodeRule, 2> close_rules{
    {{1008, 1008, Verdict::slow}, {1012, 1013, Verdict::retry}}};

/// The narrowest that holds the code, and of equally narrow ones the last; nullptr: none does.
const CodeRule* find_rule(std::span<const CodeRule> rules, unsigned code) {
  const CodeRule* found = nullptr;
  for (const CodeRule& rule : rules) {
    if (code < rule.first || code > rule.last) continue;
    if (found == nullptr || rule.last - rule.first <= found->last - found->first) found = &rule;
  }
  return found;
}

Decision decide_code(std::span<const CodeRule> configured, std::span<const CodeRule> built_in,
                     unsigned code, const std::string& key) {
  if (const CodeRule* rule = find_rule(configured, code))
    return {rule->verdict, key + " " + codes_text(*rule)};
  const CodeRule* rule = find_rule(built_in, code);
  return {rule == nullptr ? Verdict::retry : rule->verdict, "default"};
}

/// A server that says when to come back is obeyed by whatever comes back at all.
void obey_retry_after(Decision& decision, const OpenFailure& failure) {
  if (!failure.retry_after || decision.verdict == Verdict::stop) return;
  if (decision.rule == "default")
    decision.rule = "Retry-After";
  else
    decision.rule += ", Retry-After";
}

}  // namespace

std::span<const CodeRule> default_status_rules() noexcept {
  return status_rules;
}

std::span<const CodeRule> default_close_rules() noexcept {
  return close_rules;
}

std::string codes_text(const CodeRule& rule) {
  const std::string first = std::to_string(rule.first);
  return rule.first == rule.last ? first : first + "-" + std::to_string(rule.last);
}

std::string_view verdict_name(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::retry:
      return "retry";
    case Verdict::slow:
      return "slow";
    case Verdict::stop:
      break;
  }
  return "stop";
}

Decision decide(const config::Reconnect& settings, const OpenFailure& failure) {
  Decision decision;
  // A proxy's answer is not upstream's: its status is judged by what it means.
  const Error error = failure.failure.error;
  const bool of_proxy = error == Error::proxy_unauthorized || error == Error::proxy_refused ||
                        error == Error::proxy_protocol;
  // Some servers say by HTTP what others say by TLS.
  const bool of_tls = error == Error::client_certificate_required;
  if (failure.http_status != 0 && !of_proxy && !of_tls) {
    decision =
        decide_code(settings.on_status, status_rules, failure.http_status, "reconnect.on_status");
  } else if (is_lasting(error)) {
    decision = {settings.on_lasting, "reconnect.on_lasting"};
  } else {
    decision = {Verdict::retry, "default"};
  }
  obey_retry_after(decision, failure);
  return decision;
}

Decision decide(const config::Reconnect& settings, const SessionEnd& end) {
  if (end.verdict) return {*end.verdict, end.verdict_rule};
  if (is_lasting(end.failure.error)) return {settings.on_lasting, "reconnect.on_lasting"};
  return decide_code(settings.on_close, close_rules, end.close_code, "reconnect.on_close");
}

bool is_lasting(Error error) noexcept {
  switch (error) {
    case Error::configuration:
    case Error::proxy_unauthorized:
    case Error::tls_version:
    case Error::certificate_expired:
    case Error::certificate_not_yet_valid:
    case Error::certificate_name_mismatch:
    case Error::certificate_self_signed:
    case Error::certificate_issuer_unknown:
    case Error::certificate_untrusted:
    case Error::certificate_revoked:
    case Error::certificate_revocation_unknown:
    case Error::certificate_pin_mismatch:
    case Error::certificate_invalid:
    case Error::client_certificate_required:
    case Error::http_unauthorized:
      return true;
    default:
      return false;
  }
}

}  // namespace wskeep::upstream
