// The local apps of the benchmark: many subscribers in one process, which count and check.
//
//   bench_sink SOCKET PATH SUBSCRIBERS [SUBPROTOCOL]
//
// Commands come on stdin, one a line; its end ends the program. Events go to stdout, one JSON
// object a line.
//
//   expect COUNT   begins a measurement that is done when every subscriber has seen message COUNT
//   stop           ends it as it stands

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/frames.hpp"
#include "bench/sockets.hpp"
#include "bench/upgrade.hpp"

namespace wskeep::bench {
namespace {

/// "SEQUENCE TIME_NS\n" in front of the payload, with the subprotocol.
constexpr std::size_t longest_prefix = 20 + 1 + 20 + 1;

struct Subscriber {
  Descriptor socket;
  std::string rest;        ///< the begin of a frame that is not all here
  std::uint64_t skip = 0;  ///< bytes of a payload still to come that nobody looks at
  std::uint64_t last = 0;  ///< the number of the last message
  bool closed = false;
  bool done = true;
};

struct Counts {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  std::uint64_t lost = 0;
  std::uint64_t disordered = 0;
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;
  std::vector<std::uint64_t> latencies;
};

class Sink {
 public:
  Sink(const std::string& socket, const std::string& path, std::size_t subscribers,
       const std::string& subprotocol);
  void run();

 private:
  void connect(Subscriber& subscriber, const std::string& socket, const std::string& path,
               const std::string& subprotocol);
  void on_commands();
  void on_command(const std::string& line);
  void on_readable(Subscriber& subscriber);
  std::size_t take_frames(Subscriber& subscriber, const char* bytes, std::size_t size);
  void take_control(Subscriber& subscriber, const FrameHeader& header, const char* payload);
  void take_message(Subscriber& subscriber, const char* payload, std::size_t here);
  void finish_if_done(Subscriber& subscriber);
  void close(Subscriber& subscriber);
  void report();

