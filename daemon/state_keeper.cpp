#include "daemon/state_keeper.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "daemon/state_file.hpp"
#include "daemon/upstream/secrets.hpp"

namespace wskeep::daemon {
namespace {

using namespace std::chrono_literals;
using Level = Log::Level;

/// The least between two writes.
constexpr auto pace = 1s;
/// One warning of a file that cannot be written in that time.
constexpr auto warning_pace = 1h;

/// Something that is kept in a file. Any thread.
struct Kept {
  std::string file;
  std::string what;  ///< in a sentence, as its end: "connect budgets"
  std::function<std::string(const std::string& text)> load;
  std::function<std::string()> save;
  std::function<std::uint64_t()> changes;
  std::uint64_t seen = 0;  ///< changes() of what is in the file
};

Kept kept(const std::shared_ptr<upstream::ConnectBudgets>& budgets) {
  return {
      .file = "connects.json",
      .what = "connect budgets",
      .load =
          [budgets](const std::string& text) {
            return budgets->load(text, Clock::now(), std::chrono::system_clock::now());
          },
      .save = [budgets] { return budgets->save(Clock::now(), std::chrono::system_clock::now()); },
      .changes = [budgets] { return budgets->changes(); }};
}

Kept kept(const std::shared_ptr<upstream::RememberedStore>& remembered) {
  return {.file = "remembered.json",
          .what = "what scripts remember",
          .load = [remembered](const std::string& text) { return remembered->load(text); },
          .save = [remembered] { return remembered->save(); },
          .changes = [remembered] { return remembered->changes(); }};
}

}  // namespace

/// What the keeper and its thread share. The thread may be stuck in a write for ever: it is left
/// behind then, and touches nothing but this.
struct StateKeeper::Work {
  Work(std::vector<Kept> all_, Log& log_, const std::string& directory)
      : all(std::move(all_)), log(log_) {
    file.emplace(directory, all.front().file);
  }

  void load();
  void run();
  void write(Kept& one, std::unique_lock<std::mutex>& guard);
  [[nodiscard]] bool has_news() const;

  std::mutex lock;
  std::condition_variable changed;
  std::vector<Kept> all;
  Log& log;                       ///< not once `abandoned`
  std::optional<StateFile> file;  ///< given up at the end: another daemon may use the directory
  bool finishing = false;
  bool abandoned = false;
  bool ended = false;  ///< the thread
  std::optional<Clock::time_point> warned;
  std::atomic<std::uint64_t> failures{0};
};

void StateKeeper::Work::load() {
  for (const Kept& one : all) {
    auto text = file->read(one.file);
    if (!text) continue;
    const std::string problem = one.load(*text);
    upstream::wipe(*text);
    if (problem.empty()) continue;
    log.write(Level::warning, "", "state_unreadable",
              {{"message", one.file + " in the state directory is not used, for " + problem + ": " +
                               one.what + " begin anew; it will be replaced"}});
  }
}

bool StateKeeper::Work::has_news() const {
  return std::ranges::any_of(all, [](const Kept& one) { return one.changes() != one.seen; });
}

void StateKeeper::Work::run() {
  std::unique_lock guard(lock);
  while (!abandoned) {
    changed.wait(guard, [this] { return finishing || has_news(); });
    const bool last = finishing;
    for (Kept& one : all) {
      if (!abandoned && one.changes() != one.seen) write(one, guard);
    }
    if (last) break;
    changed.wait_for(guard, pace, [this] { return finishing; });
  }
  file.reset();
  ended = true;
  changed.notify_all();
}

void StateKeeper::Work::write(Kept& one, std::unique_lock<std::mutex>& guard) {
  guard.unlock();
  std::string problem;
  const std::uint64_t changes = one.changes();
  try {
    std::string text = one.save();
    file->write(one.file, text);
    upstream::wipe(text);
  } catch (const StateError& error) {
    problem = error.what();
  }
  guard.lock();
  if (problem.empty()) {
    one.seen = changes;
    return;
  }
  ++failures;
  const auto now = Clock::now();
  if (abandoned || (warned && now - *warned < warning_pace)) return;
  warned = now;
  log.write(Level::warning, "", "state_not_written",
            {{"message", problem + "; until then " + one.what + " do not outlive the daemon"}});
}

StateKeeper::StateKeeper(const std::string& directory,
                         const std::shared_ptr<upstream::ConnectBudgets>& budgets, Log& log,
                         const std::shared_ptr<upstream::RememberedStore>& remembered) {
  if (directory.empty()) return;
  std::vector<Kept> all{kept(budgets)};
  if (remembered) all.push_back(kept(remembered));
  try {
    auto work = std::make_shared<Work>(std::move(all), log, directory);
    work->load();
    work_ = std::move(work);
  } catch (const StateError& error) {
    log.write(
        Level::warning, "", "state_not_kept",
        {{"message", std::string(error.what()) + "; connect budgets will not outlive the daemon"}});
    return;
  }
  const auto tell = [weak = std::weak_ptr(work_)] {
    const auto work = weak.lock();
    if (!work) return;
    // The lock is held for a moment only, never while the disk is waited for.
    { const std::lock_guard guard(work->lock); }
    work->changed.notify_one();
  };
  budgets->on_change(tell);
  if (remembered) remembered->on_change(tell);
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
