// What docs/ipc.md says of a connection, as JSON: the parts of Connection that only tell.

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>

#include "daemon/upstream/connection.hpp"
#include "daemon/upstream/public_url.hpp"
#include "ipc/event.hpp"
#include "ipc/subscription.hpp"

namespace wskeep::upstream {
namespace {

namespace json = boost::json;

/// Of those who are furthest behind: a list of thousands would hold up the shard.
constexpr std::size_t most_readers_told = 100;

json::value milliseconds(std::chrono::nanoseconds duration) {
  if (duration.count() == 0) return nullptr;
  return std::chrono::duration<double, std::milli>(duration).count();
}

json::object describe_certificate(const net::Certificate& certificate) {
  json::array names;
  for (const std::string& name : certificate.names) names.emplace_back(name);
  return {{"subject", certificate.subject},
          {"issuer", certificate.issuer},
          {"names", std::move(names)},
          {"not_before", certificate.not_before},
          {"not_after", certificate.not_after},
          {"sha256", certificate.sha256},
          {"pin", certificate.pin}};
}

json::value describe_failure(const daemon::Failure& failure) {
  if (failure.error == daemon::Error::none) return nullptr;
  return json::object{{"error", error_name(failure.error)}, {"message", failure.text}};
}

bool is_certificate_fault(daemon::Error error) {
  return error >= daemon::Error::certificate_expired && error <= daemon::Error::certificate_invalid;
}

json::value describe_tls(const net::TransportInformation& information) {
  if (information.tls_version.empty()) return nullptr;
  json::array certificates;
  for (const auto& certificate : information.certificates)
    certificates.emplace_back(describe_certificate(certificate));
  json::array faults;
  for (const daemon::Failure& fault : information.ignored_faults)
    faults.emplace_back(describe_failure(fault));
  return json::object{{"version", information.tls_version},
                      {"cipher", information.cipher},
                      {"resumed", information.resumed},
                      {"verified", information.verified},
                      {"ignored_faults", std::move(faults)},
                      {"client_certificate_missing", information.client_certificate_missing},
                      {"certificates", std::move(certificates)}};
}

json::value describe_compression(const std::optional<websocket::DeflateParameters>& compression) {
  if (!compression) return nullptr;
  return json::object{{"server_no_context_takeover", compression->server_no_context_takeover},
                      {"client_no_context_takeover", compression->client_no_context_takeover},
                      {"server_max_window_bits", compression->server_max_window_bits},
                      {"client_max_window_bits", compression->client_max_window_bits}};
}

/// Whether a header's value gives whoever reads it what only we were to have.
bool is_secret_header(std::string_view name) {
  std::string key(name);
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  constexpr std::array words{"cookie",  "authorization", "authentication-info",
                             "token",   "secret",        "password",
                             "api-key", "apikey",        "session"};
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return key.find(word) != std::string::npos; });
}

json::array describe_rules(std::span<const config::CodeRule> configured,
                           std::span<const config::CodeRule> built_in) {
  json::array rules;
  const auto add = [&](const config::CodeRule& rule, bool is_default) {
    rules.emplace_back(json::object{{"codes", codes_text(rule)},
                                    {"verdict", verdict_name(rule.verdict)},
                                    {"default", is_default}});
  };
  for (const config::CodeRule& rule : configured) add(rule, false);
  for (const config::CodeRule& rule : built_in) add(rule, true);
  return rules;
}

json::object describe_policy(const config::Reconnect& settings) {
  return {{"on_status", describe_rules(settings.on_status, default_status_rules())},
          {"on_close", describe_rules(settings.on_close, default_close_rules())},
          {"on_lasting", verdict_name(settings.on_lasting)},
          {"otherwise", verdict_name(config::Verdict::retry)},
          {"initial_ms", settings.initial.count()},
          {"max_ms", settings.max.count()},
          {"stable_after_ms", settings.stable_after.count()}};
}

json::object describe_spread(const TrafficHistory::Spread& spread) {
  return {{"mean", spread.mean},
          {"least", spread.least},
          {"most", spread.most},
          {"deviation", spread.deviation}};
}

