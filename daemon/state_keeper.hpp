#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "daemon/log.hpp"
#include "daemon/upstream/connect_budgets.hpp"
#include "daemon/upstream/remembered_store.hpp"

namespace wskeep::daemon {

/// Keeps the connect budgets in a file, and in another what scripts remember, so that they outlive
/// the process: reads them, and writes them on a thread of its own, at once when they change and
/// then at most once a second. A disk that hangs holds up nothing else.
class StateKeeper {
 public:
  /// Reads what an earlier daemon left. `directory` empty: nothing is kept. What cannot be done is
  /// logged, with what would help, and nothing is kept then. The log outlives the keeper. Before
  /// there is more than one thread.
  StateKeeper(const std::string& directory,
              const std::shared_ptr<upstream::ConnectBudgets>& budgets, Log& log,
              const std::shared_ptr<upstream::RememberedStore>& remembered = nullptr);
  StateKeeper(const StateKeeper&) = delete;
  StateKeeper& operator=(const StateKeeper&) = delete;
  /// `finish` with no time left, where it was not called.
  ~StateKeeper();

  /// Writes what is still to be written, for at most that long; then nothing more.
  void finish(std::chrono::milliseconds at_most);

  /// How often a file could not be written. Any thread.
  [[nodiscard]] std::uint64_t failures() const noexcept;

 private:
  struct Work;
  std::shared_ptr<Work> work_;
};

}  // namespace wskeep::daemon
