#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "cli/attempt_row.hpp"
#include "cli/attempts.hpp"
#include "cli/commands.hpp"
#include "cli/facts.hpp"
#include "cli/format.hpp"
#include "cli/json_access.hpp"
#include "cli/request.hpp"
#include "cli/show.hpp"
#include "cli/show_traffic.hpp"

namespace wskeep::cli {

namespace {

using boost::json::object;

/// What the groups below have; whatever else a daemon tells is shown at the end.
constexpr std::array<std::string_view, 32> known_fields{
    "name",           "state",         "since",          "url",
    "remote_address", "messages_in",   "messages_out",   "bytes_in",
    "bytes_out",      "round_trip_ms", "last_error",     "subscribers",
    "local_address",  "http_status",   "http_headers",   "subprotocol",
    "compression",    "tls",           "sessions",       "bandwidth",
    "next_attempt",   "ring",          "urls",           "proxy",
    "policy",         "budgets",       "connected_url",  "renewal",
    "warnings",       "readers",       "slowest_reader", "certificate_faults"};

std::string bytes_of(const object& fields, std::string_view key) {
  const auto bytes = number_of(fields, key);
  return bytes ? format_bytes(*bytes) : std::string();
}

std::string member(const object& fields, std::string_view key) {
  const boost::json::value* value = fields.if_contains(key);
  return value == nullptr || value->is_null() ? std::string() : describe(*value);
}

/// All that are configured, and which of them was connected to where that is another.
void add_urls(Facts& facts, const object& fields) {
  const std::string first = text_of(fields, "url");
  const auto* urls = array_of(fields, "urls");
  if (urls == nullptr || urls->size() < 2) {
    facts.add("url", first);
  } else {
    for (const boost::json::value& url : *urls) facts.add("url", describe(url));
  }
  const std::string connected = text_of(fields, "connected_url");
  if (connected != first) facts.add("connected url", connected);
}

void add_state(Facts& facts, const object& fields, SystemTime now) {
  const std::string state = text_of(fields, "state");
  facts.group(text_of(fields, "name"));
  const auto since = parse_time(text_of(fields, "since"));
  facts.add("state", since ? state + " for " + format_duration(now - *since) : state,
            state_color(state));
  facts.add("since", text_of(fields, "since"));
  add_urls(facts, fields);
  facts.add("proxy", text_of(fields, "proxy"));
  facts.add("remote address", text_of(fields, "remote_address"));
  facts.add("local address", text_of(fields, "local_address"));
  if (const auto trip = number_of(fields, "round_trip_ms")) {
    facts.add("round trip", format_milliseconds(*trip));
  }
  facts.add("sessions", member(fields, "sessions"));
  facts.add("readers", member(fields, "subscribers"));
  facts.add("next attempt", member(fields, "next_attempt"));
  facts.add("renewal", member(fields, "renewal"));
}

/// Each by itself and loud: they are what is not to be overlooked.
void add_warnings(Facts& facts, const object& fields) {
  const auto* warnings = array_of(fields, "warnings");
  if (warnings == nullptr) return;
  facts.group("Warnings");
  for (const boost::json::value& warning : *warnings) {
    facts.add("!", describe(warning), Color::red);
  }
}

/// What the server's certificates were refused for.
void add_certificate_faults(Facts& facts, const object& fields) {
  const auto* faults = array_of(fields, "certificate_faults");
  if (faults == nullptr) return;
  facts.group("Faults of the certificate");
  for (const boost::json::value& each : *faults) {
    const object* fault = each.if_object();
    // Those that were passed over stand with TLS.
    if (fault == nullptr || text_of(*fault, "severity") != "fatal") continue;
    facts.add("fatal", text_of(*fault, "error") + ": " + text_of(*fault, "message"), Color::red);
  }
}

void add_error(Facts& facts, const object& fields) {
  const object* error = object_of(fields, "last_error");
  if (error == nullptr) return;
  facts.group("Last error");
  const bool ready = text_of(fields, "state") == "ready";
  facts.add("message", text_of(*error, "message"), ready ? Color::none : Color::red);
  facts.add("error", text_of(*error, "error"));
  facts.add("time", member(*error, "time"));
  facts.add("close code", member(*error, "close_code"));
}

std::string duration_of(const object& fields, std::string_view key) {
  const auto count = number_of(fields, key);
  if (!count) return {};
  return format_duration(
      std::chrono::milliseconds(static_cast<std::int64_t>(std::clamp(*count, 0.0, 1e15))));
}

void add_ring(Facts& facts, const object& fields) {
  const object* ring = object_of(fields, "ring");
  if (ring == nullptr) return;
  facts.group("History");
  const auto first = count_of(*ring, "first");
  const auto last = count_of(*ring, "last");
  if (first && last) {
    facts.add("messages", *first > *last
                              ? std::string("none yet")
                              : format_count(*last - *first + 1) + " (" + std::to_string(*first) +
                                    " to " + std::to_string(*last) + ")");
  }
  facts.add("memory", bytes_of(*ring, "bytes") + " of " + bytes_of(*ring, "capacity"));
  const auto span = count_of(*ring, "span_ms");
  if (span && first && last && *first <= *last)
    facts.add("goes back", duration_of(*ring, "span_ms"));
  const std::string epoch = text_of(*ring, "epoch");
  if (!epoch.empty()) facts.add("cursor", epoch + ":" + std::to_string(last.value_or(0)));
}

/// `401: slow, 4000-4999: stop`, what is configured before the defaults.
std::string rules_text(const object& policy, std::string_view key) {
  const auto* rules = array_of(policy, key);
  if (rules == nullptr) return {};
  std::string text;
  for (const boost::json::value& each : *rules) {
    const object* rule = each.if_object();
    if (rule == nullptr) continue;
    if (!text.empty()) text += ", ";
    text += text_of(*rule, "codes") + ": " + text_of(*rule, "verdict");
    if (member(*rule, "default") == "yes") text += " (default)";
  }
  return text;
}

void add_policy(Facts& facts, const object& fields) {
  const object* policy = object_of(fields, "policy");
  if (policy == nullptr) return;
  facts.group("When it fails");
  const std::string initial = duration_of(*policy, "initial_ms");
  const std::string most = duration_of(*policy, "max_ms");
  if (!initial.empty() && !most.empty()) {
    facts.add("back-off", initial + " to " + most + ", begins anew after a session of " +
                              duration_of(*policy, "stable_after_ms"));
  }
  facts.add("HTTP status", rules_text(*policy, "on_status"));
  facts.add("close code", rules_text(*policy, "on_close"));
  facts.add("lasting errors", text_of(*policy, "on_lasting"));
  facts.add("all else", text_of(*policy, "otherwise"));
}

void add_budgets(Facts& facts, const object& fields) {
  const auto* budgets = array_of(fields, "budgets");
  if (budgets == nullptr) return;
  facts.group("Budgets of connects");
  for (const boost::json::value& each : *budgets) {
    const object* budget = each.if_object();
    if (budget == nullptr) continue;
    const auto used = count_of(*budget, "used").value_or(0);
    const auto limit = count_of(*budget, "limit").value_or(0);
    const std::string host = text_of(*budget, "host");
    const Color color = limit == 0 || used * 10 < limit * 9 ? Color::none : Color::yellow;
    facts.add(text_of(*budget, "rule"),
              format_count(used) + " of " + format_count(limit) + " within " +
                  duration_of(*budget, "per_ms") + (host.empty() ? "" : ", to " + host),
              used >= limit ? Color::red : color);
  }
}

/// What the last attempt prepared, and the steps of its session's opening.
void add_steps(Facts& facts, const Attempts& attempts) {
  if (attempts.cycles.empty()) return;
  const Cycle& cycle = attempts.cycles.back();
  const bool runs = !cycle.session && !cycle.failure;
  const auto add = [&](const std::string& title, const std::vector<StepAttempt>& steps) {
    if (steps.empty()) return;
    facts.group(title);
    for (const StepAttempt& step : steps) {
      const std::string label = step.step + (step.kind.empty() ? "" : " " + step.kind);
      if (step.took) {
        facts.add(label, span_text(*step.took));
        continue;
      }
      std::string text = runs ? "is being done" : "was not done";
      if (!step.waits_for.empty()) {
        text += (runs ? ": waits for " : ": waited in vain for ") + step.waits_for;
      }
      if (step.failure) text += ": " + step.failure->message;
      facts.add(label, text, runs ? Color::yellow : Color::red);
    }
  };
  add("Before connecting", cycle.prepare);
  add("Opening", cycle.script);
}

void add_http(Facts& facts, const object& fields) {
  facts.group("HTTP");
  facts.add("status", member(fields, "http_status"));
  facts.add("subprotocol", text_of(fields, "subprotocol"));
  facts.add("compression", member(fields, "compression"));
  const auto* headers = array_of(fields, "http_headers");
  if (headers == nullptr) return;
  for (const boost::json::value& header : *headers) {
    const auto* pair = header.if_array();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].is_string()) continue;
    const boost::json::value& value = (*pair)[1];
    facts.add(std::string((*pair)[0].get_string()),
              value.is_string() ? std::string(value.get_string()) : describe(value));
  }
}