/// Milliseconds between two moments of the wall clock, which may have been set back.
std::int64_t elapsed_ms(std::uint64_t from_ns, std::uint64_t to_ns) {
  return to_ns > from_ns ? static_cast<std::int64_t>((to_ns - from_ns) / 1'000'000) : 0;
}

json::object describe_ring(const ring::Ring& ring, std::uint64_t now_ns) {
  const std::uint64_t oldest = ring.empty() ? now_ns : ring.entry(ring.first()).time_ns;
  return {{"epoch", ipc::epoch_text(ring.epoch())},
          {"first", ring.first()},
          {"last", ring.next() - 1},
          {"bytes", ring.used()},
          {"capacity", ring.capacity()},
          {"span_ms", elapsed_ms(oldest, now_ns)}};
}

std::int64_t lag(const ipc::ReaderInformation& reader, std::uint64_t now_ns) {
  return reader.oldest_unsent_ns == 0 ? 0 : elapsed_ms(reader.oldest_unsent_ns, now_ns);
}

json::object describe_reader(const ipc::ReaderInformation& reader, std::uint64_t now_ns) {
  return {{"kind", reader.kind},
          {"uid", reader.uid ? json::value(*reader.uid) : json::value(nullptr)},
          {"pid", reader.pid ? json::value(*reader.pid) : json::value(nullptr)},
          {"lag_messages", reader.lag_messages},
          {"lag_ms", lag(reader, now_ns)},
          {"unread_bytes", reader.unread_bytes},
          {"sent_bytes", reader.sent_bytes},
          {"lost_messages", reader.lost_messages},
          {"waits", reader.waits}};
}

json::object describe_budget(const ConnectBudgets::Use& use, json::value host) {
  return {{"rule", use.rule},
          {"host", std::move(host)},
          {"used", use.used},
          {"limit", use.limit.count},
          {"per_ms", use.limit.per.count()}};
}

}  // namespace

json::object Connection::describe(Detail detail) const {
  json::object object{
      {"name", settings_.name},
      {"state", state_name()},
      {"since", ipc::time_text(since_)},
      {"url", public_url(settings_.urls.front().source())},
      {"remote_address",
       session_ ? json::value(session_->information().remote_address) : json::value(nullptr)},
      {"messages_in", statistics_.messages_in},
      {"messages_out", statistics_.messages_out},
      {"bytes_in", statistics_.bytes_in},
      {"bytes_out", statistics_.bytes_out},
      {"round_trip_ms", milliseconds(statistics_.round_trip)},
      {"last_error", nullptr},
      {"subscribers", channel_.readers()},
      {"slowest_reader", nullptr},
      {"ring", describe_ring(channel_.ring(), wall_now_ns())}};
  if (const auto slowest = channel_.slowest_reader()) {
    object["slowest_reader"] = json::object{{"lag_messages", slowest->lag_messages},
                                            {"lag_ms", lag(*slowest, wall_now_ns())}};
  }
  if (last_error_) {
    object["last_error"] = json::object{
        {"error", error_name(last_error_->failure.error)},
        {"message", last_error_->failure.text},
        {"time", ipc::time_text(last_error_->time)},
        {"close_code", last_error_->close_code == 0 ? json::value(nullptr)
                                                    : json::value(last_error_->close_code)}};
  }
  if (detail == Detail::whole) {
    object["certificate_faults"] = describe_certificate_faults();
    describe_session(object);
    describe_traffic(object);
    describe_settings(object);
  }
  return object;
}

/// Of the session what was passed over; else what the last attempt was refused for.
json::array Connection::describe_certificate_faults() const {
  json::array faults;
  const auto add = [&](const daemon::Failure& fault, std::string_view severity) {
    faults.emplace_back(json::object{
        {"error", error_name(fault.error)}, {"message", fault.text}, {"severity", severity}});
  };
  if (session_) {
    for (const daemon::Failure& fault : session_->information().ignored_faults)
      add(fault, "ignored");
  } else if (last_error_ && is_certificate_fault(last_error_->failure.error)) {
    add(last_error_->failure, "fatal");
  }
  return faults;
}

