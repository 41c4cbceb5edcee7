#include "daemon/state_keeper.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "daemon/state_file.hpp"

namespace wskeep::daemon {
namespace {

using namespace std::chrono_literals;
using Level = Log::Level;

/// The least between two writes.
constexpr auto pace = 1s;
/// One warning of a file that cannot be written in that time.
constexpr auto warning_pace = 1h;

}  // namespace

/// What the keeper and its thread share. The thread may be stuck in a write for ever: it is left
/// behind then, and touches nothing but this.
struct StateKeeper::Work {
  Work(std::shared_ptr<upstream::ConnectBudgets> budgets_, Log& log_, const std::string& directory)
      : budgets(std::move(budgets_)), log(log_) {
    file.emplace(directory, "connects.json");
  }

  void load();
  void run();
  void write(std::unique_lock<std::mutex>& guard);

  std::mutex lock;
  std::condition_variable changed;
  std::shared_ptr<upstream::ConnectBudgets> budgets;
  Log& log;                       ///< not once `abandoned`
  std::optional<StateFile> file;  ///< given up at the end: another daemon may use the directory
  std::uint64_t seen = 0;         ///< changes() of what is in the file
  bool finishing = false;
  bool abandoned = false;
  bool ended = false;  ///< the thread
  std::optional<Clock::time_point> warned;
  std::atomic<std::uint64_t> failures{0};
};

void StateKeeper::Work::load() {
  const auto text = file->read();
  if (!text) return;
  const std::string problem = budgets->load(*text, Clock::now(), std::chrono::system_clock::now());
  if (problem.empty()) return;
  log.write(Level::warning, "", "state_unreadable",
            {{"message", file->path() + " is not used, for " + problem +
                             ": connect budgets begin anew; it will be replaced"}});
}

void StateKeeper::Work::run() {
  std::unique_lock guard(lock);
  while (!abandoned) {
    changed.wait(guard, [this] { return finishing || budgets->changes() != seen; });
    const bool last = finishing;
    if (budgets->changes() != seen) write(guard);
    if (last) break;
    changed.wait_for(guard, pace, [this] { return finishing; });
  }
  file.reset();
  ended = true;
  changed.notify_all();
}

void StateKeeper::Work::write(std::unique_lock<std::mutex>& guard) {
  guard.unlock();
  std::string problem;
  const std::uint64_t changes = budgets->changes();
  try {
    file->write(budgets->save(Clock::now(), std::chrono::system_clock::now()));
  } catch (const StateError& error) {
    problem = error.what();
  }
  guard.lock();
  if (problem.empty()) {
    seen = changes;
    return;
  }
  ++failures;
  const auto now = Clock::now();
  if (abandoned || (warned && now - *warned < warning_pace)) return;
  warned = now;
  log.write(Level::warning, "", "state_not_written",
            {{"message", problem + "; until then connect budgets do not outlive the daemon"}});
}

StateKeeper::StateKeeper(const std::string& directory,
                         const std::shared_ptr<upstream::ConnectBudgets>& budgets, Log& log) {
  if (directory.empty()) return;
  try {
    auto work = std::make_shared<Work>(budgets, log, directory);
    work->load();
    work_ = std::move(work);
  } catch (const StateError& error) {
    log.write(
        Level::warning, "", "state_not_kept",
        {{"message", std::string(error.what()) + "; connect budgets will not outlive the daemon"}});
    return;
  }
  budgets->on_change([weak = std::weak_ptr(work_)] {
    const auto work = weak.lock();
    if (!work) return;
    // The lock is held for a moment only, never while the disk is waited for.
    { const std::lock_guard guard(work->lock); }
    work->changed.notify_one();
  });
  // Not joined: it may wait for a disk that never answers, and then it is left behind.
  std::thread([work = work_] { work->run(); }).detach();
}

StateKeeper::~StateKeeper() {
  finish(0ms);
}

void StateKeeper::finish(std::chrono::milliseconds at_most) {
  if (!work_) return;
  std::unique_lock guard(work_->lock);
  work_->finishing = true;
  work_->changed.notify_all();
  work_->changed.wait_for(guard, at_most, [this] { return work_->ended; });
  work_->abandoned = true;
}

std::uint64_t StateKeeper::failures() const noexcept {
  return work_ ? work_->failures.load(std::memory_order_relaxed) : 0;
}

}  // namespace wskeep::daemon
