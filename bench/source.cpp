// The server of the benchmark: wss on 127.0.0.1, sends what it is told to every connection.
//
//   bench_source CERTIFICATE KEY
//
// Commands come on stdin, one a line; its end ends the program. Events go to stdout, one JSON
// object a line: the port, the number of open connections at each change, and when all is sent.
//
//   flood COUNT SIZE RATE   messages of SIZE bytes as fast as they are taken, or RATE a second
//   json COUNT SIZE RATE    the same as JSON, such as markets send it; each thousandth is another
//   paced COUNT SIZE RATE   each in its own write and with the time it was sent

#include <fcntl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <list>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/frames.hpp"
#include "bench/sockets.hpp"
#include "bench/tls.hpp"
#include "bench/upgrade.hpp"

namespace wskeep::bench {
namespace {

constexpr std::size_t record_size = 16384;
constexpr std::size_t block_size = 4 * record_size;

/// What is to be sent, the same to every connection.
struct Work {
  std::uint64_t count = 0;
  std::uint64_t rate = 0;  ///< messages a second; 0: no limit
  bool paced = false;
  std::uint64_t begin_ns = 0;
  std::uint64_t due = 0;  ///< how many messages may have been sent by now

  void advance() {
    if (rate == 0) {
      due = count;
      return;
    }
    const std::uint64_t elapsed = now_ns() - begin_ns;
    due = std::min(count, 1 + elapsed / 1000 * rate / 1'000'000);
  }
};

struct Peer {
  explicit Peer(Descriptor connection) : socket(std::move(connection)) {}
  Descriptor socket;
  TlsSession tls;
  std::string request;
  bool accepted = false;
  bool open = false;
  bool closed = false;
  bool full = false;  ///< the socket; waits for the poller
  std::string frame;  ///< the frame of the next message, all but its time; empty: none
  std::string rare;   ///< takes its place each thousandth time; empty: never
  std::uint64_t next = 0;
  std::string block;  ///< frames that are made and not yet written
  std::size_t written = 0;
};

/// What a market sends most of the time.
constexpr std::string_view trade =
    R"("stream":"btcusdt@trade","data":{"e":"trade","E":1672515782136,"s":"BTCUSDT","t":12345,)"
    R"("p":"16849.01000000","q":"0.02153000","T":1672515782134,"m":true,"M":true})";

/// What it says from time to time.
constexpr std::string_view notice =
    R"("op":"ping","event":"checkpoint","id":"c0ffee","type":"notice","method":"heartbeat",)"
    R"("envelope_id":"e1","status":"degraded","channel":"status","code":7,"pong":1672515782134)";

std::string json_payload(std::string_view fields, std::size_t size) {
  std::string payload(json_front);
  payload.append(message_head, ' ');
  payload.append("\",").append(fields);
  constexpr std::string_view filler_front = R"(,"filler":")";
  constexpr std::string_view end = "\"}";
  const std::size_t least = payload.size() + filler_front.size() + end.size();
  if (size < least) {
    throw std::runtime_error("a JSON message has " + std::to_string(least) + " bytes at least");
  }
  return payload.append(filler_front).append(size - least, '-').append(end);
}

/// Adds one to a decimal number in place: cheaper by far than writing it anew.
void count_up(char* digits, std::size_t count) {
  for (std::size_t i = count; i-- > 0;) {
    if (digits[i] != '9') {
      ++digits[i];
      return;
    }
    digits[i] = '0';
  }
}

class Source {
 public:
  Source(const std::string& certificate, const std::string& key);
  void run();

 private:
  void on_event(void* tag);
  void on_commands();
  void on_command(const std::string& line);
  void accept_peers();
  void on_peer(Peer& peer);
  void read(Peer& peer);
  void upgrade(Peer& peer);
  void answer_frames(Peer& peer);
  bool pump(Peer& peer);
  bool more_due(const Peer& peer) const;
  void make_block(Peer& peer);
  void send(Peer& peer, const std::string& bytes);
  void watch(Peer& peer);
  void close(Peer& peer);
  void set_timer();
  void report_open() const;
  void report_sent();