void add_expiry(Facts& facts, const object& certificate, SystemTime now) {
  constexpr std::chrono::days soon{14};
  const std::string text = text_of(certificate, "not_after");
  const auto end = parse_time(text);
  if (!end) {
    facts.add("valid until", text);
  } else if (*end <= now) {
    facts.add("valid until", text + " (expired " + format_duration(now - *end) + " ago)",
              Color::red);
  } else {
    facts.add("valid until", text + " (" + format_duration(*end - now) + " left)",
              *end - now < soon ? Color::yellow : Color::none);
  }
}

/// Whether the certificate was checked, and what was passed over.
void add_verification(Facts& facts, const object& tls) {
  const std::string verified = member(tls, "verified");
  if (verified == "yes") facts.add("certificate", "verified", Color::green);
  if (verified == "no") facts.add("certificate", "NOT VERIFIED", Color::red);
  if (const auto* faults = array_of(tls, "ignored_faults")) {
    for (const boost::json::value& each : *faults) {
      const object* fault = each.if_object();
      if (fault == nullptr) continue;
      facts.add("passed over", text_of(*fault, "error") + ": " + text_of(*fault, "message"),
                Color::red);
    }
  }
  if (member(tls, "client_certificate_missing") == "yes") {
    facts.add("client", "the server asked for a client certificate, and there is none",
              Color::yellow);
  }
}

