#include "daemon/net/dial.hpp"

#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <new>
#include <sstream>
#include <system_error>
#include <utility>

#include "daemon/net/socket.hpp"
#include "daemon/net/tcp_transport.hpp"
#include "daemon/net/tls_transport.hpp"

namespace wskeep::net {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;
using daemon::DialProgress;
using daemon::DialResult;
using daemon::Error;
using daemon::Failure;

namespace {

const Failure stopped{Error::stopped, "stopped"};

/// The errno of a TCP connect that failed, in words.
Failure connect_failure(int number) {
  Error error = error_of_errno(number);
  return {error, "TCP: " + std::generic_category().message(number)};
}

/// Waits until the socket is ready; false when cancelled.
asio::awaitable<bool> ready(stream_descriptor& descriptor, Readiness::Direction direction) {
  const auto type = direction == Readiness::Direction::read ? stream_descriptor::wait_read
                                                            : stream_descriptor::wait_write;
  co_await descriptor.async_wait(type, asio::as_tuple(asio::use_awaitable));
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() == asio::cancellation_type::none;
}

asio::awaitable<Failure> finish_connect(stream_descriptor& descriptor,
                                        const daemon::Endpoint& endpoint) {
  if (::connect(descriptor.native_handle(), endpoint.data(),
                static_cast<socklen_t>(endpoint.size())) == 0)
    co_return Failure{};
  if (errno != EINPROGRESS) co_return connect_failure(errno);
  if (!co_await ready(descriptor, Readiness::Direction::write)) co_return stopped;
  int number = 0;
  socklen_t size = sizeof number;
  ::getsockopt(descriptor.native_handle(), SOL_SOCKET, SO_ERROR, &number, &size);
  co_return number == 0 ? Failure{} : connect_failure(number);
}

asio::awaitable<Failure> shake_hands(TlsTransport& transport) {
  for (;;) {
    const IoResult result = transport.handshake();
    if (result.status == IoResult::Status::done) co_return Failure{};
    if (result.status != IoResult::Status::would_block) co_return transport.failure();
    if (!co_await ready(transport.readiness().waiting(), transport.waits_for())) co_return stopped;
  }
}

asio::awaitable<DialResult> secure(asio::any_io_executor executor, int descriptor,
                                   std::shared_ptr<TlsContext> context,
                                   const daemon::Environment::DialTarget& target) {
  const std::string& name = target.tls->server_name.empty() ? target.host : target.tls->server_name;
  auto transport =
      std::make_unique<TlsTransport>(std::move(executor), descriptor, std::move(context), name,
                                     name + ":" + std::to_string(target.endpoint.port()));
  Failure failure = co_await shake_hands(*transport);
  if (failure.error != Error::none) co_return failure;
  co_return transport;
}

}  // namespace

asio::awaitable<DialResult> dial(asio::any_io_executor executor, TlsContexts& contexts,
                                 HandshakeLimit& handshakes, daemon::Environment::DialTarget target,
                                 DialProgress& progress) {
  progress.stage = DialProgress::Stage::tcp;
  progress.started = daemon::Clock::now();
  const int number = make_socket(target.endpoint.protocol().family());
  if (number < 0) co_return connect_failure(errno);
  stream_descriptor connecting(executor, number);
  Failure failure = co_await finish_connect(connecting, target.endpoint);
  if (failure.error != Error::none) co_return failure;
  progress.connected = daemon::Clock::now();
  progress.stage = DialProgress::Stage::tls;
  if (target.gate != nullptr) co_await target.gate->pass();
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return stopped;
  if (!target.secure) {
    progress.stage = DialProgress::Stage::done;
    co_return make_tcp_transport(executor, connecting.release());
  }
  const std::optional<HandshakeLimit::Place> place = co_await handshakes.enter();
  if (!place) co_return stopped;
  TlsContexts::Result context = contexts.get(*target.tls);
  if (auto* reason = std::get_if<Failure>(&context)) co_return std::move(*reason);
  DialResult result = co_await secure(executor, connecting.release(),
                                      std::get<std::shared_ptr<TlsContext>>(context), target);
  if (std::holds_alternative<std::unique_ptr<Transport>>(result)) {
    progress.secured = daemon::Clock::now();
    progress.stage = DialProgress::Stage::done;
  }
  co_return result;
}

}  // namespace wskeep::net
