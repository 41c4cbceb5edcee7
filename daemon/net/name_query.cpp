#include "daemon/net/name_query.hpp"

#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstring>
#include <map>
#include <utility>

namespace wskeep::net {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;
using daemon::Clock;
using daemon::Error;
using daemon::Failure;
using std::chrono::milliseconds;

namespace {

/// c-ares wants its library initialised once, before any thread uses it.
int library_status() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  return status;
}

std::optional<asio::ip::address> to_address(const sockaddr* socket_address) {
  if (socket_address->sa_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, socket_address, sizeof four);
    return asio::ip::address_v4(ntohl(four.sin_addr.s_addr));
  }
  if (socket_address->sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 six{};
  std::memcpy(&six, socket_address, sizeof six);
  asio::ip::address_v6::bytes_type bytes{};
  std::memcpy(bytes.data(), &six.sin6_addr, bytes.size());
  return asio::ip::address_v6(bytes, six.sin6_scope_id);
}

/// Of the addresses and of the aliases on the way to them; max() where there are none.
std::chrono::seconds least_ttl(const ares_addrinfo& information) {
  auto least = std::chrono::seconds::max();
  for (const ares_addrinfo_node* node = information.nodes; node != nullptr; node = node->ai_next)
    least = std::min(least, std::chrono::seconds(std::max(node->ai_ttl, 0)));
  for (const ares_addrinfo_cname* alias = information.cnames; alias != nullptr; alias = alias->next)
    least = std::min(least, std::chrono::seconds(std::max(alias->ttl, 0)));
  return least;
}

}  // namespace

/// Shared with the pending handlers of the watchers, which find it closed and leave.
struct NameQuery::State : std::enable_shared_from_this<State> {
  /// A socket that belongs to c-ares.
  struct Watcher {
    explicit Watcher(const asio::any_io_executor& executor, int number)
        : descriptor(executor, number) {}
    stream_descriptor descriptor;
    bool read = false;  ///< what c-ares wants to know of
    bool write = false;
    bool reading = false;  ///< a wait is pending
    bool writing = false;
  };

  State(asio::any_io_executor executor_, std::function<void()> on_progress_)
      : executor(std::move(executor_)), on_progress(std::move(on_progress_)) {}

  void open(const std::string& servers, milliseconds timeout);
  void ask(const std::string& host, int family);
  void close();
  void on_socket(int number, bool read, bool write);
  void watch(const std::shared_ptr<Watcher>& watcher);
  void wait(const std::shared_ptr<Watcher>& watcher, bool reading);
  void on_answer(int code, ares_addrinfo* information);

  asio::any_io_executor executor;
  std::function<void()> on_progress;
  ares_channel channel = nullptr;
  std::map<int, std::shared_ptr<Watcher>> watchers;
  std::vector<asio::ip::address> addresses;
  std::optional<daemon::TimePoint> first;
  std::chrono::seconds ttl = std::chrono::seconds::max();
  int pending = 0;  ///< families not yet answered
  int status = ARES_SUCCESS;
};

void NameQuery::State::open(const std::string& servers, milliseconds timeout) {
  ares_options options{};
  // Leaves time for three servers, or for one to be asked again.
  const auto one = std::clamp(timeout / 4, milliseconds(100), milliseconds(2000));
  options.timeout = static_cast<int>(one.count());
  options.tries = 3;
  options.sock_state_cb_data = this;
  options.sock_state_cb = [](void* self, ares_socket_t number, int read, int write) {
    static_cast<State*>(self)->on_socket(number, read != 0, write != 0);
  };
  status = library_status();
  if (status != ARES_SUCCESS) return;
  status = ares_init_options(&channel, &options,
                             ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status == ARES_SUCCESS && !servers.empty())
    status = ares_set_servers_ports_csv(channel, servers.c_str());
}

void NameQuery::State::ask(const std::string& host, int family) {
  ares_addrinfo_hints hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  // Sorting would open a socket for each address; the order is decided elsewhere.
  hints.ai_flags = ARES_AI_NOSORT;
  ++pending;
  ares_getaddrinfo(
      channel, host.c_str(), nullptr, &hints,
      [](void* self, int code, int /*timeouts*/, ares_addrinfo* information) {
        static_cast<State*>(self)->on_answer(code, information);
      },
      this);
}

void NameQuery::State::on_answer(int code, ares_addrinfo* information) {
  --pending;
  if (information != nullptr) {
    ttl = std::min(ttl, least_ttl(*information));
    for (const ares_addrinfo_node* node = information->nodes; node != nullptr; node = node->ai_next)
      if (const auto address = to_address(node->ai_addr)) addresses.push_back(*address);
    ares_freeaddrinfo(information);
  }
  // A family that has no address (NODATA) says less than one whose question failed.
  if (code != ARES_SUCCESS && (status == ARES_SUCCESS || status == ARES_ENODATA)) status = code;
  if (!addresses.empty() && !first) first = Clock::now();
}

