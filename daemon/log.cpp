#include "daemon/log.hpp"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "config/quantity.hpp"
#include "daemon/log_limit.hpp"
#include "daemon/log_sink.hpp"

namespace wskeep::daemon {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// At the end, how long nobody may take a line, and how long it may take in all.
constexpr auto end_pause = 1s;
constexpr auto end_time = 2s;

}  // namespace

/// What the log and its thread share. The thread may be stuck in a write for ever: it is left
/// behind then, and touches nothing but this.
struct Log::Work {
  Work(const config::Log& settings_, int descriptor)
      : settings(settings_), limit(settings_.rate), sink(descriptor) {}

  void run();
  void write_one(std::unique_lock<std::mutex>& guard);
  void wait(std::unique_lock<std::mutex>& guard);
  [[nodiscard]] bool sink_takes(const LogEntry& entry, std::unique_lock<std::mutex>& guard);

  // Under the lock, as all that follows.
  void put(LogEntry entry);
  void trim(std::size_t most);
  void lose(std::uint64_t lines) {
    statistics.dropped += lines;
    untold += lines;
  }
  void tell_left_out(Clock::time_point now);

  std::mutex lock;
  std::condition_variable changed;  ///< there is something to do
  std::condition_variable written;  ///< a line was, or the thread has ended
  config::Log settings;
  LogLimit limit;
  std::deque<LogEntry> queue;
  Statistics statistics;
  std::uint64_t untold = 0;  ///< lines that are lost, and nobody was told
  std::uint64_t taken = 0;   ///< lines that the sink has had, or lost
  bool finishing = false;
  bool abandoned = false;
  bool ended = false;  ///< the thread
  LogSink sink;        ///< the thread's alone
};

void Log::Work::run() {
  // Signals are the event loops'; and a pipe that nobody reads any more is an error of the write.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::unique_lock guard(lock);
  while (!abandoned) {
    tell_left_out(finishing ? Clock::time_point::max() : Clock::now());
    if (!queue.empty()) {
      write_one(guard);
    } else if (finishing) {
      break;
    } else {
      wait(guard);
    }
  }
  ended = true;
  written.notify_all();
}

void Log::Work::wait(std::unique_lock<std::mutex>& guard) {
  const auto due = limit.due();
  if (due) {
    changed.wait_until(guard, *due);
  } else {
    changed.wait(guard);
  }
}

/// The lines that are lost were right before the one that is next: there their number stands.
void Log::Work::write_one(std::unique_lock<std::mutex>& guard) {
  const LogEntry entry = std::move(queue.front());
  statistics.queue_bytes -= entry.size();
  queue.pop_front();
  if (const std::uint64_t lines = std::exchange(untold, 0); lines > 0) {
    const LogEntry loss{.time = std::chrono::system_clock::now(),
                        .level = Level::warning,
                        .connection = "",
                        .event = "log_dropped",
                        .fields = {{"lines", std::to_string(lines)}}};
    if (!sink_takes(loss, guard)) untold += lines;
    if (abandoned) return;
  }
  if (!sink_takes(entry, guard)) {
    ++statistics.write_failures;
    lose(1);
  }
}

bool Log::Work::sink_takes(const LogEntry& entry, std::unique_lock<std::mutex>& guard) {
  const config::LogFormat format = settings.format;
  guard.unlock();
  const bool good = sink.write(entry, format);
  guard.lock();
  ++taken;
  written.notify_all();
  return good;
}

void Log::Work::put(LogEntry entry) {
  const std::size_t bytes = entry.size();
  if (bytes > settings.queue) return lose(1);
  trim(settings.queue - bytes);
  statistics.queue_bytes += bytes;
  queue.push_back(std::move(entry));
  changed.notify_one();
}

void Log::Work::trim(std::size_t most) {
  while (statistics.queue_bytes > most) {
    statistics.queue_bytes -= queue.front().size();
    queue.pop_front();
    lose(1);
  }
}

void Log::Work::tell_left_out(Clock::time_point now) {
  for (const LogLimit::LeftOut& left_out : limit.sweep(now)) {
    put({.time = std::chrono::system_clock::now(),
         .level = left_out.level,
         .connection = left_out.connection,
         .event = "log_left_out",
         .fields = {{"kind", std::string(left_out.event)},
                    {"lines", std::to_string(left_out.lines)},
                    {"within", config::format_duration(left_out.within)}}});
  }
}

Log::Log(const config::Log& settings, int descriptor)
    : level_(settings.level), work_(std::make_shared<Work>(settings, descriptor)) {
  // Not joined: it may wait for somebody who never reads, and then it is left behind.
  std::thread([work = work_] { work->run(); }).detach();
}

Log::~Log() {
  std::unique_lock guard(work_->lock);
  work_->finishing = true;
  work_->changed.notify_all();
  const auto deadline = Clock::now() + end_time;
  bool goes_on = true;
  while (!work_->ended && goes_on && Clock::now() < deadline) {
    const auto until = std::min(Clock::now() + end_pause, deadline);
    goes_on = work_->written.wait_until(guard, until, [this, before = work_->taken] {
      return work_->ended || work_->taken != before;
    });
  }
  work_->abandoned = true;
}

bool Log::write(Level level, std::string_view connection, std::string_view event,
                std::initializer_list<Field> fields, std::optional<Level> least) {
  if (!writes(level, least)) return false;
  const auto now = Clock::now();
  const std::lock_guard guard(work_->lock);
  work_->tell_left_out(now);
  const bool waits_to_tell = work_->limit.due().has_value();
  if (!work_->limit.pass(connection, event, level, now)) {
    ++work_->statistics.left_out;
    if (!waits_to_tell) work_->changed.notify_one();
    return false;
  }
  work_->put({.time = std::chrono::system_clock::now(),
              .level = level,
              .connection = std::string(connection),
              .event = event,
              .fields = {fields.begin(), fields.end()}});
  return true;
}

void Log::add(Level level, std::string_view event, std::initializer_list<Field> fields) {
  if (!writes(level)) return;
  const std::lock_guard guard(work_->lock);
  work_->put({.time = std::chrono::system_clock::now(),
              .level = level,
              .connection = "",
              .event = event,
              .fields = {fields.begin(), fields.end()}});
}

void Log::configure(const config::Log& settings) {
  level_ = settings.level;
  const std::lock_guard guard(work_->lock);
  if (work_->settings.rate != settings.rate) {
    work_->tell_left_out(Clock::time_point::max());
    work_->limit.configure(settings.rate);
  }
  work_->settings = settings;
  work_->trim(settings.queue);
}

Log::Statistics Log::statistics() const {
  const std::lock_guard guard(work_->lock);
  Statistics statistics = work_->statistics;
  statistics.queue_limit = work_->settings.queue;
  return statistics;
}

}  // namespace wskeep::daemon
