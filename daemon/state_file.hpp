#pragma once

#include <optional>
#include <stdexcept>
#include <string>

namespace wskeep::daemon {

/// Says in `what()` what cannot be done in which directory, why, and what would help.
class StateError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A file of the daemon's own that outlives it. One daemon alone uses a directory: it is locked as
/// long as this lives. Nothing here is for the data path: a dead disk blocks each call.
class StateFile {
 public:
  /// Makes the directory where only it is missing, and locks it. Throws StateError: it cannot be
  /// used, or another daemon uses it.
  StateFile(const std::string& directory, std::string name);
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;
  ~StateFile();

  /// nullopt: there is none yet. Throws StateError.
  [[nodiscard]] std::optional<std::string> read() const;

  /// Replaces it as a whole: whoever reads it finds the old text or the new one, also after a
  /// crash. Readable by its owner alone. Throws StateError.
  void write(const std::string& text) const;

  /// The same of a further file in the directory.
  [[nodiscard]] std::optional<std::string> read(const std::string& name) const;
  void write(const std::string& name, const std::string& text) const;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  [[noreturn]] void fail(const std::string& what) const;

  std::string directory_;
  std::string name_;
  std::string path_;
  int descriptor_ = -1;  ///< of the directory
};

/// `configured`, or else the first path in $STATE_DIRECTORY (systemd.exec(5)); empty: nowhere.
[[nodiscard]] std::string state_directory(const std::string& configured);

}  // namespace wskeep::daemon