void NameQuery::State::on_socket(int number, bool read, bool write) {
  auto& watcher = watchers[number];
  if (!read && !write) {  // c-ares is about to close it
    if (watcher) watcher->descriptor.release();
    watchers.erase(number);
    return;
  }
  if (!watcher) watcher = std::make_shared<Watcher>(executor, number);
  watcher->read = read;
  watcher->write = write;
  watch(watcher);
}

void NameQuery::State::watch(const std::shared_ptr<Watcher>& watcher) {
  if (watcher->read && !std::exchange(watcher->reading, true)) wait(watcher, true);
  if (watcher->write && !std::exchange(watcher->writing, true)) wait(watcher, false);
}

void NameQuery::State::wait(const std::shared_ptr<Watcher>& watcher, bool reading) {
  const auto type = reading ? stream_descriptor::wait_read : stream_descriptor::wait_write;
  watcher->descriptor.async_wait(
      type, [self = shared_from_this(), watcher, reading](boost::system::error_code error) {
        (reading ? watcher->reading : watcher->writing) = false;
        if (error || self->channel == nullptr || !watcher->descriptor.is_open()) return;
        const int number = watcher->descriptor.native_handle();
        ares_process_fd(self->channel, reading ? number : ARES_SOCKET_BAD,
                        reading ? ARES_SOCKET_BAD : number);
        if (watcher->descriptor.is_open()) self->watch(watcher);
        self->on_progress();
      });
}

void NameQuery::State::close() {
  if (channel == nullptr) return;
  ares_destroy(
      channel);  // answers what is pending with ARES_EDESTRUCTION, and releases the sockets
  channel = nullptr;
}

NameQuery::NameQuery(asio::any_io_executor executor, std::function<void()> on_progress)
    : state_(std::make_shared<State>(std::move(executor), std::move(on_progress))) {}

NameQuery::~NameQuery() {
  state_->close();
}

void NameQuery::start(const std::string& host, const std::string& servers, config::Family family,
                      milliseconds timeout) {
  state_->open(servers, timeout);
  if (state_->status != ARES_SUCCESS) return;
  if (family != config::Family::ipv4) state_->ask(host, AF_INET6);
  if (family != config::Family::ipv6) state_->ask(host, AF_INET);
}

daemon::TimePoint NameQuery::next_timeout() const {
  timeval wait{};
  if (state_->channel == nullptr || ares_timeout(state_->channel, nullptr, &wait) == nullptr)
    return daemon::TimePoint::max();
  return Clock::now() + std::chrono::seconds(wait.tv_sec) +
         std::chrono::microseconds(wait.tv_usec) + milliseconds(1);
}

void NameQuery::process_timeouts() {
  if (state_->channel != nullptr)
    ares_process_fd(state_->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

bool NameQuery::finished() const noexcept {
  return state_->pending == 0;
}

std::optional<daemon::TimePoint> NameQuery::first_answer() const noexcept {
  return state_->first;
}

const std::vector<asio::ip::address>& NameQuery::addresses() const noexcept {
  return state_->addresses;
}

std::chrono::seconds NameQuery::ttl() const noexcept {
  const bool whole = state_->pending == 0 &&
                     (state_->status == ARES_SUCCESS || state_->status == ARES_ENODATA) &&
                     state_->ttl != std::chrono::seconds::max();
  return whole ? state_->ttl : std::chrono::seconds{0};
}

Failure NameQuery::failure(const std::string& host) const {
  if (state_->pending > 0)
    return {Error::resolve_timeout, "no name server answered in time for " + host};
  switch (state_->status) {
    case ARES_ENOTFOUND:
      return {Error::resolve_failed, host + " does not exist"};
    case ARES_SUCCESS:
    case ARES_ENODATA:
      return {Error::resolve_failed, host + " has no address"};
    case ARES_ETIMEOUT:
      return {Error::resolve_timeout, "no name server answered in time for " + host};
    case ARES_ENOMEM:
      return {Error::out_of_resources, "no memory to look up " + host};
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:  // what c-ares says when all of them did one of these
      return {Error::resolve_failed, "no name server would answer for " + host +
                                         ": each failed, refused or cannot be reached (see "
                                         "resolv.conf)"};
    default:
      return {Error::resolve_failed,
              "looking up " + host + " failed: " + ares_strerror(state_->status)};
  }
}

}  // namespace wskeep::net
