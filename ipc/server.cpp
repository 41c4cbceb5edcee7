#include "ipc/server.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <unordered_set>

#include "config/authority.hpp"
#include "config/listen.hpp"
#include "config/principal.hpp"
#include "ipc/http_session.hpp"
#include "ipc/socket_file.hpp"

namespace wskeep::ipc {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using Condition = SocketFile::Condition;

/// Without descriptors, accepting fails at once and for ever: this long it is let be.
constexpr std::chrono::milliseconds accept_pause{100};
/// Clients that one wake-up takes before others have their turn.
constexpr int accepts_per_turn = 64;
/// How soon it is noticed that a socket's file is gone.
constexpr std::chrono::seconds look_interval{1};
/// Of the TCP listener: monitoring is neither a local app nor without bounds.
constexpr std::size_t most_monitors = 256;
/// A session has one; while it is renewed, or addresses race, there are two.
constexpr std::uint64_t descriptors_per_connection = 2;
/// However little there is, so many local apps may ask what is wrong.
constexpr std::uint64_t least_clients = 16;

std::uint64_t descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return limit.rlim_cur;
}

Accounts::Limits account_limits(const ServingLimits& limits) {
  return {.clients = limits.ipc.clients,
          .clients_per_user = limits.ipc.clients_per_user,
          .subscriptions = limits.ipc.subscriptions,
          .subscriptions_per_user = limits.ipc.subscriptions_per_user,
          // One user has at most half of it, and is to be able to send what the connections allow.
          .in_flight = std::max<std::uint64_t>(limits.ipc.in_flight, 4 * limits.largest_message)};
}

/// Best effort: whoever does not read it sees the end of the connection.
void turn_away(int socket, Refusal refusal) {
  const std::string answer =
      write_answer(error_answer(503, refusal_error(refusal), refusal_text(refusal)), false, false);
  [[maybe_unused]] const auto sent =
      ::send(socket, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  ::close(socket);
}

/// What to do where a port cannot be had.
std::string hint(const boost::system::error_code& error, std::uint16_t port) {
  if (error == asio::error::address_in_use) {
    return ": another program has that port (ss -ltnp 'sport = :" + std::to_string(port) +
           "'): end it, or take another port";
  }
  if (error == asio::error::access_denied)
    return ": ports below 1024 are root's: take a higher one";
  if (error == boost::system::errc::address_not_available)
    return ": no interface of this machine has that address (ip address)";
  return {};
}

}  // namespace

std::string_view condition_name(Condition condition) noexcept {
  switch (condition) {
    case Condition::ours:
      return "ours";
    case Condition::removed:
      return "removed";
    case Condition::replaced:
      break;
  }
  return "replaced";
}

struct Server::State : std::enable_shared_from_this<State> {
  /// What clients come by.
  struct Door {
    Door(const asio::any_io_executor& executor, int listener, HttpSession::Scope allowed)
        : descriptor(executor, listener), pause(executor), scope(allowed) {}
    Descriptor descriptor;
    asio::steady_timer pause;
    HttpSession::Scope scope;
    std::size_t socket = 0;  ///< as Client::socket
    SocketStatus status{};
    std::unique_ptr<SocketFile> file{};  ///< nullptr: it was handed over, or is TCP
    bool unsaid = true;                  ///< nobody was told yet that no other file can be made
  };

  State(asio::any_io_executor where, const config::Ipc& ipc_settings,
        const config::Metrics& metrics_settings, Extent served, Directory& all)
      : executor(std::move(where)),
        ipc(ipc_settings),
        metrics(metrics_settings),
        extent(served),
        directory(all),
        limits(std::make_shared<ServingLimits>(
            ServingLimits{ipc_settings.limits, served.largest_message, ipc_settings.allow_origin})),
        accounts(std::make_shared<Accounts>(account_limits(*limits))),
        look_timer(executor) {}

  /// Those that it does not take before it throws stay open: the process ends then.
  void open_sockets(const std::vector<int>& handed_over);
  void open_metrics();
  void wait(const std::shared_ptr<Door>& door);
  /// True: there may be more to accept.
  bool accept_some(Door& door);
  void accept(const std::shared_ptr<Door>& door);
  void take(int socket, const Door& door);
  [[nodiscard]] std::optional<Refusal> no_descriptor_for(int socket) const;
  void serve(int socket, ClientSlot slot, HttpSession::Scope scope);
  void look_at_files();
  void look_at(const std::shared_ptr<Door>& door);
  void renew(const std::shared_ptr<Door>& door);
  void tell(SocketNotice::What what, const Door& door, const std::string& error = "") const;

