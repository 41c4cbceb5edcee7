#pragma once

namespace wskeep::ipc {

/// Who is told of what becomes of all connections. On the server's executor.
class DirectoryWatcher {
 public:
  virtual ~DirectoryWatcher() = default;

  /// Connections were added or removed, or have other rights.
  virtual void directory_changed() = 0;

  /// The daemon is about to end.
  virtual void daemon_stops() = 0;
};

}  // namespace wskeep::ipc
