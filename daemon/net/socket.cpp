#include "daemon/net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <sstream>

namespace wskeep::net {

using daemon::Error;

Error error_of_errno(int number) noexcept {
  switch (number) {
    case 0:
      return Error::none;
    case ECONNREFUSED:
      return Error::connection_refused;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EACCES:
    case EPERM:
    case EINVAL:  // no such scope id
      return Error::host_unreachable;
    case ETIMEDOUT:
      return Error::address_timeout;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
      return Error::out_of_resources;
    default:
      return Error::connection_reset;
  }
}

namespace {

IoResult result_of_errno() noexcept {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
  return {IoResult::Status::failed, 0, error_of_errno(errno)};
}

std::string describe(int descriptor, decltype(&::getsockname) ask) {
  boost::asio::ip::tcp::endpoint endpoint;
  auto size = static_cast<socklen_t>(endpoint.capacity());
  if (ask(descriptor, endpoint.data(), &size) != 0) return {};
  endpoint.resize(size);
  std::ostringstream text;
  text << endpoint;
  return text.str();
}

}  // namespace

IoResult receive_some(int descriptor, std::span<std::byte> buffer) noexcept {
  ssize_t count = 0;
  do {
    count = ::recv(descriptor, buffer.data(), buffer.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count > 0) return {IoResult::Status::done, static_cast<std::size_t>(count), Error::none};
  if (count == 0) return {IoResult::Status::end, 0, Error::none};
  return result_of_errno();
}

IoResult send_some(int descriptor, std::span<const std::byte> data) noexcept {
  ssize_t count = 0;
  do {
    count = ::send(descriptor, data.data(), data.size(), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count > 0) return {IoResult::Status::done, static_cast<std::size_t>(count), Error::none};
  return result_of_errno();
}

void describe_addresses(int descriptor, TransportInformation& information) {
  information.local_address = describe(descriptor, &::getsockname);
  information.remote_address = describe(descriptor, &::getpeername);
}

int make_socket(int family) noexcept {
  const int descriptor = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (descriptor < 0) return -1;
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  return descriptor;
}

}  // namespace wskeep::net