  asio::any_io_executor executor;
  config::Ipc ipc;
  config::Metrics metrics;
  Extent extent;
  Directory& directory;
  std::shared_ptr<ServingLimits> limits;  ///< changed in place
  std::shared_ptr<Accounts> accounts;
  asio::steady_timer look_timer;
  std::function<void(const SocketNotice&)> notice;
  std::vector<std::shared_ptr<Door>> doors;
  std::unordered_set<std::shared_ptr<HttpSession>> sessions;
  std::size_t monitors = 0;
  std::string metrics_address;
  bool stopped = false;
};

Server::Server(asio::any_io_executor executor, const config::Ipc& ipc,
               const config::Metrics& metrics, Extent extent, Directory& directory)
    : state_(std::make_shared<State>(std::move(executor), ipc, metrics, extent, directory)) {}

Server::~Server() {
  stop();
}

void Server::listen(const std::vector<int>& handed_over) {
  state_->open_sockets(handed_over);
  if (!state_->metrics.listen.empty()) state_->open_metrics();
  for (const auto& door : state_->doors) state_->wait(door);
  state_->look_at_files();
}

void Server::State::open_sockets(const std::vector<int>& handed_over) {
  std::vector<config::LocalSocket> sockets{{ipc.socket, ipc.mode, ipc.group, {}}};
  sockets.insert(sockets.end(), ipc.sockets.begin(), ipc.sockets.end());
  for (const int listener : handed_over) {
    const auto path = SocketFile::path_of(listener);
    if (path && std::ranges::find(sockets, *path, &config::LocalSocket::path) != sockets.end())
      continue;
    throw std::runtime_error("ipc.socket is " + ipc.socket +
                             ", but the socket that was handed over lies at " +
                             path.value_or("no path at all") +
                             ": make them equal (ListenStream= of wskeepd.socket), or name it "
                             "under ipc.sockets");
  }
  for (std::size_t index = 0; index < sockets.size(); ++index) {
    const config::LocalSocket& settings = sockets[index];
    const auto given = std::ranges::find_if(
        handed_over, [&](int listener) { return SocketFile::path_of(listener) == settings.path; });
    std::unique_ptr<SocketFile> file;
    if (given == handed_over.end())
      file = std::make_unique<SocketFile>(settings, index == 0 ? "ipc.socket" : "ipc.sockets");
    const int listener = file ? file->take_listener() : *given;
    auto door = std::make_shared<Door>(executor, listener, HttpSession::Scope::everything);
    door->socket = index;
    door->status = {.path = settings.path, .handed_over = file == nullptr};
    door->file = std::move(file);
    doors.push_back(std::move(door));
  }
}

void Server::State::open_metrics() {
  const config::Listen listen = config::parse_listen(metrics.listen);
  try {
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address(listen.address), listen.port);
    asio::ip::tcp::acceptor acceptor(executor, endpoint);
    const auto local = acceptor.local_endpoint();
    metrics_address = config::host_and_port(local.address().to_string(), local.port());
    acceptor.non_blocking(true);
    doors.push_back(
        std::make_shared<Door>(executor, acceptor.release(), HttpSession::Scope::monitoring));
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("metrics.listen: cannot listen at " + metrics.listen + ": " +
                             error.code().message() + hint(error.code(), listen.port));
  }
}

void Server::State::wait(const std::shared_ptr<Door>& door) {
  door->descriptor.async_wait(Descriptor::wait_read, [self = shared_from_this(), door](
                                                         const boost::system::error_code& error) {
    if (!error && !self->stopped) self->accept(door);
  });
}

void Server::State::accept(const std::shared_ptr<Door>& door) {
  if (accept_some(*door)) return wait(door);
  door->pause.expires_after(accept_pause);
  door->pause.async_wait([self = shared_from_this(), door](const boost::system::error_code& error) {
    if (!error && !self->stopped) self->wait(door);
  });
}

bool Server::State::accept_some(Door& door) {
  for (int turn = 0; turn < accepts_per_turn; ++turn) {
    const int socket =
        ::accept4(door.descriptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      take(socket, door);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      accounts->note(Refusal::descriptors);
      return false;
    } else if (errno != ECONNABORTED && errno != EINTR) {
      break;
    }
  }
  return true;
}

void Server::State::take(int socket, const Door& door) {
  if (door.scope == HttpSession::Scope::monitoring) {
    if (monitors >= most_monitors) return turn_away(socket, Refusal::clients);
    return serve(socket, {}, door.scope);
  }
  if (const auto refused = no_descriptor_for(socket)) {
    accounts->note(*refused);
    return turn_away(socket, *refused);
  }
  // A Unix socket always has a peer; should the kernel not say who, it is nobody.
  ClientSlot slot(accounts, {peer_of(socket).value_or(Peer{config::nobody}), door.socket});
  if (const auto refused = slot.refusal()) return turn_away(socket, *refused);
  serve(socket, std::move(slot), door.scope);
}

