// What docs/ipc.md says of a connection's attempts, as JSON.

#include <boost/json.hpp>

#include "config/authority.hpp"
#include "daemon/upstream/connection.hpp"
#include "ipc/event.hpp"

namespace wskeep::upstream {
namespace {

namespace json = boost::json;

json::value describe_failure(const daemon::Failure& failure) {
  if (failure.error == daemon::Error::none) return nullptr;
  return json::object{{"error", error_name(failure.error)}, {"message", failure.text}};
}

json::value optional_milliseconds(const std::optional<std::chrono::milliseconds>& duration) {
  return duration ? json::value(duration->count()) : json::value(nullptr);
}

std::string endpoint_text(const daemon::Endpoint& endpoint) {
  return config::host_and_port(endpoint.address().to_string(), endpoint.port());
}

json::object describe_address(const AddressStep& step) {
  return {
      {"address", endpoint_text(step.endpoint)},
      {"started_ms", step.started.count()},
      {"stage", stage_name(step.reached)},
      {"tcp_ms", optional_milliseconds(step.connected)},
      {"proxy_ms", optional_milliseconds(step.proxied)},
      {"tls_ms", optional_milliseconds(step.secured)},
      {"http_ms", optional_milliseconds(step.answered)},
      {"ended_ms", optional_milliseconds(step.ended)},
      {"http_status", step.http_status == 0 ? json::value(nullptr) : json::value(step.http_status)},
      {"failure", describe_failure(step.failure)}};
}

std::string_view source_name(ResolveStep::Source source) {
  switch (source) {
    case ResolveStep::Source::asked:
      return "asked";
    case ResolveStep::Source::remembered:
      return "remembered";
    case ResolveStep::Source::configuration:
      break;
  }
  return "configuration";
}

json::object describe_resolve(const ResolveStep& step) {
  json::array answers;
  for (const auto& answer : step.answers) answers.emplace_back(endpoint_text(answer));
  return {{"host", step.host},
          {"source", source_name(step.source)},
          {"started_ms", step.started.count()},
          {"duration_ms", step.duration.count()},
          {"answers", std::move(answers)},
          {"answer_count", step.answer_count},
          {"failure", describe_failure(step.failure)}};
}

json::object describe_leg(const Leg& leg) {
  json::object object{{"url", leg.url},
                      {"proxy", leg.proxy.empty() ? json::value(nullptr) : json::value(leg.proxy)},
                      {"redirected", leg.redirected},
                      {"resolve", nullptr}};
  if (leg.resolve) object["resolve"] = describe_resolve(*leg.resolve);
  json::array addresses;
  for (const AddressStep& step : leg.addresses) addresses.emplace_back(describe_address(step));
  object["addresses"] = std::move(addresses);
  return object;
}

json::object describe_session_step(const SessionStep& step) {
  return {
      {"lived_ms", step.lived.count()},
      {"failure", describe_failure(step.failure)},
      {"close_code", step.close_code == 0 ? json::value(nullptr) : json::value(step.close_code)}};
}

json::array describe_prepare(const std::vector<PrepareRecord>& steps) {
  json::array array;
  for (const PrepareRecord& step : steps) {
    array.emplace_back(
        json::object{{"step", step.step},
                     {"kind", step.kind},
                     {"started_ms", step.started.count()},
                     {"took_ms", optional_milliseconds(step.took)},
                     {"http_status",
                      step.http_status == 0 ? json::value(nullptr) : json::value(step.http_status)},
                     {"failure", describe_failure(step.failure)}});
  }
  return array;
}

json::array describe_script(const std::vector<ScriptRecord>& steps) {
  json::array array;
  for (const ScriptRecord& step : steps) {
    array.emplace_back(
        json::object{{"step", step.step},
                     {"kind", step.kind},
                     {"started_ms", step.started.count()},
                     {"took_ms", optional_milliseconds(step.took)},
                     {"waits_for", step.waits_for.empty() ? json::value(nullptr)
                                                          : json::value(step.waits_for)}});
  }
  return array;
}

json::object describe_next(const NextStep& step) {
  return {{"verdict", verdict_name(step.verdict)},
          {"rule", step.rule},
          {"wait_ms", step.verdict == config::Verdict::stop ? json::value(nullptr)
                                                            : json::value(step.wait.count())}};
}

json::object describe_cycle(const Cycle& cycle) {
  json::object object{{"number", cycle.number}, {"started", ipc::time_text(cycle.started)}};
  object["prepare"] = describe_prepare(cycle.prepare);
  json::array legs;
  for (const Leg& leg : cycle.legs) legs.emplace_back(describe_leg(leg));
  object["legs"] = std::move(legs);
  object["ended_ms"] = optional_milliseconds(cycle.ended);
  object["failure"] = describe_failure(cycle.failure);
  object["script"] = describe_script(cycle.script);
  object["session"] = nullptr;
  if (cycle.session) object["session"] = describe_session_step(*cycle.session);
  object["next"] = nullptr;
  if (cycle.next) object["next"] = describe_next(*cycle.next);
  return object;
}

}  // namespace

json::object Connection::describe_attempts() const {
  json::array cycles;
  for (const Cycle& cycle : timeline_.cycles()) cycles.emplace_back(describe_cycle(cycle));
  // An opening is told of while it is under way, too.
  if (script_ && !script_->ready() && !timeline_.cycles().back().session)
    cycles.back().as_object()["script"] = describe_script(script_records());
  return {{"state", state_name()},
          {"cycles", std::move(cycles)},
          {"next_attempt", next_attempt_time()}};
}

}  // namespace wskeep::upstream