  TlsContext context_;
  Poller poller_;
  Descriptor listener_;
  Descriptor timer_;
  std::list<Peer> peers_;
  std::size_t open_ = 0;
  std::string commands_;
  Work work_;
  std::size_t head_offset_ = 0;  ///< of the payload in a frame
  bool sending_ = false;
  bool ended_ = false;
};

Source::Source(const std::string& certificate, const std::string& key)
    : context_(server_context(certificate, key)),
      listener_(listen_tcp(0)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  ::fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  poller_.add(STDIN_FILENO, EPOLLIN, nullptr);
  poller_.add(listener_.get(), EPOLLIN, &listener_);
  poller_.add(timer_.get(), EPOLLIN, &timer_);
  std::cout << R"({"event":"listening","port":)" << local_port(listener_) << "}\n" << std::flush;
}

void Source::run() {
  bool more = false;
  while (!ended_) {
    for (const epoll_event& event : poller_.wait(more ? 0 : -1)) {
      on_event(event.data.ptr);
    }
    peers_.remove_if([](const Peer& peer) { return peer.closed; });
    more = false;
    if (sending_) {
      work_.advance();
      for (Peer& peer : peers_) {
        more = (peer.open && !peer.closed && pump(peer)) || more;
      }
      report_sent();
    }
  }
}

void Source::on_event(void* tag) {
  if (tag == nullptr) {
    on_commands();
  } else if (tag == &listener_) {
    accept_peers();
  } else if (tag == &timer_) {
    std::uint64_t expirations = 0;
    (void)!::read(timer_.get(), &expirations, sizeof(expirations));
  } else {
    on_peer(*static_cast<Peer*>(tag));
  }
}

void Source::on_commands() {
  std::array<char, 1024> input{};
  const ssize_t size = ::read(STDIN_FILENO, input.data(), input.size());
  ended_ = size == 0 || (size < 0 && errno != EAGAIN);
  commands_.append(input.data(), size > 0 ? static_cast<std::size_t>(size) : 0U);
  for (std::size_t end = commands_.find('\n'); end != std::string::npos;
       end = commands_.find('\n')) {
    on_command(commands_.substr(0, end));
    commands_.erase(0, end + 1);
  }
}

void Source::on_command(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  std::size_t size = 0;
  work_ = {};
  words >> name >> work_.count >> size >> work_.rate;
  if (!words || (name != "flood" && name != "paced" && name != "json") || size < message_head) {
    throw std::runtime_error("unknown command: " + line);
  }
  work_.paced = name == "paced";
  work_.begin_ns = now_ns();
  const bool json = name == "json";
  const auto frame_of = [&](std::string payload) {
    char* const head = payload.data() + (json ? json_front.size() : 0);
    std::fill_n(head, message_head, no_time);
    write_digits(head, number_digits, 1);
    head[number_digits] = ' ';
    head[message_head - 1] = ' ';
    return server_frame(Opcode::text, payload);
  };
  const std::string frame = frame_of(json ? json_payload(trade, size) : std::string(size, no_time));
  const std::string rare = json ? frame_of(json_payload(notice, size)) : std::string();
  head_offset_ = frame.size() - size + (json ? json_front.size() : 0);
  for (Peer& peer : peers_) {
    peer.frame = frame;
    peer.rare = rare;
    peer.next = 0;
  }
  sending_ = true;
  set_timer();
}

/// Paced work wakes for each message, a limited flood each millisecond.
void Source::set_timer() {
  itimerspec interval{};
  if (sending_ && work_.rate > 0) {
    const std::uint64_t wake_rate = work_.paced ? work_.rate : 1000;
    interval.it_interval.tv_nsec = static_cast<long>(1'000'000'000U / wake_rate);
    interval.it_value = interval.it_interval;
  }
  ::timerfd_settime(timer_.get(), 0, &interval, nullptr);
}

void Source::accept_peers() {
  for (Descriptor accepted = accept_one(listener_); accepted.open();
       accepted = accept_one(listener_)) {
    set_no_delay(accepted);
    Peer& peer = peers_.emplace_back(std::move(accepted));
    peer.tls = new_session(context_, peer.socket);
    poller_.add(peer.socket.get(), EPOLLIN, &peer);
  }
}

void Source::on_peer(Peer& peer) {
  if (peer.closed) {
    return;
  }
  if (!peer.accepted) {
    const int result = SSL_accept(peer.tls.get());
    peer.accepted = result == 1;
    if (result != 1 && tls_want(peer.tls, result) == TlsWant::end) {
      close(peer);
    }
    return;
  }
  if (peer.full) {
    peer.full = false;
    watch(peer);
  }
  read(peer);
}

void Source::read(Peer& peer) {
  std::array<char, 4096> input{};
  int result = 0;
  do {
    result = SSL_read(peer.tls.get(), input.data(), int{input.size()});
    peer.request.append(input.data(), result > 0 ? static_cast<std::size_t>(result) : 0U);
  } while (result > 0);
  if (tls_want(peer.tls, result) == TlsWant::end) {
    close(peer);
  } else if (!peer.open) {
    upgrade(peer);
  } else {
    answer_frames(peer);
  }
}

void Source::upgrade(Peer& peer) {
  const auto size = head_size(peer.request);
  if (!size) {
    return;
  }
  const std::string response = upgrade_response(peer.request);
  if (response.empty()) {
    close(peer);
    return;
  }
  peer.request.erase(0, *size);
  send(peer, response);
  peer.open = true;
  ++open_;
  report_open();
}

void Source::answer_frames(Peer& peer) {
  for (;;) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(peer.request.data());
    const FrameHeader header = parse_frame_header(bytes, peer.request.size());
    if (!header.complete() || header.frame_size() > peer.request.size()) {
      return;
    }
    std::string payload = peer.request.substr(header.header_size, header.payload_size);
    for (std::size_t i = 0; header.masked && i < payload.size(); ++i) {
      payload[i] = static_cast<char>(payload[i] ^ peer.request[header.header_size - 4 + i % 4]);
    }
    peer.request.erase(0, header.frame_size());
    if (header.opcode == Opcode::ping) {
      send(peer, server_frame(Opcode::pong, payload));
    } else if (header.opcode == Opcode::close) {
      close(peer);
      return;
    }
  }
}

/// Queues behind the frames that are made already, so that none is cut in two.
void Source::send(Peer& peer, const std::string& bytes) {
  peer.block.append(bytes);
  pump(peer);
}

/// Whether there is more to send right now. Returns after a few blocks, for others wait too.
bool Source::pump(Peer& peer) {
  for (int blocks = 0; blocks < 4 && !peer.full && !peer.closed; ++blocks) {
    make_block(peer);
    if (peer.block.empty()) {
      return false;
    }
    while (peer.written < peer.block.size()) {
      const std::size_t size = std::min(record_size, peer.block.size() - peer.written);
      if (size < record_size && !work_.paced && more_due(peer)) {
        break;  // the next block fills the record up
      }
      const int result =
          SSL_write(peer.tls.get(), peer.block.data() + peer.written, static_cast<int>(size));
      if (result <= 0) {
        peer.full = tls_want(peer.tls, result) == TlsWant::write;
        peer.full ? watch(peer) : close(peer);
        return false;
      }
      peer.written += static_cast<std::size_t>(result);
    }
    peer.block.erase(0, peer.written);
    peer.written = 0;
  }
  return !peer.full && !peer.closed;
}

bool Source::more_due(const Peer& peer) const {
  return sending_ && !peer.frame.empty() && peer.next < work_.due;
}

void Source::make_block(Peer& peer) {
  if (peer.written > 0) {
    return;
  }
  char* head = peer.frame.data() + head_offset_;
  while (more_due(peer) && peer.block.size() < block_size) {
    if (work_.paced) {
      if (!peer.block.empty()) {
        return;
      }
      write_digits(head + number_digits + 1, time_digits, now_ns());
    }
    if (!peer.rare.empty() && peer.next % 1000 == 999) {
      std::copy_n(head, number_digits, peer.rare.data() + head_offset_);
      peer.block.append(peer.rare);
    } else {
      peer.block.append(peer.frame);
    }
    count_up(head, number_digits);
    ++peer.next;
  }
}

void Source::watch(Peer& peer) {
  const std::uint32_t events = peer.full ? EPOLLIN | EPOLLOUT : std::uint32_t{EPOLLIN};
  poller_.change(peer.socket.get(), events, &peer);
}

void Source::close(Peer& peer) {
  poller_.remove(peer.socket.get());
  peer.closed = true;
  if (peer.open) {
    --open_;
    report_open();
  }
}

void Source::report_open() const {
  std::cout << R"({"event":"open","open":)" << open_ << "}\n" << std::flush;
}

void Source::report_sent() {
  for (const Peer& peer : peers_) {
    if (peer.open && !peer.closed && (peer.next < work_.count || !peer.block.empty())) {
      return;
    }
  }
  sending_ = false;
  set_timer();
  std::cout << R"({"event":"sent","seconds":)"
            << static_cast<double>(now_ns() - work_.begin_ns) / 1e9 << "}\n"
            << std::flush;
}

}  // namespace
}  // namespace wskeep::bench

int main(int count, char** arguments) {
  try {
    if (count != 3) {
      throw std::runtime_error("usage: bench_source CERTIFICATE KEY");
    }
    wskeep::bench::Source source(arguments[1], arguments[2]);
    source.run();
  } catch (const std::exception& error) {
    std::cerr << "bench_source: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
