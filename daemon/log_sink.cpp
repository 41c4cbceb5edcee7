#include "daemon/log_sink.hpp"

#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <system_error>
#include <utility>

// Where in the source a line comes from is nothing to those who read the log.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

namespace wskeep::daemon {
namespace {

using config::LogFormat;

constexpr const char* journal_socket = "/run/systemd/journal/socket";

}  // namespace

// The variable is handed down also to those whose descriptor is another.
bool is_journal(int descriptor) {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(descriptor, &status) != 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

LogSink::LogSink(int descriptor)
    : descriptor_(descriptor), descriptor_is_journal_(is_journal(descriptor)) {}

bool LogSink::write(const LogEntry& entry, LogFormat format) {
  if (format == LogFormat::automatic)
    format = descriptor_is_journal_ ? LogFormat::journald : LogFormat::text;
  if (format == LogFormat::json) return to_descriptor(json_line(entry));
  if (format == LogFormat::journald && to_journal(entry)) return true;
  return to_descriptor(text_line(entry));
}

bool LogSink::to_journal(const LogEntry& entry) {
  const std::vector<std::string> fields = journal_fields(entry);
  std::vector<iovec> parts;
  parts.reserve(fields.size());
  // sd_journal_sendv does not write to them.
  for (const std::string& field : fields)
    parts.push_back({const_cast<char*>(field.data()), field.size()});
  // Where there is no socket at all, sd_journal_sendv says that it was well.
  int error = 0;
  if (::access(journal_socket, W_OK) != 0) {
    error = errno;
  } else {
    error = -::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
  }
  if (error <= 0) {
    unreached_ = false;
    return true;
  }
  if (!std::exchange(unreached_, true)) {
    const std::string reason = std::system_category().message(error);
    static_cast<void>(to_descriptor(
        text_line({.time = entry.time,
                   .level = config::LogLevel::warning,
                   .connection = "",
                   .event = "journal_unreachable",
                   .fields = {{"message", std::string(journal_socket) + ": " + reason +
                                              "; until it can be reached, the log goes to stderr "
                                              "as text"}}})));
  }
  return false;
}

bool LogSink::to_descriptor(std::string line) {
  line.push_back('\n');
  if (torn_) line.insert(line.begin(), '\n');
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) break;
    // Whoever shares the descriptor with us has made it so that writing does not wait.
    pollfd writable{descriptor_, POLLOUT, 0};
    ::poll(&writable, 1, -1);
  }
  if (rest.size() < line.size()) torn_ = !rest.empty();
  return rest.empty();
}

}  // namespace wskeep::daemon
