#include "daemon/net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <limits>
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

Error error_of_io(int number) noexcept {
  return number == ETIMEDOUT ? Error::send_timeout : error_of_errno(number);
}

namespace {

IoResult result_of_errno() noexcept {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
  return {IoResult::Status::failed, 0, error_of_io(errno)};
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
  return descriptor;
}

void limit_silence(int descriptor, std::chrono::milliseconds user_timeout,
                   std::chrono::milliseconds probe_after) noexcept {
  const auto set = [descriptor](int level, int name, std::int64_t value) {
    const auto number =
        static_cast<int>(std::min<std::int64_t>(value, std::numeric_limits<int>::max()));
    ::setsockopt(descriptor, level, name, &number, sizeof number);
  };
  if (user_timeout.count() > 0) set(IPPROTO_TCP, TCP_USER_TIMEOUT, user_timeout.count());
  if (probe_after.count() <= 0) return;
  constexpr std::int64_t longest = 32'767;  // seconds; what the kernel takes
  constexpr int probes = 3;
  const std::int64_t idle =
      std::min(std::chrono::ceil<std::chrono::seconds>(probe_after).count(), longest);
  set(IPPROTO_TCP, TCP_KEEPIDLE, idle);
  set(IPPROTO_TCP, TCP_KEEPINTVL, (idle + probes - 1) / probes);
  set(IPPROTO_TCP, TCP_KEEPCNT, probes);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

}  // namespace wskeep::net
