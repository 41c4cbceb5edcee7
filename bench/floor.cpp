// The floor: the least work a relay can do that decrypts one upstream connection and passes its
// messages on to local subscribers. It has no features: no history, no reconnects, no checks, and
// one subscriber that does not read stops all. Every figure of the benchmark is a ratio to it, so
// it must stay hard to beat.
//
//   bench_floor SOCKET PORT AUTHORITIES [CONNECTIONS [READ_AHEAD [BUFFER]]]
//
// Of several CONNECTIONS only the first is passed on; the others show what an idle one costs.

#include <sys/socket.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/frames.hpp"
#include "bench/sockets.hpp"
#include "bench/tls.hpp"
#include "bench/upgrade.hpp"

namespace wskeep::bench {
namespace {

/// READ_AHEAD and BUFFER are what was found to be fastest; the arguments are there to try again.
struct Options {
  std::string socket;
  std::uint16_t port = 0;
  std::string authorities;
  std::size_t connections = 1;
  std::size_t read_ahead = std::size_t{64} << 10U;
  std::size_t buffer = std::size_t{256} << 10U;
};

/// What an event belongs to.
struct Endpoint {
  enum class Kind { listener, upstream, subscriber };
  explicit Endpoint(Kind what) : kind(what) {}
  Kind kind;
  Descriptor socket;
};

struct Upstream : Endpoint {
  Upstream() : Endpoint(Kind::upstream) {}
  TlsSession tls;
};

struct Subscriber : Endpoint {
  explicit Subscriber(Descriptor accepted) : Endpoint(Kind::subscriber) {
    socket = std::move(accepted);
  }
  std::string request;
  bool upgraded = false;
  bool closed = false;
  const char* unsent = nullptr;  ///< the rest of the span under way, when the socket was full
};

class Floor {
 public:
  explicit Floor(const Options& options);
  void run();

 private:
  enum class Filled { all_there_was, whole_buffer, end };

  void open_upstream(const TlsContext& context);
  void on_event(const epoll_event& event);
  void on_upstream(Upstream& upstream);
  void on_subscriber(Subscriber& subscriber, std::uint32_t events);
  void accept_subscribers();
  void upgrade(Subscriber& subscriber);
  void relay();
  Filled fill();
  void pass_on();
  void answer(const FrameHeader& header, const char* payload);
  void send_span(std::size_t end);
  void send_rest(Subscriber& subscriber);
  void close(Subscriber& subscriber);

