#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "config/config.hpp"

namespace wskeep::ipc {

/// A listening Unix socket with its file. A lock file beside it (`FILE.lock`) says whether its
/// owner lives, so that a stale file is taken over and a living daemon's never is. Nobody can
/// connect before mode and group are set.
class SocketFile {
 public:
  /// Throws std::runtime_error; `key` is where the configuration has it.
  explicit SocketFile(const config::LocalSocket& settings, std::string key = "ipc.socket");
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  /// Removes the file if it is still ours.
  ~SocketFile();

  /// The path at which a listening socket that somebody else made lies; nothing: it is no Unix
  /// socket with a path.
  [[nodiscard]] static std::optional<std::string> path_of(int listener);

  /// The listening socket; the caller takes it and closes it.
  [[nodiscard]] int take_listener() noexcept;

  /// What has become of the file. Somebody else's is never touched.
  enum class Condition : std::uint8_t { ours, removed, replaced };
  [[nodiscard]] Condition condition() const noexcept;

  /// Makes another file and another listening socket, when the file was removed; who has connected
  /// to the old one has. Throws std::runtime_error.
  void renew();

 private:
  void lock();
  void relock();
  void remove_stale() const;
  void bind_and_listen();
  [[noreturn]] void fail(const std::string& what) const;
  [[noreturn]] void refuse(const std::string& what) const;

  config::LocalSocket settings_;
  std::string key_;
  int lock_ = -1;
  int listener_ = -1;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace wskeep::ipc
