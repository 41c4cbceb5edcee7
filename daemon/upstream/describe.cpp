// What docs/ipc.md says of a connection, as JSON: the parts of Connection that only tell.

#include <boost/json.hpp>

#include "daemon/upstream/connection.hpp"
#include "ipc/event.hpp"
#include "ipc/subscription.hpp"

namespace wskeep::upstream {
namespace {

namespace json = boost::json;

json::value milliseconds(std::chrono::nanoseconds duration) {
  if (duration.count() == 0) return nullptr;
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// The URL as it stands in the configuration, without user and password.
std::string public_url(const std::string& url) {
  const std::size_t begin = url.find("://");
  if (begin == std::string::npos) return url;
  const std::size_t authority = begin + 3;
  const std::size_t end = url.find_first_of("/?", authority);
  const std::size_t at = url.rfind('@', end == std::string::npos ? end : end - 1);
  if (at == std::string::npos || at < authority) return url;
  return url.substr(0, authority) + url.substr(at + 1);
}

json::object describe_certificate(const net::Certificate& certificate) {
  json::array names;
  for (const std::string& name : certificate.names) names.emplace_back(name);
  return {{"subject", certificate.subject},     {"issuer", certificate.issuer},
          {"names", std::move(names)},          {"not_before", certificate.not_before},
          {"not_after", certificate.not_after}, {"sha256", certificate.sha256}};
}

json::value describe_tls(const net::TransportInformation& information) {
  if (information.tls_version.empty()) return nullptr;
  json::array certificates;
  for (const auto& certificate : information.certificates)
    certificates.emplace_back(describe_certificate(certificate));
  return json::object{{"version", information.tls_version},
                      {"cipher", information.cipher},
                      {"resumed", information.resumed},
                      {"certificates", std::move(certificates)}};
}

json::value describe_compression(const std::optional<websocket::DeflateParameters>& compression) {
  if (!compression) return nullptr;
  return json::object{{"server_no_context_takeover", compression->server_no_context_takeover},
                      {"client_no_context_takeover", compression->client_no_context_takeover},
                      {"server_max_window_bits", compression->server_max_window_bits},
                      {"client_max_window_bits", compression->client_max_window_bits}};
}

json::value describe_failure(const daemon::Failure& failure) {
  if (failure.error == daemon::Error::none) return nullptr;
  return json::object{{"error", error_name(failure.error)}, {"message", failure.text}};
}

json::value optional_milliseconds(const std::optional<std::chrono::milliseconds>& duration) {
  return duration ? json::value(duration->count()) : json::value(nullptr);
}

std::string endpoint_text(const daemon::Endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

json::object describe_address(const AddressStep& step) {
  return {
      {"address", endpoint_text(step.endpoint)},
      {"started_ms", step.started.count()},
      {"stage", stage_name(step.reached)},
      {"tcp_ms", optional_milliseconds(step.connected)},
      {"tls_ms", optional_milliseconds(step.secured)},
      {"http_ms", optional_milliseconds(step.answered)},
      {"ended_ms", optional_milliseconds(step.ended)},
      {"http_status", step.http_status == 0 ? json::value(nullptr) : json::value(step.http_status)},
      {"failure", describe_failure(step.failure)}};
}

json::object describe_leg(const Leg& leg) {
  json::object object{{"url", leg.url}, {"resolve", nullptr}};
  if (leg.resolve) {
    json::array answers;
    for (const auto& answer : leg.resolve->answers) answers.emplace_back(endpoint_text(answer));
    object["resolve"] = json::object{{"duration_ms", leg.resolve->duration.count()},
                                     {"answers", std::move(answers)},
                                     {"answer_count", leg.resolve->answer_count},
                                     {"failure", describe_failure(leg.resolve->failure)}};
  }
  json::array addresses;
  for (const AddressStep& step : leg.addresses) addresses.emplace_back(describe_address(step));
  object["addresses"] = std::move(addresses);
  return object;
}

json::object describe_cycle(const Cycle& cycle) {
  json::object object{{"number", cycle.number}, {"started", ipc::time_text(cycle.started)}};
  json::array legs;
  for (const Leg& leg : cycle.legs) legs.emplace_back(describe_leg(leg));
  object["legs"] = std::move(legs);
  object["ended_ms"] = optional_milliseconds(cycle.ended);
  object["failure"] = describe_failure(cycle.failure);
  return object;
}

}  // namespace

json::array Connection::describe_attempts() const {
  json::array cycles;
  for (const Cycle& cycle : timeline_.cycles()) cycles.emplace_back(describe_cycle(cycle));
  return cycles;
}

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
      {"subscribers", channel_.readers()}};
  if (last_error_) {
    object["last_error"] = json::object{
        {"error", error_name(last_error_->failure.error)},
        {"message", last_error_->failure.text},
        {"time", ipc::time_text(last_error_->time)},
        {"close_code", last_error_->close_code == 0 ? json::value(nullptr)
                                                    : json::value(last_error_->close_code)}};
  }
  if (detail == Detail::whole) describe_session(object);
  return object;
}

void Connection::describe_session(json::object& object) const {
  object["local_address"] = nullptr;
  object["http_status"] = nullptr;
  object["http_headers"] = json::array();
  object["subprotocol"] = "";
  object["compression"] = nullptr;
  object["tls"] = nullptr;
  if (session_) {
    const Opened& opened = session_->opened();
    object["local_address"] = session_->information().local_address;
    object["http_status"] = opened.response.status;
    for (const auto& [name, value] : opened.response.fields) {
      object["http_headers"].as_array().emplace_back(json::array{name, value});
    }
    object["subprotocol"] = opened.subprotocol;
    object["compression"] = describe_compression(opened.compression);
    object["tls"] = describe_tls(session_->information());
  }
  const Bandwidth::Rates rates = bandwidth_.measure(statistics_, environment_.now());
  object["sessions"] = statistics_.sessions;
  object["bandwidth"] = json::object{{"in_bytes_per_second", rates.bytes_in},
                                     {"out_bytes_per_second", rates.bytes_out},
                                     {"in_messages_per_second", rates.messages_in},
                                     {"out_messages_per_second", rates.messages_out}};
  object["next_attempt"] =
      next_attempt_ ? json::value(ipc::time_text(*next_attempt_)) : json::value(nullptr);
  const ring::Ring& ring = channel_.ring();
  object["ring"] = json::object{{"epoch", ipc::epoch_text(ring.epoch())},
                                {"first", ring.first()},
                                {"last", ring.next() - 1},
                                {"bytes", ring.used()},
                                {"capacity", ring.capacity()}};
}

}  // namespace wskeep::upstream
