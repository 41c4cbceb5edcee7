#include "ipc/server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <unordered_set>

#include "config/listen.hpp"
#include "ipc/http_session.hpp"
#include "ipc/socket_file.hpp"

namespace wskeep::ipc {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

/// Without descriptors, accepting fails at once and for ever: this long it is let be.
constexpr std::chrono::milliseconds accept_pause{100};
/// Clients that one wake-up takes before others have their turn.
constexpr int accepts_per_turn = 64;

constexpr std::string_view too_many =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: "
    "close\r\nContent-Length: 102\r\n\r\n"
    "{\"error\":\"too_many_clients\",\"message\":\"ipc.limits.clients are connected: close some, "
    "or raise it\"}    \n";

}  // namespace

struct Server::State : std::enable_shared_from_this<State> {
  struct Door {
    Door(Descriptor listener, HttpSession::Scope allowed)
        : descriptor(std::move(listener)), pause(descriptor.get_executor()), scope(allowed) {}
    Descriptor descriptor;
    asio::steady_timer pause;
    HttpSession::Scope scope;
  };

  State(asio::any_io_executor where, const config::Ipc& ipc_settings,
        const config::Metrics& metrics_settings, std::size_t largest, Directory& all)
      : executor(std::move(where)),
        ipc(ipc_settings),
        metrics(metrics_settings),
        largest_message(largest),
        directory(all),
        count(std::make_shared<ClientCount>(ipc_settings.limits.clients)) {}

  void open_metrics();
  void wait(const std::shared_ptr<Door>& door);
  void accept(const std::shared_ptr<Door>& door);
  void take(int socket, HttpSession::Scope scope);

  asio::any_io_executor executor;
  config::Ipc ipc;
  config::Metrics metrics;
  std::size_t largest_message;
  Directory& directory;
  std::shared_ptr<ClientCount> count;
  std::optional<SocketFile> file;
  std::vector<std::shared_ptr<Door>> doors;
  std::unordered_set<std::shared_ptr<HttpSession>> sessions;
  std::string metrics_address;
  bool stopped = false;
};

Server::Server(asio::any_io_executor executor, const config::Ipc& ipc,
               const config::Metrics& metrics, std::size_t largest_message, Directory& directory)
    : state_(
          std::make_shared<State>(std::move(executor), ipc, metrics, largest_message, directory)) {}

Server::~Server() {
  stop();
}

void Server::listen(std::optional<int> handed_over) {
  if (handed_over) {
    const std::string error = SocketFile::handed_over_error(*handed_over, state_->ipc.socket);
    if (!error.empty()) {
      ::close(*handed_over);
      throw std::runtime_error(error);
    }
  } else {
    state_->file.emplace(state_->ipc.socket, state_->ipc.mode, state_->ipc.group);
    handed_over = state_->file->take_listener();
  }
  state_->doors.push_back(std::make_shared<State::Door>(Descriptor(state_->executor, *handed_over),
                                                        HttpSession::Scope::everything));
  if (!state_->metrics.listen.empty()) state_->open_metrics();
  for (const auto& door : state_->doors) state_->wait(door);
}

void Server::State::open_metrics() {
  const config::Listen listen = config::parse_listen(metrics.listen);
  try {
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(listen.address), listen.port);
    asio::ip::tcp::acceptor acceptor(executor, endpoint);
    const auto local = acceptor.local_endpoint();
    metrics_address = (local.address().is_v6() ? "[" + local.address().to_string() + "]"
                                               : local.address().to_string()) +
                      ":" + std::to_string(local.port());
    acceptor.non_blocking(true);
    doors.push_back(std::make_shared<Door>(Descriptor(executor, acceptor.release()),
                                           HttpSession::Scope::monitoring));
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("metrics.listen: cannot listen at " + metrics.listen + ": " +
                             error.code().message());
  }
}

void Server::State::wait(const std::shared_ptr<Door>& door) {
  door->descriptor.async_wait(Descriptor::wait_read, [self = shared_from_this(), door](
                                                         const boost::system::error_code& error) {
    if (!error && !self->stopped) self->accept(door);
  });
}

void Server::State::accept(const std::shared_ptr<Door>& door) {
  for (int turn = 0; turn < accepts_per_turn; ++turn) {
    const int socket =
        ::accept4(door->descriptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      take(socket, door->scope);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      door->pause.expires_after(accept_pause);
      door->pause.async_wait(
          [self = shared_from_this(), door](const boost::system::error_code& error) {
            if (!error && !self->stopped) self->wait(door);
          });
      return;
    } else if (errno != ECONNABORTED && errno != EINTR) {
      break;
    }
  }
  wait(door);
}

void Server::State::take(int socket, HttpSession::Scope scope) {
  ClientSlot slot(count);
  if (!slot.within_limit()) {
    // Best effort: whoever does not read it sees the end of the connection.
    [[maybe_unused]] const auto sent =
        ::send(socket, too_many.data(), too_many.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::close(socket);
    return;
  }
  auto session = std::make_shared<HttpSession>(Descriptor(executor, socket), std::move(slot), scope,
                                               ipc.limits, largest_message, directory);
  sessions.insert(session);
  asio::co_spawn(
      executor, [session] { return session->run(); },
      [self = shared_from_this(), session](const std::exception_ptr&) {
        self->sessions.erase(session);
      });
}

void Server::configure(const config::IpcLimits& limits, std::size_t largest_message) {
  state_->ipc.limits = limits;
  state_->largest_message = largest_message;
  state_->count->limit(limits.clients);
}

void Server::stop() {
  if (state_->stopped) return;
  state_->stopped = true;
  for (const auto& door : state_->doors) {
    boost::system::error_code ignored;
    door->descriptor.close(ignored);
    door->pause.cancel();
  }
  state_->doors.clear();
  state_->file.reset();
  for (const auto& session : state_->sessions) session->stop();
}

std::uint32_t Server::clients() const noexcept {
  return state_->count->current();
}

std::string Server::metrics_address() const {
  return state_->metrics_address;
}

}  // namespace wskeep::ipc
