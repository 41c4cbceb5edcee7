#include "cli/overview.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <stdexcept>
#include <utility>

#include "cli/escape.hpp"
#include "cli/json_access.hpp"

namespace wskeep::cli {

namespace {

std::optional<std::chrono::milliseconds> milliseconds_of(const boost::json::object& object,
                                                         std::string_view key) {
  const auto count = count_of(object, key);
  if (!count) return std::nullopt;
  constexpr std::uint64_t longest = 1ULL << 52U;
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(*count, longest)));
}

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
  if (const auto* ring = object_of(fields, "ring")) {
    summary.ring_bytes = number_of(*ring, "bytes");
    summary.ring_span = milliseconds_of(*ring, "span_ms");
  }
  if (const auto* slowest = object_of(fields, "slowest_reader")) {
    summary.lag_messages = count_of(*slowest, "lag_messages");
    summary.lag = milliseconds_of(*slowest, "lag_ms");
  }
  if (const auto* error = object_of(fields, "last_error")) {
    summary.last_error = text_of(*error, "message");
    if (summary.last_error.empty()) summary.last_error = text_of(*error, "error");
  }
  return summary;
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

std::optional<Rates> rates_of(const Summary& now, const Overview* before,
                              const Overview& overview) {
  if (before == nullptr) return std::nullopt;
  const auto earlier = std::ranges::find(before->connections, now.name, &Summary::name);
  const std::chrono::duration<double> elapsed = overview.taken - before->taken;
  // Counters that went back belong to another life of the daemon.
  if (earlier == before->connections.end() || earlier->messages_in > now.messages_in ||
      earlier->bytes_in > now.bytes_in || earlier->messages_out > now.messages_out ||
      earlier->bytes_out > now.bytes_out || elapsed.count() <= 0) {
    return std::nullopt;
  }
  const auto rate = [&](std::uint64_t from, std::uint64_t to) {
    return static_cast<double>(to - from) / elapsed.count();
  };
  return Rates{rate(earlier->messages_in, now.messages_in),
               rate(earlier->messages_out, now.messages_out), rate(earlier->bytes_in, now.bytes_in),
               rate(earlier->bytes_out, now.bytes_out)};
}

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
      const auto rates = rates_of(each, before, overview);
      row.push_back({rates ? format_rate(rates->messages_in) : "", Color::none});
      row.push_back({rates ? format_bytes(rates->bytes_in) + "/s" : "", Color::none});
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
