#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "daemon/script/variables.hpp"

namespace wskeep::upstream {

/// What the scripts of all connections remember over a restart of the daemon (`keep: restart`).
/// Connections of several shards share it, behind a lock that each takes once a second at most. Any
/// thread.
class RememberedStore {
 public:
  using Values = script::Variables::Values;

  RememberedStore() = default;
  RememberedStore(const RememberedStore&) = delete;
  RememberedStore& operator=(const RememberedStore&) = delete;
  ~RememberedStore();

  /// What is kept for a connection whose script, and what else its values hang on, have that
  /// fingerprint. Of another one nothing is left.
  [[nodiscard]] Values find(const std::string& connection, std::uint64_t fingerprint);

  /// In the place of all that was kept for it.
  void put(const std::string& connection, std::uint64_t fingerprint, Values values);

  /// There are no other connections any more.
  void retain(const std::set<std::string>& connections);

  /// As a text, and back. What is no such text changes nothing: `load` then returns a sentence.
  [[nodiscard]] std::string save() const;
  [[nodiscard]] std::string load(std::string_view text);

  /// Grows with each change.
  [[nodiscard]] std::uint64_t changes() const;

  /// `told` is called at each change, by whoever made it. Set before there is more than one thread.
  void on_change(std::function<void()> told) { told_ = std::move(told); }

 private:
  struct Entry {
    std::uint64_t fingerprint = 0;
    Values values;
  };
  using Entries = std::map<std::string, Entry>;

  void changed();
  static void wipe_values(Values& values);

  mutable std::mutex lock_;
  Entries entries_;
  std::uint64_t changes_ = 0;
  std::function<void()> told_;
};

}  // namespace wskeep::upstream
