#include "cli/show_traffic.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <string>

#include "cli/format.hpp"
#include "cli/json_access.hpp"

namespace wskeep::cli {

namespace {

using boost::json::object;

std::string bytes_of(const object& fields, std::string_view key) {
  const auto bytes = number_of(fields, key);
  return bytes ? format_bytes(*bytes) : std::string();
}

/// `1.2 KiB/s in the mean, 0 B/s to 4.5 KiB/s, deviation 300 B/s, over 1 min`
std::string spread_text(const object& rates, const std::string& direction) {
  const object* spread = object_of(rates, direction);
  const auto window = count_of(rates, "window_ms").value_or(0);
  if (spread == nullptr || window == 0) return {};
  return bytes_of(*spread, "mean") + "/s in the mean, " + bytes_of(*spread, "least") + "/s to " +
         bytes_of(*spread, "most") + "/s, deviation " + bytes_of(*spread, "deviation") +
         "/s, over " + format_duration(std::chrono::milliseconds(window));
}

std::string reader_text(const object& reader) {
  std::string text;
  if (const auto pid = count_of(reader, "pid")) text += "pid " + std::to_string(*pid);
  if (const auto uid = count_of(reader, "uid")) text += " (uid " + std::to_string(*uid) + ")";
  if (!text.empty()) text += ": ";
  const std::uint64_t behind = count_of(reader, "lag_messages").value_or(0);
  if (behind == 0) {
    text += "up to date";
  } else {
    const auto lag = count_of(reader, "lag_ms").value_or(0);
    text += format_count(behind) + " messages behind (" +
            format_duration(std::chrono::milliseconds(lag)) + ")";
  }
  text += ", " + bytes_of(reader, "sent_bytes") + " sent";
  if (const auto lost = count_of(reader, "lost_messages").value_or(0); lost > 0)
    text += ", " + format_count(lost) + " messages lost";
  return text;
}

Color reader_color(const object& reader) {
  if (count_of(reader, "lost_messages").value_or(0) > 0) return Color::red;
  return count_of(reader, "lag_messages").value_or(0) > 0 ? Color::yellow : Color::none;
}

}  // namespace

void add_traffic(Facts& facts, const object& connection) {
  facts.group("Traffic");
  const object* rates = object_of(connection, "bandwidth");
  for (const std::string direction : {"in", "out"}) {
    const auto messages = count_of(connection, "messages_" + direction);
    if (!messages) continue;
    std::string text =
        format_count(*messages) + " messages, " + bytes_of(connection, "bytes_" + direction);
    if (rates != nullptr) {
      const auto per_second = number_of(*rates, direction + "_messages_per_second");
      const std::string bytes = bytes_of(*rates, direction + "_bytes_per_second");
      if (per_second) text += "; now " + format_rate(*per_second) + "/s, " + bytes + "/s";
    }
    facts.add(direction, text);
    if (rates != nullptr) facts.add(direction + " varies", spread_text(*rates, direction));
  }
}

void add_readers(Facts& facts, const object& connection) {
  const auto* readers = array_of(connection, "readers");
  if (readers == nullptr) return;
  facts.group("Readers");
  for (const boost::json::value& each : *readers) {
    const object* reader = each.if_object();
    if (reader == nullptr) continue;
    facts.add(text_of(*reader, "kind"), reader_text(*reader), reader_color(*reader));
  }
  const auto all = count_of(connection, "subscribers").value_or(0);
  if (all > readers->size()) facts.add("more", format_count(all - readers->size()));
}

}  // namespace wskeep::cli
