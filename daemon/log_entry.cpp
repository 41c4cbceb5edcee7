#include "daemon/log_entry.hpp"

#include <syslog.h>

#include <algorithm>
#include <boost/json.hpp>

#include "ipc/event.hpp"

namespace wskeep::daemon {
namespace {

namespace json = boost::json;
using config::LogLevel;

/// Quoted where it would not be one word, so that a line can be taken apart again.
std::string quote(const std::string& value) {
  const auto plain = [](char letter) {
    return letter > ' ' && letter < 0x7F && letter != '"' && letter != '=' && letter != '\\';
  };
  if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) return value;
  return json::serialize(json::string_view(value));
}

/// What a line says behind time and level.
void append_message(const LogEntry& entry, std::string& text) {
  text.append(entry.connection.empty() ? "-" : entry.connection).append(" ").append(entry.event);
  for (const auto& [key, value] : entry.fields)
    text.append(" ").append(key).append("=").append(quote(value));
}

int syslog_priority(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::trace:
    case LogLevel::debug:
      return LOG_DEBUG;
    case LogLevel::info:
      return LOG_INFO;
    case LogLevel::warning:
      return LOG_WARNING;
    case LogLevel::error:
      return LOG_ERR;
  }
  return LOG_INFO;
}

/// As systemd.journal-fields(7) wants the names of fields.
std::string field_name(std::string_view key) {
  std::string name = "WSKEEP_";
  for (const char letter : key) {
    const bool small = letter >= 'a' && letter <= 'z';
    const bool digit = letter >= '0' && letter <= '9';
    if (small) {
      name.push_back(static_cast<char>(letter - 'a' + 'A'));
    } else {
      name.push_back(digit ? letter : '_');
    }
  }
  return name;
}

}  // namespace

std::size_t LogEntry::size() const noexcept {
  std::size_t bytes = sizeof(LogEntry) + connection.size() + fields.size() * sizeof(LogField);
  for (const auto& [key, value] : fields) bytes += value.size();
  return bytes;
}

std::string_view level_name(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::trace:
      return "trace";
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "info";
}

std::string text_line(const LogEntry& entry) {
  std::string line = ipc::time_text(entry.time);
  std::string level(level_name(entry.level));
  level.resize(7, ' ');
  line.append(" ").append(level).append(" ");
  append_message(entry, line);
  return line;
}

std::string json_line(const LogEntry& entry) {
  json::object object{{"time", ipc::time_text(entry.time)},
                      {"level", level_name(entry.level)},
                      {"event", entry.event}};
  if (!entry.connection.empty()) object["connection"] = entry.connection;
  for (const auto& [key, value] : entry.fields) object[key] = value;
  return json::serialize(object);
}

std::vector<std::string> journal_fields(const LogEntry& entry) {
  std::string message = "MESSAGE=";
  append_message(entry, message);
  std::vector<std::string> fields{
      std::move(message), "PRIORITY=" + std::to_string(syslog_priority(entry.level)),
      "SYSLOG_IDENTIFIER=wskeepd", "WSKEEP_EVENT=" + std::string(entry.event)};
  if (!entry.connection.empty()) fields.push_back("WSKEEP_CONNECTION=" + entry.connection);
  for (const auto& [key, value] : entry.fields) fields.push_back(field_name(key) + "=" + value);
  return fields;
}

}  // namespace wskeep::daemon
