#include "ipc/client/unix_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "ipc/client/connect_error.hpp"
#include "ipc/client/error.hpp"

namespace wskeep::ipc {

namespace {

using std::chrono::steady_clock;

[[noreturn]] void throw_ended(const std::string& path, const std::string& why) {
  throw ClientError(Fault::closed, "the connection to the daemon at " + path + " ended (" + why +
                                       "): did it stop? (systemctl status wskeepd)");
}

sockaddr_un make_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw ClientError(Fault::no_daemon,
                      path.empty() ? "the socket's path is empty: see --socket and WSKEEP_SOCKET"
                                   : "the socket's path " + path + " is longer than " +
                                         std::to_string(sizeof address.sun_path - 1) +
                                         " bytes, which no socket can have");
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

}  // namespace

int poll_timeout(Deadline deadline) noexcept {
  constexpr auto none = std::chrono::milliseconds::zero();
  constexpr auto most = std::chrono::milliseconds(1'000'000'000);
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_clock::now());
  return static_cast<int>(std::clamp(left, none, most).count());
}

UnixSocket::UnixSocket(int descriptor, std::string path) noexcept
    : descriptor_(descriptor), path_(std::move(path)) {}

UnixSocket::UnixSocket(UnixSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}

UnixSocket& UnixSocket::operator=(UnixSocket&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(path_, other.path_);
  return *this;
}

UnixSocket::~UnixSocket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

UnixSocket UnixSocket::connect(const std::string& path, Milliseconds timeout) {
  const sockaddr_un address = make_address(path);
  const Deadline deadline = steady_clock::now() + timeout;
  UnixSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), path);
  if (socket.descriptor_ < 0) throw_connect_error(path, errno);
  // bind, connect and accept take every address family through this one type.
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  while (::connect(socket.descriptor_, generic, sizeof address) != 0) {
    if (errno == EINTR) continue;
    // EAGAIN: the daemon's backlog is full. No descriptor tells when it no longer is.
    if (errno != EAGAIN) throw_connect_error(path, errno);
    if (steady_clock::now() >= deadline) {
      throw ClientError(Fault::timed_out, "the daemon at " + path +
                                              " accepts no new clients: is it hung or overloaded? "
                                              "(journalctl -u wskeepd)");
    }
    std::this_thread::sleep_for(Milliseconds(10));
  }
  return socket;
}

void UnixSocket::wait(short events, Deadline deadline) const {
  pollfd entry{descriptor_, events, 0};
  for (;;) {
    const int count = ::poll(&entry, 1, poll_timeout(deadline));
    if (count > 0) return;
    if (count == 0) {
      throw ClientError(Fault::timed_out,
                        "the daemon at " + path_ +
                            " does not answer: is it hung? (journalctl -u wskeepd; --timeout "
                            "sets how long to wait)");
    }
    if (errno != EINTR) throw_ended(path_, std::strerror(errno));
  }
}

std::size_t UnixSocket::read_now(std::span<std::byte> buffer) {
  for (;;) {
    const ssize_t count = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN) return would_block;
    if (errno != EINTR) throw_ended(path_, std::strerror(errno));
  }
}

std::size_t UnixSocket::write_now(std::span<const std::byte> bytes) {
  for (;;) {
    const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno == EAGAIN) return would_block;
    if (errno != EINTR) throw_ended(path_, std::strerror(errno));
  }
}

std::size_t UnixSocket::read_some(std::span<std::byte> buffer, Deadline deadline) {
  for (;;) {
    const std::size_t count = read_now(buffer);
    if (count != would_block) return count;
    wait(POLLIN, deadline);
  }
}

void UnixSocket::write_all(std::string_view bytes, Deadline deadline) {
  auto left = std::as_bytes(std::span(bytes));
  while (!left.empty()) {
    const std::size_t count = write_now(left);
    if (count == would_block) {
      wait(POLLOUT, deadline);
    } else {
      left = left.subspan(count);
    }
  }
}

}  // namespace wskeep::ipc
