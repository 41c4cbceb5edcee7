#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "websocket/frame.hpp"
#include "websocket/upgrade.hpp"

namespace wskeep::cli::test {

/// The server's end of one accepted client.
class Peer {
 public:
  explicit Peer(int descriptor) : descriptor_(descriptor) {
    // A client that says too little must fail the test, not hang it.
    const timeval limit{10, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  ~Peer() { ::close(descriptor_); }

  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  /// Everything up to and with `end`; less if the client leaves before.
  std::string read_until(std::string_view end) {
    std::size_t found = 0;
    while ((found = received_.find(end)) == std::string::npos) {
      if (!read_more()) return std::exchange(received_, {});
    }
    std::string text = received_.substr(0, found + end.size());
    received_.erase(0, text.size());
    return text;
  }

  /// The next frame's payload, unmasked; `opcode` is set to its type. Empty if the client left.
  std::string read_frame(websocket::Opcode& opcode) {
    for (;;) {
      websocket::FrameHeader header;
      websocket::Violation violation;
      const auto bytes = std::as_bytes(std::span(received_));
      const auto status =
          websocket::parse_header(bytes, websocket::Role::server, header, violation);
      EXPECT_NE(status, websocket::HeaderStatus::invalid) << violation.reason;
      if (status == websocket::HeaderStatus::complete &&
          bytes.size() >= header.size + header.payload_size) {
        std::string payload = received_.substr(header.size, header.payload_size);
        websocket::apply_mask(std::as_writable_bytes(std::span(payload)), header.mask);
        received_.erase(0, header.size + header.payload_size);
        opcode = header.opcode;
        return payload;
      }
      if (status == websocket::HeaderStatus::invalid || !read_more()) return {};
    }
  }

  /// Until the client closes.
  void drain() {
    while (read_more()) received_.clear();
  }

  /// Answers an upgrade with 101, and `behind` in the same write. Returns the request.
  std::string upgrade(std::string_view behind = {}) {
    std::string request = read_until("\r\n\r\n");
    const std::string name = "Sec-WebSocket-Key: ";
    const std::size_t at = request.find(name) + name.size();
    const std::string key = request.substr(at, request.find('\r', at) - at);
    write(websocket::write_upgrade_response(key, "wskeep.v1") + std::string(behind));
    return request;
  }

 private:
  bool read_more() {
    char buffer[4096];
    const ssize_t count = ::recv(descriptor_, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    received_.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  int descriptor_;
  std::string received_;
};

/// One frame as a server sends it.
inline std::string frame(websocket::Opcode opcode, std::string_view payload, bool fin = true) {
  websocket::FrameHeader header;
  header.opcode = opcode;
  header.fin = fin;
  header.payload_size = payload.size();
  std::string text(websocket::header_size(payload.size(), false), '\0');
  websocket::write_header(std::as_writable_bytes(std::span(text)).data(), header);
  return text.append(payload);
}

inline std::string text_frame(std::string_view payload) {
  return frame(websocket::Opcode::text, payload);
}

/// Listens on a Unix socket of its own, and plays one script for each client, one after another.
class ScriptedServer {
 public:
  using Script = std::function<void(Peer&)>;

  explicit ScriptedServer(std::vector<Script> scripts) {
    char folder[] = "/tmp/wskeep_cli_test_XXXXXX";
    if (::mkdtemp(folder) == nullptr) throw std::runtime_error("no folder for the socket");
    folder_ = folder;
    path_ = folder_ + "/socket";
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::bind(listener_, generic, sizeof address) != 0 || ::listen(listener_, 8) != 0) {
      throw std::runtime_error("cannot listen");
    }
    thread_ = std::thread([this, scripts = std::move(scripts)] {
      for (const Script& script : scripts) {
        // A client that never comes must fail the test, not hang it.
        pollfd entry{listener_, POLLIN, 0};
        if (::poll(&entry, 1, 10'000) != 1) return;
        const int client = ::accept(listener_, nullptr, nullptr);
        if (client < 0) return;
        Peer peer(client);
        script(peer);
      }
    });
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;
  ~ScriptedServer() {
    thread_.join();
    ::close(listener_);
    ::unlink(path_.c_str());
    ::rmdir(folder_.c_str());
  }

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string folder_;
  std::string path_;
  int listener_ = -1;
  std::thread thread_;
};

}  // namespace wskeep::cli::test