  Poller poller_;
  std::vector<Subscriber> subscribers_;
  std::vector<char> buffer_ = std::vector<char>(std::size_t{512} << 10U);
  bool prefixed_;  ///< the payload has the subprotocol's line in front
  std::string commands_;
  Counts counts_;
  std::uint64_t expected_ = 0;
  std::uint64_t now_ = 0;  ///< when the bytes at hand were read
  std::size_t unfinished_ = 0;
  std::size_t closed_ = 0;
  unsigned close_code_ = 0;  ///< of the last Close frame; 0: none came
  bool ended_ = false;
};

Sink::Sink(const std::string& socket, const std::string& path, std::size_t subscribers,
           const std::string& subprotocol)
    : subscribers_(subscribers), prefixed_(!subprotocol.empty()) {
  ::fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  poller_.add(STDIN_FILENO, EPOLLIN, nullptr);
  for (Subscriber& subscriber : subscribers_) {
    connect(subscriber, socket, path, subprotocol);
  }
  std::cout << R"({"event":"connected","subscribers":)" << subscribers << "}\n" << std::flush;
}

void Sink::connect(Subscriber& subscriber, const std::string& socket, const std::string& path,
                   const std::string& subprotocol) {
  subscriber.socket = connect_unix(socket);
  set_timeout(subscriber.socket, 10);
  write_all(subscriber.socket, upgrade_request(path, subprotocol));
  std::string& head = subscriber.rest;
  while (!head_size(head)) {
    const ssize_t size = ::recv(subscriber.socket.get(), buffer_.data(), buffer_.size(), 0);
    if (size <= 0) {
      throw std::runtime_error("the relay ended in the upgrade");
    }
    head.append(buffer_.data(), static_cast<std::size_t>(size));
  }
  const std::size_t end = *head_size(head);
  if (!upgrade_accepted(std::string_view(head).substr(0, end), subprotocol)) {
    throw std::runtime_error("the relay refused the upgrade: " + head.substr(0, head.find('\r')));
  }
  head.erase(0, end);
  set_blocking(subscriber.socket, false);
  poller_.add(subscriber.socket.get(), EPOLLIN, &subscriber);
}

void Sink::run() {
  while (!ended_) {
    for (const epoll_event& event : poller_.wait(-1)) {
      if (event.data.ptr == nullptr) {
        on_commands();
      } else {
        on_readable(*static_cast<Subscriber*>(event.data.ptr));
      }
    }
  }
}

void Sink::on_commands() {
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

void Sink::on_command(const std::string& line) {
  std::istringstream words(line);
  std::string name;
  std::uint64_t count = 0;
  words >> name >> count;
  if (name == "stop") {
    report();
  } else if (name == "expect" && count > 0) {
    expected_ = count;
    counts_ = {};
    unfinished_ = 0;
    for (Subscriber& subscriber : subscribers_) {
      subscriber.last = 0;
      subscriber.done = subscriber.closed;
      unfinished_ += subscriber.closed ? 0U : 1U;
    }
    std::cout << R"({"event":"expecting"})" << '\n' << std::flush;
  } else {
    throw std::runtime_error("unknown command: " + line);
  }
}

void Sink::on_readable(Subscriber& subscriber) {
  std::size_t kept = subscriber.rest.size();
  std::memcpy(buffer_.data(), subscriber.rest.data(), kept);
  const ssize_t size =
      ::recv(subscriber.socket.get(), buffer_.data() + kept, buffer_.size() - kept, 0);
  if (size <= 0) {
    if (size == 0 || errno != EAGAIN) {
      close(subscriber);
    }
    return;
  }
  now_ = now_ns();
  const std::size_t available = kept + static_cast<std::size_t>(size);
  const std::size_t taken = take_frames(subscriber, buffer_.data(), available);
  subscriber.rest.assign(buffer_.data() + taken, available - taken);
  finish_if_done(subscriber);
}

/// How many bytes were taken; what is left is the begin of a frame.
std::size_t Sink::take_frames(Subscriber& subscriber, const char* bytes, std::size_t size) {
  std::size_t position = std::min<std::size_t>(size, subscriber.skip);
  subscriber.skip -= position;
  while (!subscriber.closed) {
    const auto* start = reinterpret_cast<const unsigned char*>(bytes) + position;
    const FrameHeader header = parse_frame_header(start, size - position);
    if (!header.complete()) {
      break;
    }
    const std::uint64_t looked_at =
        header.control()
            ? header.payload_size
            : std::min<std::uint64_t>(header.payload_size,
                                      json_front.size() + message_head + longest_prefix);
    if (size - position < header.header_size + looked_at) {
      break;
    }
    const char* payload = bytes + position + header.header_size;
    if (header.control()) {
      take_control(subscriber, header, payload);
    } else {
      counts_.bytes += header.payload_size;
      take_message(subscriber, payload, looked_at);
    }
    const std::size_t here = std::min<std::uint64_t>(size - position, header.frame_size());
    subscriber.skip = header.frame_size() - here;
    position += here;
  }
  return position;
}

void Sink::take_control(Subscriber& subscriber, const FrameHeader& header, const char* payload) {
  const std::string_view text(payload, header.payload_size);
  if (header.opcode == Opcode::ping) {
    const std::string pong = client_frame(Opcode::pong, text);
    ::send(subscriber.socket.get(), pong.data(), pong.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } else if (header.opcode == Opcode::close) {
    const unsigned code = text.size() < 2
                              ? 1005U
                              : static_cast<unsigned>(read_big_endian(
                                    reinterpret_cast<const unsigned char*>(text.data()), 2));
    close_code_ = code;
    close(subscriber);
  }
}

void Sink::take_message(Subscriber& subscriber, const char* payload, std::size_t here) {
  if (prefixed_) {
    if (payload[0] == '{') {
      return;  // an event; lost messages show in the numbers anyway
    }
    const auto* line_end = static_cast<const char*>(std::memchr(payload, '\n', here));
    if (line_end == nullptr) {
      throw std::runtime_error("a message without the subprotocol's line");
    }
    payload = line_end + 1;
  }
  if (*payload == json_front.front()) {
    payload += json_front.size();
  }
  const std::uint64_t number = read_digits(payload, number_digits);
  if (number <= subscriber.last) {
    ++counts_.disordered;
  } else {
    counts_.lost += number - subscriber.last - 1;
    subscriber.last = number;
  }
  ++counts_.messages;
  counts_.first_ns = counts_.first_ns == 0 ? now_ : counts_.first_ns;
  if (payload[number_digits + 1] != no_time) {
    counts_.latencies.push_back(now_ - read_digits(payload + number_digits + 1, time_digits));
  }
}

void Sink::finish_if_done(Subscriber& subscriber) {
  if (!subscriber.done && subscriber.skip == 0 && subscriber.last >= expected_) {
    subscriber.done = true;
    counts_.last_ns = now_;
    if (--unfinished_ == 0) {
      report();
    }
  }
}

void Sink::close(Subscriber& subscriber) {
  poller_.remove(subscriber.socket.get());
  subscriber.closed = true;
  ++closed_;
  if (!subscriber.done) {
    subscriber.done = true;
    counts_.last_ns = now_;
    if (--unfinished_ == 0) {
      report();
    }
  }
}

std::uint64_t percentile(std::vector<std::uint64_t>& values, double part) {
  if (values.empty()) {
    return 0;
  }
  const auto index = static_cast<std::size_t>(part * static_cast<double>(values.size() - 1));
  const auto place = values.begin() + static_cast<std::ptrdiff_t>(index);
  std::nth_element(values.begin(), place, values.end());
  return *place;
}

void Sink::report() {
  for (Subscriber& subscriber : subscribers_) {
    counts_.lost += expected_ - std::min(expected_, subscriber.last);
    subscriber.done = true;
  }
  std::vector<std::uint64_t>& latencies = counts_.latencies;
  std::cout << R"({"event":"done","messages":)" << counts_.messages << R"(,"bytes":)"
            << counts_.bytes << R"(,"lost":)" << counts_.lost << R"(,"disordered":)"
            << counts_.disordered << R"(,"closed":)" << closed_ << R"(,"close_code":)"
            << close_code_ << R"(,"seconds":)"
            << static_cast<double>(counts_.last_ns - counts_.first_ns) / 1e9 << R"(,"p50_ns":)"
            << percentile(latencies, 0.5) << R"(,"p99_ns":)" << percentile(latencies, 0.99) << "}\n"
            << std::flush;
}

}  // namespace
}  // namespace wskeep::bench

int main(int count, char** arguments) {
  try {
    if (count < 4 || count > 5) {
      throw std::runtime_error("usage: bench_sink SOCKET PATH SUBSCRIBERS [SUBPROTOCOL]");
    }
    wskeep::bench::Sink sink(arguments[1], arguments[2], std::stoul(arguments[3]),
                             count == 5 ? arguments[4] : "");
    sink.run();
  } catch (const std::exception& error) {
    std::cerr << "bench_sink: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
