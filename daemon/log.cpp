#include "daemon/log.hpp"

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <chrono>

#include "ipc/event.hpp"

namespace wskeep::daemon {
namespace {

constexpr std::size_t queued_lines = 8192;

std::string_view level_name(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::trace:
      return "trace";
    case config::LogLevel::debug:
      return "debug";
    case config::LogLevel::info:
      return "info";
    case config::LogLevel::warning:
      return "warning";
    case config::LogLevel::error:
      return "error";
  }
  return "info";
}

spdlog::level::level_enum spdlog_level(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::trace:
      return spdlog::level::trace;
    case config::LogLevel::debug:
      return spdlog::level::debug;
    case config::LogLevel::info:
      return spdlog::level::info;
    case config::LogLevel::warning:
      return spdlog::level::warn;
    case config::LogLevel::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

/// Quoted where it would not be one word, so that a line can be taken apart again.
std::string quote(const std::string& value) {
  const auto plain = [](char letter) {
    return letter > ' ' && letter < 0x7F && letter != '"' && letter != '=' && letter != '\\';
  };
  if (!value.empty() && std::all_of(value.begin(), value.end(), plain)) return value;
  return boost::json::serialize(boost::json::string_view(value));
}

std::string text_line(config::LogLevel level, std::string_view connection, std::string_view event,
                      std::initializer_list<Log::Field> fields) {
  std::string line = ipc::time_text(std::chrono::system_clock::now());
  std::string level_word(level_name(level));
  level_word.resize(7, ' ');
  line.append(" ").append(level_word).append(" ");
  line.append(connection.empty() ? "-" : connection).append(" ").append(event);
  for (const auto& [key, value] : fields)
    line.append(" ").append(key).append("=").append(quote(value));
  return line;
}

std::string json_line(config::LogLevel level, std::string_view connection, std::string_view event,
                      std::initializer_list<Log::Field> fields) {
  boost::json::object object{{"time", ipc::time_text(std::chrono::system_clock::now())},
                             {"level", level_name(level)},
                             {"event", event}};
  if (!connection.empty()) object["connection"] = connection;
  for (const auto& [key, value] : fields) object[key] = value;
  return boost::json::serialize(object);
}

}  // namespace

Log::Log(const config::Log& settings) : settings_(settings) {
  pool_ = std::make_shared<spdlog::details::thread_pool>(queued_lines, 1);
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  logger_ = std::make_shared<spdlog::async_logger>("wskeepd", std::move(sink), pool_,
                                                   spdlog::async_overflow_policy::overrun_oldest);
  logger_->set_pattern("%v");
  logger_->set_level(spdlog_level(settings.level));
}

Log::~Log() {
  // Joins its thread, which may hold the logger until then.
  pool_.reset();
}

void Log::level(Level least) {
  logger_->set_level(spdlog_level(least));
}

std::uint64_t Log::dropped() const {
  return pool_->overrun_counter();
}

void Log::write(Level level, std::string_view connection, std::string_view event,
                std::initializer_list<Field> fields) {
  const auto as_spdlog = spdlog_level(level);
  if (!logger_->should_log(as_spdlog)) return;
  logger_->log(as_spdlog, settings_.format == config::LogFormat::json
                              ? json_line(level, connection, event, fields)
                              : text_line(level, connection, event, fields));
}

}  // namespace wskeep::daemon
