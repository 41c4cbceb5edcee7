#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace wskeep::ipc {

using Milliseconds = std::chrono::milliseconds;
using Deadline = std::chrono::steady_clock::time_point;

/// What is left until `deadline`, as poll(2) takes it; never less than 0.
[[nodiscard]] int poll_timeout(Deadline deadline) noexcept;

/// A connected, non-blocking stream socket; its calls wait by poll(2). Throws ClientError.
class UnixSocket {
 public:
  /// Waits up to `timeout` for room in the daemon's queue of new clients.
  static UnixSocket connect(const std::string& path, Milliseconds timeout);

  UnixSocket(UnixSocket&& other) noexcept;
  UnixSocket& operator=(UnixSocket&& other) noexcept;
  UnixSocket(const UnixSocket&) = delete;
  UnixSocket& operator=(const UnixSocket&) = delete;
  ~UnixSocket();

  /// Waits for bytes; 0 at the end of the stream.
  std::size_t read_some(std::span<std::byte> buffer, Deadline deadline);
  void write_all(std::string_view bytes, Deadline deadline);

  /// What is there right now: nothing is `would_block`, the end of the stream 0.
  static constexpr std::size_t would_block = static_cast<std::size_t>(-1);
  std::size_t read_now(std::span<std::byte> buffer);
  std::size_t write_now(std::span<const std::byte> bytes);

  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  UnixSocket(int descriptor, std::string path) noexcept;
  void wait(short events, Deadline deadline) const;

  int descriptor_ = -1;
  std::string path_;
};

}  // namespace wskeep::ipc
