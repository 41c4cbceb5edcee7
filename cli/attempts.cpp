#include "cli/attempts.hpp"

#include <boost/json.hpp>
#include <utility>

#include "cli/json_access.hpp"

namespace wskeep::cli {

namespace {

using boost::json::object;

std::optional<milliseconds> time_in(const object& fields, std::string_view key) {
  const auto count = number_of(fields, key);
  // What no clock can mean shall not overflow below.
  constexpr double longest = 1e15;
  if (!count || *count < 0 || *count > longest) return std::nullopt;
  return milliseconds(static_cast<std::int64_t>(*count));
}

bool is_true(const object& fields, std::string_view key) {
  const boost::json::value* member = fields.if_contains(key);
  return member != nullptr && member->is_bool() && member->get_bool();
}

/// Calls `each` with every object in the list `key`.
template <typename Each>
void for_objects(const object& fields, std::string_view key, Each&& each) {
  const boost::json::array* list = array_of(fields, key);
  if (list == nullptr) return;
  for (const boost::json::value& entry : *list) {
    if (entry.is_object()) each(entry.get_object());
  }
}

AddressAttempt parse_address(const object& fields) {
  return {.address = text_of(fields, "address"),
          .stage = text_of(fields, "stage"),
          .started = time_in(fields, "started_ms").value_or(milliseconds(0)),
          .tcp = time_in(fields, "tcp_ms"),
          .proxy = time_in(fields, "proxy_ms"),
          .tls = time_in(fields, "tls_ms"),
          .http = time_in(fields, "http_ms"),
          .ended = time_in(fields, "ended_ms"),
          .http_status = count_of(fields, "http_status").value_or(0),
          .failure = parse_failure(fields, "failure")};
}

LookUp parse_look_up(const object& fields) {
  LookUp look_up{.host = text_of(fields, "host"),
                 .source = text_of(fields, "source"),
                 .started = time_in(fields, "started_ms").value_or(milliseconds(0)),
                 .duration = time_in(fields, "duration_ms").value_or(milliseconds(0)),
                 .answers = {},
                 .answer_count = 0,
                 .failure = parse_failure(fields, "failure")};
  if (const auto* answers = array_of(fields, "answers")) {
    for (const boost::json::value& answer : *answers) {
      if (answer.is_string()) look_up.answers.emplace_back(answer.get_string());
    }
  }
  look_up.answer_count = count_of(fields, "answer_count").value_or(look_up.answers.size());
  return look_up;
}

UrlAttempt parse_leg(const object& fields) {
  UrlAttempt leg{.url = text_of(fields, "url"),
                 .proxy = text_of(fields, "proxy"),
                 .redirected = is_true(fields, "redirected"),
                 .resolve = std::nullopt,
                 .addresses = {}};
  if (const object* resolve = object_of(fields, "resolve")) leg.resolve = parse_look_up(*resolve);
  for_objects(fields, "addresses",
              [&](const object& each) { leg.addresses.push_back(parse_address(each)); });
  return leg;
}

/// Those of an opening count from the end of the cycle, which is its session's begin.
std::vector<StepAttempt> parse_steps(const object& cycle, std::string_view key,
                                     milliseconds begin) {
  std::vector<StepAttempt> steps;
  for_objects(cycle, key, [&](const object& fields) {
    steps.push_back({.step = text_of(fields, "step"),
                     .kind = text_of(fields, "kind"),
                     .started = begin + time_in(fields, "started_ms").value_or(milliseconds(0)),
                     .took = time_in(fields, "took_ms"),
                     .waits_for = text_of(fields, "waits_for"),
                     .failure = parse_failure(fields, "failure")});
  });
  return steps;
}

Cycle parse_cycle(const object& fields) {
  Cycle cycle{.number = count_of(fields, "number").value_or(0),
              .started = parse_time(text_of(fields, "started")),
              .prepare = parse_steps(fields, "prepare", milliseconds(0)),
              .legs = {},
              .script = {},
              .ended = time_in(fields, "ended_ms"),
              .failure = parse_failure(fields, "failure"),
              .session = std::nullopt,
              .next = std::nullopt};
  cycle.script = parse_steps(fields, "script", cycle.ended.value_or(milliseconds(0)));
  for_objects(fields, "legs", [&](const object& each) { cycle.legs.push_back(parse_leg(each)); });
  if (const object* session = object_of(fields, "session")) {
    EndedSession ended;
    ended.lived = time_in(*session, "lived_ms").value_or(milliseconds(0));
    ended.failure = parse_failure(*session, "failure");
    ended.close_code = count_of(*session, "close_code").value_or(0);
    cycle.session = std::move(ended);
  }
  if (const object* next = object_of(fields, "next")) {
    cycle.next = NextStep{text_of(*next, "verdict"), text_of(*next, "rule"),
                          time_in(*next, "wait_ms").value_or(milliseconds(0))};
  }
  return cycle;
}

}  // namespace

std::optional<ShownFailure> parse_failure(const object& holder, std::string_view key) {
  const object* fields = object_of(holder, key);
  if (fields == nullptr) return std::nullopt;
  ShownFailure failure{text_of(*fields, "error"), text_of(*fields, "message")};
  if (failure.error.empty() && failure.message.empty()) return std::nullopt;
  return failure;
}

Attempts parse_attempts(const object& document) {
  Attempts attempts;
  for_objects(document, "cycles",
              [&](const object& each) { attempts.cycles.push_back(parse_cycle(each)); });
  attempts.next_attempt = parse_time(text_of(document, "next_attempt"));
  return attempts;
}

}  // namespace wskeep::cli