/// The kernel gives out the lowest number that is free: all below it are in use.
std::optional<Refusal> Server::State::no_descriptor_for(int socket) const {
  const std::uint64_t limit = descriptor_limit();
  const std::uint64_t reserved =
      std::min<std::uint64_t>(limits->ipc.reserved_descriptors, limit / 2);
  const std::uint64_t upstreams = descriptors_per_connection * extent.connections;
  const std::uint64_t most =
      limit > reserved + upstreams ? limit - reserved - upstreams : std::uint64_t{0};
  if (static_cast<std::uint64_t>(socket) < limit - reserved &&
      accounts->total().clients < std::max(most, least_clients)) {
    return std::nullopt;
  }
  return Refusal::descriptors;
}

void Server::State::serve(int socket, ClientSlot slot, HttpSession::Scope scope) {
  const bool monitor = scope == HttpSession::Scope::monitoring;
  if (monitor) ++monitors;
  auto session = std::make_shared<HttpSession>(Descriptor(executor, socket), std::move(slot), scope,
                                               limits, directory);
  sessions.insert(session);
  asio::co_spawn(
      executor, [session] { return session->run(); },
      [self = shared_from_this(), session, monitor](const std::exception_ptr&) {
        self->sessions.erase(session);
        if (monitor) --self->monitors;
      });
}

void Server::State::look_at_files() {
  for (const auto& door : doors) {
    if (door->file) look_at(door);
  }
  look_timer.expires_after(look_interval);
  look_timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (self && !error && !self->stopped) self->look_at_files();
  });
}

void Server::State::look_at(const std::shared_ptr<Door>& door) {
  const Condition before = door->status.condition;
  const Condition now = door->file->condition();
  door->status.condition = now;
  if (now == Condition::removed) return renew(door);
  door->unsaid = true;
  if (now == before) return;
  tell(now == Condition::replaced ? SocketNotice::What::replaced : SocketNotice::What::restored,
       *door);
}

void Server::State::renew(const std::shared_ptr<Door>& door) {
  try {
    door->file->renew();
  } catch (const std::runtime_error& error) {
    if (std::exchange(door->unsaid, false))
      tell(SocketNotice::What::not_renewed, *door, error.what());
    return;
  }
  // Those who came by the old one while it was there.
  static_cast<void>(accept_some(*door));
  boost::system::error_code ignored;
  door->descriptor.close(ignored);
  door->pause.cancel();
  door->descriptor.assign(door->file->take_listener());
  door->status.condition = Condition::ours;
  ++door->status.renewed;
  tell(SocketNotice::What::renewed, *door);
  wait(door);
}

void Server::State::tell(SocketNotice::What what, const Door& door,
                         const std::string& error) const {
  if (notice) notice({what, door.status.path, error});
}

void Server::on_notice(std::function<void(const SocketNotice&)> notice) {
  state_->notice = std::move(notice);
}

void Server::on_refusal(Accounts::Told told) {
  state_->accounts->on_refusal(std::move(told));
}

void Server::configure(const config::Ipc& ipc, Extent extent) {
  *state_->limits = {ipc.limits, extent.largest_message, ipc.allow_origin};
  state_->extent = extent;
  state_->accounts->limit(account_limits(*state_->limits));
}

void Server::stop() {
  if (state_->stopped) return;
  state_->stopped = true;
  state_->look_timer.cancel();
  for (const auto& door : state_->doors) {
    door->file.reset();
    boost::system::error_code ignored;
    door->descriptor.close(ignored);
    door->pause.cancel();
  }
  state_->doors.clear();
  for (const auto& session : state_->sessions) session->stop();
}

const Accounts& Server::accounts() const noexcept {
  return *state_->accounts;
}

Server::Descriptors Server::descriptors() const {
  const std::uint64_t limit = descriptor_limit();
  return {limit, std::min(limit, state_->limits->ipc.reserved_descriptors +
                                     descriptors_per_connection * state_->extent.connections)};
}

std::vector<SocketStatus> Server::sockets() const {
  std::vector<SocketStatus> sockets;
  for (const auto& door : state_->doors) {
    if (door->scope == HttpSession::Scope::everything) sockets.push_back(door->status);
  }
  return sockets;
}

std::string Server::metrics_address() const {
  return state_->metrics_address;
}

}  // namespace wskeep::ipc