  Poller poller_;
  Endpoint listener_{Endpoint::Kind::listener};
  std::vector<std::unique_ptr<Upstream>> upstreams_;
  std::list<Subscriber> subscribers_;
  std::vector<char> buffer_;
  std::size_t filled_ = 0;   ///< bytes in the buffer
  std::size_t passed_ = 0;   ///< of them, sent to all or under way
  std::size_t blocked_ = 0;  ///< subscribers with an unsent rest
  bool any_closed_ = false;
  bool upstream_paused_ = false;
  bool ended_ = false;
};

Floor::Floor(const Options& options) : buffer_(options.buffer) {
  const TlsContext busy = client_context(options.authorities, options.read_ahead);
  // Reading ahead costs an idle session 7 KiB.
  const TlsContext idle = client_context(options.authorities, 0);
  for (std::size_t i = 0; i < options.connections; ++i) {
    auto upstream = std::make_unique<Upstream>();
    upstream->socket = connect_tcp(options.port);
    upstreams_.push_back(std::move(upstream));
    open_upstream(i == 0 ? busy : idle);
  }
  listener_.socket = listen_unix(options.socket);
  poller_.add(listener_.socket.get(), EPOLLIN, &listener_);
}

void Floor::open_upstream(const TlsContext& context) {
  Upstream& upstream = *upstreams_.back();
  set_no_delay(upstream.socket);
  upstream.tls = connect_tls(context, upstream.socket);
  const std::string request = upgrade_request("/", "");
  SSL_write(upstream.tls.get(), request.data(), static_cast<int>(request.size()));
  std::string head;
  // Byte by byte, so that frames which came together with the 101 stay where they are.
  while (!head_size(head)) {
    char byte = 0;
    if (SSL_read(upstream.tls.get(), &byte, 1) != 1) {
      throw std::runtime_error("upstream ended in the upgrade");
    }
    head.push_back(byte);
  }
  if (!upgrade_accepted(head, "")) {
    throw std::runtime_error("upstream refused the upgrade");
  }
  set_blocking(upstream.socket, false);
  poller_.add(upstream.socket.get(), EPOLLIN, &upstream);
}

void Floor::run() {
  while (!ended_) {
    for (const epoll_event& event : poller_.wait(-1)) {
      on_event(event);
    }
    if (any_closed_) {
      subscribers_.remove_if([](const Subscriber& subscriber) { return subscriber.closed; });
      any_closed_ = false;
    }
  }
}

void Floor::on_event(const epoll_event& event) {
  auto& endpoint = *static_cast<Endpoint*>(event.data.ptr);
  switch (endpoint.kind) {
    case Endpoint::Kind::listener:
      accept_subscribers();
      break;
    case Endpoint::Kind::upstream:
      on_upstream(static_cast<Upstream&>(endpoint));
      break;
    case Endpoint::Kind::subscriber:
      on_subscriber(static_cast<Subscriber&>(endpoint), event.events);
      break;
  }
}

void Floor::on_upstream(Upstream& upstream) {
  if (&upstream == upstreams_.front().get()) {
    relay();
    return;
  }
  std::array<char, 4096> ignored{};
  const int result = SSL_read(upstream.tls.get(), ignored.data(), int{ignored.size()});
  ended_ = ended_ || (result <= 0 && tls_want(upstream.tls, result) == TlsWant::end);
}

/// Reads and passes on until upstream has nothing more or a subscriber's socket is full.
void Floor::relay() {
  Filled filled = Filled::whole_buffer;
  while (blocked_ == 0 && filled == Filled::whole_buffer) {
    filled = fill();
    ended_ = filled == Filled::end;
    pass_on();
  }
  if ((blocked_ > 0) != upstream_paused_) {
    upstream_paused_ = !upstream_paused_;
    const std::uint32_t events = upstream_paused_ ? 0U : std::uint32_t{EPOLLIN};
    poller_.change(upstreams_.front()->socket.get(), events, upstreams_.front().get());
  }
}

Floor::Filled Floor::fill() {
  constexpr int record_size = 16384;
  SSL* tls = upstreams_.front()->tls.get();
  while (filled_ < buffer_.size()) {
    const int result =
        SSL_read(tls, buffer_.data() + filled_, static_cast<int>(buffer_.size() - filled_));
    if (result <= 0) {
      const bool end = tls_want(upstreams_.front()->tls, result) == TlsWant::end;
      return end ? Filled::end : Filled::all_there_was;
    }
    filled_ += static_cast<std::size_t>(result);
    // A short record is most often the last: the poller knows that for less than another read.
    if (result < record_size && filled_ < buffer_.size() && SSL_has_pending(tls) == 0) {
      return Filled::all_there_was;
    }
  }
  return Filled::whole_buffer;
}

/// Finds the frames that are whole and sends them in one span. Control frames are taken out.
void Floor::pass_on() {
  std::size_t position = passed_;
  while (blocked_ == 0) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(buffer_.data()) + position;
    const FrameHeader header = parse_frame_header(bytes, filled_ - position);
    if (!header.complete() || header.frame_size() > filled_ - position) {
      send_span(position);
      break;
    }
    if (header.control()) {
      send_span(position);
      answer(header, buffer_.data() + position + header.header_size);
      passed_ = position + header.frame_size();
    }
    position += header.frame_size();
  }
  if (blocked_ == 0 && passed_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + passed_, filled_ - passed_);
    filled_ -= passed_;
    passed_ = 0;
    if (filled_ == buffer_.size()) {
      throw std::runtime_error("a frame is larger than the buffer");
    }
  }
}

void Floor::answer(const FrameHeader& header, const char* payload) {
  ended_ = ended_ || header.opcode == Opcode::close;
  if (header.opcode == Opcode::ping) {
    const std::string pong = client_frame(Opcode::pong, {payload, header.payload_size});
    SSL_write(upstreams_.front()->tls.get(), pong.data(), static_cast<int>(pong.size()));
  }
}

