#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace wskeep::ipc {

/// A listening Unix socket with its file. A lock file beside it (`FILE.lock`) says whether its
/// owner lives, so that a stale file is taken over and a living daemon's never is. Nobody can
/// connect before mode and group are set.
class SocketFile {
 public:
  /// Throws std::runtime_error.
  SocketFile(const std::filesystem::path& file, std::uint32_t mode, const std::string& group);
  SocketFile(const SocketFile&) = delete;
  SocketFile& operator=(const SocketFile&) = delete;
  /// Removes the file if it is still ours.
  ~SocketFile();

  /// Whether a listening socket that somebody else made lies at `file`; with a sentence where not.
  [[nodiscard]] static std::string handed_over_error(int listener,
                                                     const std::filesystem::path& file);

  /// The listening socket; the caller takes it and closes it.
  [[nodiscard]] int take_listener() noexcept;

 private:
  void lock();
  void bind_and_listen(std::uint32_t mode, const std::string& group);

  std::filesystem::path file_;
  int lock_ = -1;
  int listener_ = -1;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace wskeep::ipc
