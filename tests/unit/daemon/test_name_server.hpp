#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace wskeep::simulated {

/// A name server on a loopback port, UDP and TCP, in threads of its own.
class TestNameServer {
 public:
  struct Answer {
    int code = 0;  ///< RCODE
    bool silent = false;
    std::vector<std::string> addresses;  ///< of the family that was asked for
    std::uint8_t ttl = 60;               ///< seconds
  };
  /// `six`: AAAA was asked for, else A.
  using Script = std::function<Answer(const std::string& name, bool six)>;

  explicit TestNameServer(Script script) : script_(std::move(script)) {
    // The port that is free for one protocol may be taken for the other.
    for (int tries = 0; !bind_both(); ++tries)
      if (tries == 100) throw std::runtime_error("no port is free");
    const timeval tick{0, 20'000};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick);
    ::setsockopt(listener_, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick);
    thread_ = std::thread([this] { run(); });
    stream_thread_ = std::thread([this] { run_stream(); });
  }
  ~TestNameServer() {
    stop_ = true;
    thread_.join();
    stream_thread_.join();
    ::close(socket_);
    ::close(listener_);
  }
  TestNameServer(const TestNameServer&) = delete;
  TestNameServer& operator=(const TestNameServer&) = delete;

  [[nodiscard]] std::string servers() const { return "127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] int questions() const noexcept { return questions_; }
  [[nodiscard]] int stream_questions() const noexcept { return stream_questions_; }

 private:
  bool bind_both() {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, generic, size) == 0 && ::listen(listener_, 4) == 0 &&
        ::getsockname(listener_, generic, &size) == 0 && ::bind(socket_, generic, size) == 0) {
      port_ = ntohs(address.sin_port);
      return true;
    }
    ::close(listener_);
    ::close(socket_);
    return false;
  }

  void run() {
    std::array<char, 1500> buffer{};
    while (!stop_) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t count = ::recvfrom(socket_, buffer.data(), buffer.size(), 0,
                                       reinterpret_cast<sockaddr*>(&from), &size);
      if (count < 17) continue;
      ++questions_;
      const std::string reply = answer(std::string(buffer.data(), static_cast<std::size_t>(count)));
      if (!reply.empty())
        ::sendto(socket_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  /// The same over TCP, one question for each connection.
  void run_stream() {
    while (!stop_) {
      const int accepted = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) continue;
      std::array<unsigned char, 2> size{};
      ::recv(accepted, size.data(), 2, MSG_WAITALL);
      std::string question(size[0] * 256U + size[1], '\0');
      ::recv(accepted, question.data(), question.size(), MSG_WAITALL);
      ++stream_questions_;
      const std::string body = answer(question);
      const std::string reply{static_cast<char>(body.size() / 256),
                              static_cast<char>(body.size() % 256)};
      ::send(accepted, reply.data(), reply.size(), MSG_NOSIGNAL);
      ::send(accepted, body.data(), body.size(), MSG_NOSIGNAL);
      ::close(accepted);
    }
  }

  std::string answer(const std::string& question) const {
    std::string name;
    std::size_t at = 12;
    while (question.at(at) != 0) {
      const auto length = static_cast<std::size_t>(question[at]);
      name += (name.empty() ? "" : ".") + question.substr(at + 1, length);
      at += 1 + length;
    }
    const bool six = question.at(at + 2) == 28;
    const Answer said = script_(name, six);
    if (said.silent) return {};
    std::string reply = question.substr(0, 2);
    reply += "\x81";  // an answer; recursion was desired
    reply += static_cast<char>(0x80 | said.code);
    reply += std::string("\0\1\0", 3) + static_cast<char>(said.addresses.size());
    reply += std::string(4, '\0') + question.substr(12, at + 5 - 12);
    for (const std::string& address : said.addresses) {
      std::array<char, 16> bytes{};
      ::inet_pton(six ? AF_INET6 : AF_INET, address.c_str(), bytes.data());
      reply += std::string("\xC0\x0C\0", 3) + (six ? '\x1C' : '\1');
      reply += std::string("\0\1\0\0\0", 5) + static_cast<char>(said.ttl);
      reply += std::string(1, '\0') + (six ? '\x10' : '\4');
      reply += std::string(bytes.data(), six ? 16 : 4);
    }
    return reply;
  }

  Script script_;
  int socket_ = -1;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<int> questions_{0};
  std::atomic<int> stream_questions_{0};
  std::thread thread_;
  std::thread stream_thread_;
};

}  // namespace wskeep::simulated