void add_tls(Facts& facts, const object& fields, SystemTime now) {
  const object* tls = object_of(fields, "tls");
  if (tls == nullptr) return;
  facts.group("TLS");
  facts.add("version", text_of(*tls, "version"));
  facts.add("cipher", text_of(*tls, "cipher"));
  facts.add("resumed", member(*tls, "resumed"));
  add_verification(facts, *tls);
  const auto* certificates = array_of(*tls, "certificates");
  if (certificates == nullptr) return;
  std::size_t number = 0;
  for (const boost::json::value& each : *certificates) {
    const object* certificate = each.if_object();
    if (certificate == nullptr) continue;
    facts.group("Certificate " + std::to_string(++number) + " of " +
                std::to_string(certificates->size()));
    facts.add("subject", text_of(*certificate, "subject"));
    facts.add("issuer", text_of(*certificate, "issuer"));
    facts.add("names", member(*certificate, "names"));
    facts.add("valid from", text_of(*certificate, "not_before"));
    add_expiry(facts, *certificate, now);
    facts.add("sha256", text_of(*certificate, "sha256"));
    facts.add("pin", text_of(*certificate, "pin"));
  }
}

void add_others(Facts& facts, const object& fields) {
  facts.group("More");
  for (const auto& [key, value] : fields) {
    if (std::ranges::find(known_fields, std::string_view(key)) != known_fields.end()) continue;
    std::string label(key);
    std::ranges::replace(label, '_', ' ');
    facts.add(label, describe(value));
  }
}

}  // namespace

std::string render_connection(std::string_view body, const Attempts& attempts, SystemTime now,
                              bool colors) {
  const object fields = parse_object(body);
  Facts facts(colors);
  add_state(facts, fields, now);
  add_warnings(facts, fields);
  add_error(facts, fields);
  add_certificate_faults(facts, fields);
  add_policy(facts, fields);
  add_budgets(facts, fields);
  add_traffic(facts, fields);
  add_readers(facts, fields);
  add_ring(facts, fields);
  add_steps(facts, attempts);
  add_http(facts, fields);
  add_tls(facts, fields, now);
  add_others(facts, fields);
  return facts.text();
}

ExitCode run_show(const Options& options, const ShowCommand& command, const Console& console) {
  const std::string path = connection_path(command.name);
  const std::string body = fetch(options, path, command.name);
  if (options.json) {
    console.print(body + "\n");
    return ExitCode::ok;
  }
  const Attempts attempts =
      parse_attempts(parse_object(fetch(options, path + "/attempts", command.name)));
  console.print(
      render_connection(body, attempts, std::chrono::system_clock::now(), console.output_colors()));
  return ExitCode::ok;
}

}  // namespace wskeep::cli
