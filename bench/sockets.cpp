#include "bench/sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace wskeep::bench {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void check(int result, const char* what) {
  if (result < 0) {
    fail(what);
  }
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    throw std::runtime_error("the socket's path is too long: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

template <class Address>
const sockaddr* generic(const Address& address) {
  return std::bit_cast<const sockaddr*>(&address);
}

Descriptor new_socket(int family, int flags) {
  Descriptor result(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  check(result.get(), "socket");
  return result;
}

constexpr int backlog = 4096;

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (open()) {
    ::close(number_);
  }
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  check(epoll_.get(), "epoll_create1");
}

void Poller::add(int descriptor, std::uint32_t events, void* tag) {
  epoll_event event{events, {tag}};
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

void Poller::change(int descriptor, std::uint32_t events, void* tag) {
  epoll_event event{events, {tag}};
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, descriptor, &event), "epoll_ctl");
}

void Poller::remove(int descriptor) {
  check(::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, descriptor, nullptr), "epoll_ctl");
}

std::span<const epoll_event> Poller::wait(int timeout_ms) {
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), timeout_ms);
  if (count < 0 && errno != EINTR) {
    fail("epoll_wait");
  }
  return {events_.data(), count < 0 ? 0U : static_cast<std::size_t>(count)};
}

Descriptor listen_tcp(std::uint16_t port) {
  Descriptor listener = new_socket(AF_INET, SOCK_NONBLOCK);
  const int on = 1;
  check(::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), "setsockopt");
  const sockaddr_in address = loopback(port);
  check(::bind(listener.get(), generic(address), sizeof(address)), "bind");
  check(::listen(listener.get(), backlog), "listen");
  return listener;
}

std::uint16_t local_port(const Descriptor& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  check(::getsockname(socket.get(), std::bit_cast<sockaddr*>(&address), &size), "getsockname");
  return ntohs(address.sin_port);
}

Descriptor connect_tcp(std::uint16_t port) {
  Descriptor socket = new_socket(AF_INET, 0);
  const sockaddr_in address = loopback(port);
  check(::connect(socket.get(), generic(address), sizeof(address)), "connect");
  return socket;
}

Descriptor listen_unix(const std::string& path) {
  ::unlink(path.c_str());
  Descriptor listener = new_socket(AF_UNIX, SOCK_NONBLOCK);
  const sockaddr_un address = unix_address(path);
  check(::bind(listener.get(), generic(address), sizeof(address)), "bind");
  check(::listen(listener.get(), backlog), "listen");
  return listener;
}

Descriptor connect_unix(const std::string& path) {
  Descriptor socket = new_socket(AF_UNIX, 0);
  const sockaddr_un address = unix_address(path);
  check(::connect(socket.get(), generic(address), sizeof(address)), "connect");
  return socket;
}

Descriptor accept_one(const Descriptor& listener) {
  const int accepted = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
    fail("accept4");
  }
  return Descriptor(accepted);
}

void set_blocking(const Descriptor& socket, bool blocking) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  check(flags, "fcntl");
  check(::fcntl(socket.get(), F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK),
        "fcntl");
}

void set_timeout(const Descriptor& socket, int seconds) {
  const timeval time{seconds, 0};
  check(::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)), "setsockopt");
  check(::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)), "setsockopt");
}

void set_no_delay(const Descriptor& socket) {
  const int on = 1;
  check(::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), "setsockopt");
}

void write_all(const Descriptor& socket, const std::string& bytes) {
  std::string_view rest = bytes;
  while (!rest.empty()) {
    const ssize_t sent = ::send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      fail("send");
    }
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace wskeep::bench
