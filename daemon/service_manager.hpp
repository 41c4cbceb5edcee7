#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace wskeep::daemon {

/// What systemd is told of the service (sd_notify(3)), and what it hands over (sd_listen_fds(3)).
/// Where the process was not started by it, nothing is said to anybody. Used on the first shard
/// only.
class ServiceManager {
 public:
  /// Reads the environment. Before there are other threads.
  ServiceManager();

  /// Whether anybody is told anything.
  [[nodiscard]] bool listens() const noexcept { return listens_; }

  /// Local apps can connect. `status` is the line that `systemctl status` shows.
  void ready(const std::string& status) const;
  void status(const std::string& status) const;
  /// The configuration is read anew, until the next `ready`.
  void reloading(const std::string& status) const;
  void stopping(const std::string& status) const;

  /// Within this it wants to hear `alive`, or it ends the service (WatchdogSec=); nothing: it does
  /// not watch.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const noexcept {
    return watchdog_;
  }
  void alive() const;

  /// The sockets that systemd listens at for us (wskeepd.socket), which are now the caller's to
  /// close. Once. Throws std::runtime_error when one of them is not a listening Unix socket.
  [[nodiscard]] std::vector<int> take_listeners();

 private:
  bool listens_ = false;
  std::optional<std::chrono::microseconds> watchdog_;
  int handed_over_ = 0;  ///< descriptors, from SD_LISTEN_FDS_START on
};

}  // namespace wskeep::daemon
