#include "cli/overview.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>
#include <utility>

#include "cli/escape.hpp"
#include "cli/json_access.hpp"

namespace wskeep::cli {

namespace {

Summary parse_summary(const boost::json::object& fields) {
  Summary summary;
  summary.name = text_of(fields, "name");
  summary.state = text_of(fields, "state");
  summary.since = parse_time(text_of(fields, "since"));
  summary.url = text_of(fields, "url");
  summary.remote_address = text_of(fields, "remote_address");
  summary.messages_in = count_of(fields, "messages_in").value_or(0);
  summary.messages_out = count_of(fields, "messages_out").value_or(0);
  summary.bytes_in = count_of(fields, "bytes_in").value_or(0);
  summary.bytes_out = count_of(fields, "bytes_out").value_or(0);
  summary.round_trip_ms = number_of(fields, "round_trip_ms");
  summary.subscribers = count_of(fields, "subscribers").value_or(0);
  if (const auto* error = object_of(fields, "last_error")) {
    summary.last_error = text_of(*error, "message");
    if (summary.last_error.empty()) summary.last_error = text_of(*error, "error");
  }
  return summary;
}

struct Rates {
  std::string messages;
  std::string bytes;
};

Rates rates_of(const Summary& now, const Overview* before, const Overview& overview) {
  if (before == nullptr) return {};
  const auto earlier = std::ranges::find(before->connections, now.name, &Summary::name);
  const std::chrono::duration<double> elapsed = overview.taken - before->taken;
  // Counters that went back belong to another life of the daemon.
  if (earlier == before->connections.end() || earlier->messages_in > now.messages_in ||
      earlier->bytes_in > now.bytes_in || elapsed.count() <= 0) {
    return {};
  }
  const auto messages = static_cast<double>(now.messages_in - earlier->messages_in);
  const auto bytes = static_cast<double>(now.bytes_in - earlier->bytes_in);
  return {format_rate(messages / elapsed.count()), format_bytes(bytes / elapsed.count()) + "/s"};
}

std::vector<Column> make_columns(bool with_rates) {
  std::vector<Column> columns{{"NAME", false, 0, 20}, {"STATE", false, 0, 0}, {"FOR", true, 2, 0}};
  if (with_rates) {
    columns.push_back({"MSG/S", true, 3, 0});
    columns.push_back({"IN/S", true, 6, 0});
  }
  columns.push_back({"MESSAGES", true, 4, 0});
  columns.push_back({"BYTES", true, 8, 0});
  columns.push_back({"SENT", true, 9, 0});
  columns.push_back({"RTT", true, 5, 0});
  columns.push_back({"READERS", true, 7, 0});
  columns.push_back({"REMOTE", false, 10, 0});
  columns.push_back({"URL / LAST ERROR", false, 1, 32});
  return columns;
}

}  // namespace

Overview parse_overview(std::string_view body, std::chrono::steady_clock::time_point taken) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(body, error);
  const auto* object = error ? nullptr : value.if_object();
  const auto* list = object == nullptr ? nullptr : array_of(*object, "connections");
  if (list == nullptr) {
    throw std::runtime_error(
        "the daemon's list of connections is not as expected: are wskeep and wskeepd of the same "
        "version?");
  }
  Overview overview{taken, {}};
  for (const boost::json::value& each : *list) {
    if (each.is_object()) overview.connections.push_back(parse_summary(each.get_object()));
  }
  return overview;
}

std::string count_states(const Overview& overview) {
  std::vector<std::pair<std::string, std::size_t>> counts;
  for (const Summary& each : overview.connections) {
    const auto found =
        std::ranges::find(counts, each.state, [](const auto& count) { return count.first; });
    if (found == counts.end()) {
      counts.emplace_back(each.state, 1);
    } else {
      ++found->second;
    }
  }
  if (counts.empty()) return "no connections are configured";
  std::ranges::stable_sort(counts, std::ranges::greater{},
                           [](const auto& count) { return count.second; });
  const std::size_t total = overview.connections.size();
  std::string text = format_count(total) + (total == 1 ? " connection: " : " connections: ");
  for (const auto& [state, count] : counts) {
    if (text.back() != ' ') text += ", ";
    text += format_count(count) + " " + visible(state);
  }
  return text;
}

Table make_table(const Overview& overview, const Overview* before, SystemTime now) {
  Table table(make_columns(before != nullptr));
  for (const Summary& each : overview.connections) {
    std::vector<Cell> row{{visible(each.name), Color::bold},
                          {visible(each.state), state_color(each.state)},
                          {each.since ? format_duration(now - *each.since) : "", Color::none}};
    if (before != nullptr) {
      Rates rates = rates_of(each, before, overview);
      row.push_back({std::move(rates.messages), Color::none});
      row.push_back({std::move(rates.bytes), Color::none});
    }
    row.push_back({format_count(each.messages_in), Color::none});
    row.push_back({format_bytes(static_cast<double>(each.bytes_in)), Color::none});
    row.push_back({format_count(each.messages_out), Color::none});
    row.push_back(
        {each.round_trip_ms ? format_milliseconds(*each.round_trip_ms) : "", Color::none});
    row.push_back({format_count(each.subscribers), Color::none});
    row.push_back({visible(each.remote_address), Color::none});
    const bool fine = each.state == "ready" || each.state == "paused";
    const bool show_error = !fine && !each.last_error.empty();
    row.push_back(
        {visible(show_error ? each.last_error : each.url), show_error ? Color::red : Color::dim});
    table.add(std::move(row));
  }
  return table;
}

}  // namespace wskeep::cli