void Connection::describe_session(json::object& object) const {
  object["local_address"] = nullptr;
  object["http_status"] = nullptr;
  object["http_headers"] = json::array();
  object["subprotocol"] = "";
  object["compression"] = nullptr;
  object["tls"] = nullptr;
  object["connected_url"] = nullptr;
  object["renewal"] = nullptr;
  if (session_) {
    const Opened& opened = session_->opened();
    object["local_address"] = session_->information().local_address;
    object["http_status"] = opened.response.status;
    for (const auto& [name, value] : opened.response.fields) {
      object["http_headers"].as_array().emplace_back(
          json::array{name, is_secret_header(name) ? "***" : value});
    }
    object["subprotocol"] = opened.subprotocol;
    object["compression"] = describe_compression(opened.compression);
    object["tls"] = describe_tls(session_->information());
    if (const auto& legs = timeline_.cycles().back().legs; !legs.empty())
      object["connected_url"] = legs.back().url;
  }
  if (renewal_) object["renewal"] = wall_time_text(*renewal_);
}

void Connection::describe_traffic(json::object& object) const {
  const Bandwidth::Rates rates = bandwidth_.measure(statistics_, environment_.now());
  object["sessions"] = statistics_.sessions;
  object["bandwidth"] = json::object{{"in_bytes_per_second", rates.bytes_in},
                                     {"out_bytes_per_second", rates.bytes_out},
                                     {"in_messages_per_second", rates.messages_in},
                                     {"out_messages_per_second", rates.messages_out}};
  const TrafficHistory::Report report = statistics_.traffic.report(environment_.now());
  json::object& bandwidth = object["bandwidth"].as_object();
  bandwidth["window_ms"] = std::chrono::milliseconds(report.window).count();
  bandwidth["in"] = describe_spread(report.in);
  bandwidth["out"] = describe_spread(report.out);
  object["next_attempt"] = next_attempt_time();
  json::array readers;
  for (const ipc::ReaderInformation& reader : channel_.reader_list(most_readers_told))
    readers.emplace_back(describe_reader(reader, wall_now_ns()));
  object["readers"] = std::move(readers);
}

void Connection::describe_settings(json::object& object) const {
  const config::ConnectionSettings& settings = settings_.settings;
  json::array urls;
  for (const config::Template& url : settings_.urls) urls.emplace_back(public_url(url.source()));
  object["urls"] = std::move(urls);
  object["proxy"] = nullptr;
  if (!settings.proxy.empty()) object["proxy"] = public_url(settings.proxy.source());
  object["policy"] = describe_policy(settings.reconnect);
  json::array budgets;
  if (!settings.reconnect.budget.off())
    budgets.emplace_back(describe_budget(budget_use(), nullptr));
  for (const std::string& host : hosts()) {
    const ConnectBudgets::Use use = budgets_.use_of_host(host, environment_.now());
    if (!use.limit.off()) budgets.emplace_back(describe_budget(use, json::value(host)));
  }
  object["budgets"] = std::move(budgets);
  json::array told;
  for (const std::string& warning : warnings()) told.emplace_back(warning);
  object["warnings"] = std::move(told);
}

/// What whoever looks at the connection should not overlook.
std::vector<std::string> Connection::warnings() const {
  std::vector<std::string> warnings;
  if (!settings_.settings.tls.verify)
    warnings.emplace_back("tls.verify is false: the server's certificate is not checked");
  if (!session_) return warnings;
  for (const daemon::Failure& fault : session_->information().ignored_faults) {
    warnings.push_back("passed over: " + std::string(error_name(fault.error)) + ": " + fault.text);
  }
  return warnings;
}

std::string Connection::wall_time_text(daemon::TimePoint time) const {
  return ipc::time_text(
      environment_.wall_now() +
      std::chrono::duration_cast<daemon::WallTime::duration>(time - environment_.now()));
}

std::uint64_t Connection::wall_now_ns() const {
  const auto since_epoch = environment_.wall_now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(since_epoch).count());
}

json::value Connection::next_attempt_time() const {
  return next_attempt_ ? json::value(wall_time_text(*next_attempt_)) : json::value(nullptr);
}

}  // namespace wskeep::upstream
