#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace wskeep::bench {

/// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] bool open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// Level triggered. Each descriptor carries a pointer (null is free to mean something).
class Poller {
 public:
  Poller();
  void add(int descriptor, std::uint32_t events, void* tag);
  void change(int descriptor, std::uint32_t events, void* tag);
  void remove(int descriptor);
  /// Empty after a signal or the time-out (-1: none).
  std::span<const epoll_event> wait(int timeout_ms);

 private:
  Descriptor epoll_;
  std::array<epoll_event, 256> events_{};
};

// What follows throws std::system_error (or std::runtime_error): a benchmark that cannot set up
// ends.

/// On 127.0.0.1; port 0 takes a free one. Does not block.
Descriptor listen_tcp(std::uint16_t port);
std::uint16_t local_port(const Descriptor& socket);
/// On 127.0.0.1. Blocks.
Descriptor connect_tcp(std::uint16_t port);
/// Does not block.
Descriptor listen_unix(const std::string& path);
/// Blocks.
Descriptor connect_unix(const std::string& path);
/// Not open when nobody waits. The result does not block.
Descriptor accept_one(const Descriptor& listener);
void set_blocking(const Descriptor& socket, bool blocking);
/// Blocking reads and writes fail after this.
void set_timeout(const Descriptor& socket, int seconds);
void set_no_delay(const Descriptor& socket);
/// Writes all, on a socket that blocks.
void write_all(const Descriptor& socket, const std::string& bytes);

}  // namespace wskeep::bench
