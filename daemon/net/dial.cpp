#include "daemon/net/dial.hpp"

#include <sys/socket.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "config/authority.hpp"
#include "daemon/net/proxy_tunnel.hpp"
#include "daemon/net/readiness.hpp"
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

/// Names the proxy, where there is one, in what failed there (or behind it).
Failure at_proxy(std::string_view preposition, const daemon::Environment::DialTarget& target,
                 Failure failure) {
  if (target.proxy == nullptr || failure.error == Error::stopped) return failure;
  std::string text(preposition);
  text += "proxy " + config::host_and_port(target.proxy->host, target.proxy->port);
  return {failure.error, text + ": " + failure.text};
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

/// What a dial needs, and what it has got so far.
struct Line {
  asio::any_io_executor executor;
  TlsContexts& contexts;
  HandshakeLimit& handshakes;
  stream_descriptor socket;             ///< until TLS or the transport takes it over
  std::unique_ptr<TlsTransport> outer;  ///< TLS to a proxy

  std::unique_ptr<TlsTransport> make_tls(std::shared_ptr<TlsContext> context,
                                         const std::string& name, std::string server) {
    if (outer)
      return std::make_unique<TlsTransport>(std::move(outer), std::move(context), name,
                                            std::move(server));
    return std::make_unique<TlsTransport>(executor, socket.release(), std::move(context), name,
                                          std::move(server));
  }
};

using Secured = std::variant<std::unique_ptr<TlsTransport>, Failure>;

/// TLS over all that is there already, when it is its turn.
asio::awaitable<Secured> secure(Line& line, const config::Tls& settings, const std::string& host,
                                std::uint16_t port) {
  const std::optional<HandshakeLimit::Place> place = co_await line.handshakes.enter();
  if (!place) co_return stopped;
  TlsContexts::Result context = line.contexts.get(settings);
  if (auto* reason = std::get_if<Failure>(&context)) co_return std::move(*reason);
  const std::string& name = settings.server_name.empty() ? host : settings.server_name;
  auto transport = line.make_tls(std::get<std::shared_ptr<TlsContext>>(std::move(context)), name,
                                 name + ":" + std::to_string(port));
  Failure failure = co_await shake_hands(*transport);
  if (failure.error != Error::none) co_return failure;
  co_return transport;
}

asio::awaitable<Failure> get_through(Line& line, const daemon::Environment::DialTarget& target) {
  if (target.proxy->kind == daemon::Proxy::Kind::https) {
    Secured secured =
        co_await secure(line, *target.proxy_tls, target.proxy->host, target.proxy->port);
    if (auto* failure = std::get_if<Failure>(&secured)) co_return std::move(*failure);
    line.outer = std::move(std::get<std::unique_ptr<TlsTransport>>(secured));
  }
  const auto dialogue = make_proxy_dialogue(*target.proxy, target.host, target.port);
  if (line.outer) co_return co_await pass_proxy(*line.outer, *dialogue);
  co_return co_await pass_proxy(line.socket, *dialogue);
}

/// Everything behind TCP and the gate. Failures say where they were, unless that was the server
/// itself, reached directly.
asio::awaitable<DialResult> climb(Line& line, const daemon::Environment::DialTarget& target,
                                  DialProgress& progress) {
  if (target.proxy != nullptr) {
    Failure failure = co_await get_through(line, target);
    if (failure.error != Error::none) co_return at_proxy("", target, std::move(failure));
    progress.proxied = daemon::Clock::now();
    progress.stage = DialProgress::Stage::tls;
  }
  std::unique_ptr<Transport> transport;
  if (target.secure) {
    Secured secured = co_await secure(line, *target.tls, target.host, target.port);
    if (auto* failure = std::get_if<Failure>(&secured))
      co_return at_proxy("behind ", target, std::move(*failure));
    transport = std::move(std::get<std::unique_ptr<TlsTransport>>(secured));
    progress.secured = daemon::Clock::now();
  } else if (line.outer) {
    transport = std::move(line.outer);
  } else {
    transport = make_tcp_transport(line.executor, line.socket.release());
  }
  progress.stage = DialProgress::Stage::done;
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
  Line line{executor, contexts, handshakes, stream_descriptor(executor, number), nullptr};
  Failure failure = co_await finish_connect(line.socket, target.endpoint);
  if (failure.error != Error::none) co_return at_proxy("", target, std::move(failure));
  limit_silence(number, target.user_timeout, target.probe_after);
  progress.connected = daemon::Clock::now();
  progress.stage = target.proxy == nullptr ? DialProgress::Stage::tls : DialProgress::Stage::proxy;
  if (target.gate != nullptr) co_await target.gate->pass();
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return stopped;
  co_return co_await climb(line, target, progress);
}

}  // namespace wskeep::net
