#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/net/transport.hpp"

namespace wskeep::simulated {

/// What a transport and its peer share: two streams of bytes in memory.
struct Pipe {
  explicit Pipe(boost::asio::any_io_executor executor_) : executor(std::move(executor_)) {}

  boost::asio::any_io_executor executor;
  std::string to_us;                  ///< sent by the peer, not yet read
  std::string to_peer;                ///< written by us, not yet taken by the peer
  std::size_t room = SIZE_MAX;        ///< how much `to_peer` may hold
  std::size_t read_limit = SIZE_MAX;  ///< the most that one read gives
  net::IoResult end;                  ///< not would_block: what reading gives behind `to_us`
  bool closed = false;                ///< our end was destroyed
  bool finished = false;              ///< our end was shut down for writing
  bool read_asked = false;
  bool write_asked = false;
  net::TransportObserver* observer = nullptr;
  std::function<void()> on_received;  ///< the peer's script, called when we have written
  std::function<bool()> may_go_on;    ///< false: the operation fails (fault injection)

  [[nodiscard]] bool readable() const {
    return !to_us.empty() || end.status != net::IoResult::Status::would_block;
  }
};

/// The peer's end, which a test holds.
class Peer {
 public:
  explicit Peer(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}

  void send(std::string_view bytes) {
    pipe_->to_us.append(bytes);
    wake(pipe_);
  }
  /// An orderly end; with `error`, what TLS says of a bare FIN.
  void end(daemon::Error error = daemon::Error::none) {
    pipe_->end = {net::IoResult::Status::end, 0, error};
    wake(pipe_);
  }
  void reset(daemon::Error error = daemon::Error::connection_reset) {
    pipe_->end = {net::IoResult::Status::failed, 0, error};
    wake(pipe_);
  }
  /// What we wrote and the peer has not taken.
  [[nodiscard]] const std::string& received() const { return pipe_->to_peer; }
  [[nodiscard]] std::string take() {
    std::string taken = std::exchange(pipe_->to_peer, {});
    wake(pipe_);
    return taken;
  }
  void set_room(std::size_t bytes) { pipe_->room = bytes; }
  void set_read_limit(std::size_t bytes) { pipe_->read_limit = bytes; }
  [[nodiscard]] bool closed() const { return pipe_->closed; }
  [[nodiscard]] bool finished() const { return pipe_->finished; }

  /// Called, from the executor, whenever we have written.
  void on_received(std::function<void()> script) { pipe_->on_received = std::move(script); }

  static void wake(const std::shared_ptr<Pipe>& pipe) {
    boost::asio::post(pipe->executor, [pipe] {
      const bool room = pipe->to_peer.size() < pipe->room;
      if (pipe->read_asked && pipe->readable()) {
        pipe->read_asked = false;
        if (pipe->observer != nullptr) pipe->observer->on_readable();
      }
      if (pipe->write_asked && room) {
        pipe->write_asked = false;
        if (pipe->observer != nullptr) pipe->observer->on_writable();
      }
    });
  }

 private:
  std::shared_ptr<Pipe> pipe_;
};

/// Our end.
class Transport final : public net::Transport {
 public:
  explicit Transport(std::shared_ptr<Pipe> pipe) : pipe_(std::move(pipe)) {}
  ~Transport() override {
    pipe_->observer = nullptr;
    pipe_->closed = true;
    pipe_->on_received = nullptr;  // it may hold the peer, and so the pipe
  }

  void observe(net::TransportObserver* observer) noexcept override { pipe_->observer = observer; }

  net::IoResult read(std::span<std::byte> buffer) noexcept override {
    using Status = net::IoResult::Status;
    if (!allowed()) return {Status::failed, 0, daemon::Error::connection_reset};
    if (pipe_->to_us.empty()) return pipe_->end;
    const std::size_t count = std::min({buffer.size(), pipe_->to_us.size(), pipe_->read_limit});
    if (count == 0) return {};
    std::memcpy(buffer.data(), pipe_->to_us.data(), count);
    pipe_->to_us.erase(0, count);
    return {Status::done, count, daemon::Error::none};
  }

  net::IoResult write(std::span<const std::byte> data) noexcept override {
    using Status = net::IoResult::Status;
    if (!allowed()) return {Status::failed, 0, daemon::Error::connection_reset};
    const std::size_t room = pipe_->room - std::min(pipe_->room, pipe_->to_peer.size());
    const std::size_t count = std::min(data.size(), room);
    if (count == 0) return {};
    const std::size_t before = pipe_->to_peer.size();
    pipe_->to_peer.resize(before + count);
    std::memcpy(pipe_->to_peer.data() + before, data.data(), count);
    boost::asio::post(pipe_->executor, [pipe = pipe_] {
      if (const auto script = pipe->on_received) script();
    });
    return {Status::done, count, daemon::Error::none};
  }

  void want_read() override {
    pipe_->read_asked = true;
    if (pipe_->readable()) Peer::wake(pipe_);
  }
  void want_write() override {
    pipe_->write_asked = true;
    if (pipe_->to_peer.size() < pipe_->room) Peer::wake(pipe_);
  }
  void shutdown() noexcept override { pipe_->finished = true; }
  [[nodiscard]] const net::TransportInformation& information() const noexcept override {
    return information_;
  }
  [[nodiscard]] int descriptor() const noexcept override { return -1; }

 private:
  [[nodiscard]] bool allowed() const { return !pipe_->may_go_on || pipe_->may_go_on(); }

  std::shared_ptr<Pipe> pipe_;
  net::TransportInformation information_;
};

}  // namespace wskeep::simulated