void Floor::send_span(std::size_t end) {
  if (end == passed_) {
    return;
  }
  const char* span = buffer_.data() + passed_;
  passed_ = end;
  for (Subscriber& subscriber : subscribers_) {
    if (subscriber.upgraded && !subscriber.closed) {
      subscriber.unsent = span;
      ++blocked_;
      send_rest(subscriber);
      if (subscriber.unsent != nullptr) {
        poller_.change(subscriber.socket.get(), EPOLLIN | EPOLLOUT, &subscriber);
      }
    }
  }
}

void Floor::send_rest(Subscriber& subscriber) {
  const auto size = static_cast<std::size_t>(buffer_.data() + passed_ - subscriber.unsent);
  const ssize_t sent =
      ::send(subscriber.socket.get(), subscriber.unsent, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) {
    close(subscriber);
  } else if (sent > 0) {
    subscriber.unsent += sent;
    if (static_cast<std::size_t>(sent) == size) {
      subscriber.unsent = nullptr;
      --blocked_;
    }
  }
}

void Floor::on_subscriber(Subscriber& subscriber, std::uint32_t events) {
  if (subscriber.closed) {
    return;
  }
  if ((events & EPOLLOUT) != 0 && subscriber.unsent != nullptr) {
    send_rest(subscriber);
    if (subscriber.unsent == nullptr && !subscriber.closed) {
      poller_.change(subscriber.socket.get(), EPOLLIN, &subscriber);
    }
  }
  if ((events & ~std::uint32_t{EPOLLOUT}) != 0 && !subscriber.closed) {
    std::array<char, 4096> input{};
    const ssize_t size = ::recv(subscriber.socket.get(), input.data(), input.size(), 0);
    if (size == 0 || (size < 0 && errno != EAGAIN)) {
      close(subscriber);
    } else if (size > 0 && !subscriber.upgraded) {
      subscriber.request.append(input.data(), static_cast<std::size_t>(size));
      upgrade(subscriber);
    }
  }
  if (blocked_ == 0 && upstream_paused_) {
    pass_on();
    relay();
  }
}

void Floor::accept_subscribers() {
  for (Descriptor accepted = accept_one(listener_.socket); accepted.open();
       accepted = accept_one(listener_.socket)) {
    Subscriber& subscriber = subscribers_.emplace_back(std::move(accepted));
    poller_.add(subscriber.socket.get(), EPOLLIN, &subscriber);
  }
}

void Floor::upgrade(Subscriber& subscriber) {
  if (!head_size(subscriber.request)) {
    return;
  }
  const std::string response = upgrade_response(subscriber.request);
  if (response.empty()) {
    close(subscriber);
    return;
  }
  write_all(subscriber.socket, response);
  subscriber.request = {};
  subscriber.upgraded = true;
}

void Floor::close(Subscriber& subscriber) {
  if (subscriber.unsent != nullptr) {
    subscriber.unsent = nullptr;
    --blocked_;
  }
  poller_.remove(subscriber.socket.get());
  subscriber.closed = true;
  any_closed_ = true;
}

Options parse_options(const std::vector<std::string>& arguments) {
  if (arguments.size() < 3 || arguments.size() > 6) {
    throw std::runtime_error(
        "usage: bench_floor SOCKET PORT AUTHORITIES [CONNECTIONS [READ_AHEAD [BUFFER]]]");
  }
  Options options;
  options.socket = arguments[0];
  options.port = static_cast<std::uint16_t>(std::stoul(arguments[1]));
  options.authorities = arguments[2];
  if (arguments.size() > 3) {
    options.connections = std::stoul(arguments[3]);
  }
  if (arguments.size() > 4) {
    options.read_ahead = std::stoul(arguments[4]);
  }
  if (arguments.size() > 5) {
    options.buffer = std::stoul(arguments[5]);
  }
  return options;
}

}  // namespace
}  // namespace wskeep::bench

int main(int count, char** arguments) {
  try {
    wskeep::bench::Floor floor(wskeep::bench::parse_options({arguments + 1, arguments + count}));
    floor.run();
  } catch (const std::exception& error) {
    std::cerr << "bench_floor: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
