#include "daemon/out_of_memory.hpp"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <new>

namespace wskeep::daemon {
namespace {

thread_local int may_be_refused = 0;
std::atomic<config::LogFormat> format{config::LogFormat::text};
std::atomic<bool> ending{false};

/// Of lines that wait in the log, for its thread; it needs no memory of ours any more.
constexpr timespec for_the_log{0, 100'000'000};

constexpr const char* message =
    "there is no memory left: give the process more (MemoryMax, ulimit -v), or it less to keep "
    "(history, ipc.limits.in_flight)";

/// Nothing here may allocate, and so it is not the log that writes it.
void write_line() noexcept {
  using namespace std::chrono;
  const auto now = floor<milliseconds>(system_clock::now());
  const auto today = floor<days>(now);
  const year_month_day date(today);
  const hh_mm_ss time(now - today);
  char line[512];
  const char* const pattern =
      format == config::LogFormat::json
          ? "{\"time\":\"%04d-%02u-%02uT%02d:%02d:%02d.%03dZ\",\"level\":\"error\",\"event\":"
            "\"out_of_memory\",\"message\":\"%s\"}\n"
          : "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ error   - out_of_memory message=\"%s\"\n";
  const int size = std::snprintf(
      line, sizeof line, pattern, static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
      static_cast<int>(time.seconds().count()), static_cast<int>(time.subseconds().count()),
      message);
  // A pipe that nobody reads must not hold the end up, nor must a disk that hangs.
  ::alarm(2);
  pollfd room{STDERR_FILENO, POLLOUT, 0};
  if (::poll(&room, 1, 0) != 1 || ::write(STDERR_FILENO, line, static_cast<std::size_t>(size)) < 0)
    return;  // who cannot be told now is not told
}

void on_failure() {
  if (may_be_refused > 0) throw std::bad_alloc();
  // Others who lack memory meanwhile wait for the end.
  while (ending.exchange(true)) ::pause();
  write_line();
  ::nanosleep(&for_the_log, nullptr);
  std::_Exit(exit_out_of_memory);
}

}  // namespace

void end_when_memory_is_out(const config::Log& settings) noexcept {
  format = settings.format;
  std::set_new_handler(on_failure);
}

MemoryMayBeRefused::MemoryMayBeRefused() noexcept {
  ++may_be_refused;
}

MemoryMayBeRefused::~MemoryMayBeRefused() {
  --may_be_refused;
}

}  // namespace wskeep::daemon
