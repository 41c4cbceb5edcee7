#include "daemon/net/proxy_tunnel.hpp"

#include <sys/socket.h>

#include <array>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>

#include "daemon/net/readiness.hpp"
#include "daemon/net/socket.hpp"

namespace wskeep::net {

namespace asio = boost::asio;
using asio::posix::stream_descriptor;
using daemon::Error;
using daemon::Failure;
using Direction = Readiness::Direction;
using Status = IoResult::Status;

namespace {

/// What the dialogue goes over.
class Way {
 public:
  virtual IoResult read(std::span<std::byte> buffer) = 0;
  virtual IoResult write(std::span<const std::byte> data) = 0;
  /// Whether there is a byte to be read now.
  virtual bool has_byte() = 0;
  virtual stream_descriptor& socket() = 0;
  /// What the socket must be ready for after a read or write that would block.
  [[nodiscard]] virtual Direction read_waits_for() const = 0;
  [[nodiscard]] virtual Direction write_waits_for() const = 0;

 protected:
  ~Way() = default;
};

class PlainWay final : public Way {
 public:
  explicit PlainWay(stream_descriptor& socket) : socket_(socket) {}

  IoResult read(std::span<std::byte> buffer) override {
    return receive_some(socket_.native_handle(), buffer);
  }
  IoResult write(std::span<const std::byte> data) override {
    return send_some(socket_.native_handle(), data);
  }
  bool has_byte() override {
    char byte = 0;
    return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK) == 1;
  }
  stream_descriptor& socket() override { return socket_; }
  [[nodiscard]] Direction read_waits_for() const override { return Direction::read; }
  [[nodiscard]] Direction write_waits_for() const override { return Direction::write; }

 private:
  stream_descriptor& socket_;
};

class TlsWay final : public Way {
 public:
  explicit TlsWay(TlsTransport& tls) : tls_(tls) {}

  IoResult read(std::span<std::byte> buffer) override { return tls_.read(buffer); }
  IoResult write(std::span<const std::byte> data) override { return tls_.write(data); }
  bool has_byte() override {
    std::array<std::byte, 1> byte{};  // lost, but then so is the connection
    return tls_.read(byte).status == Status::done;
  }
  stream_descriptor& socket() override { return tls_.readiness().waiting(); }
  [[nodiscard]] Direction read_waits_for() const override { return tls_.waits_for(); }
  [[nodiscard]] Direction write_waits_for() const override { return tls_.write_waits_for(); }

 private:
  TlsTransport& tls_;
};

Failure stopped() {
  return {Error::stopped, "stopped"};
}

Failure io_failure(const IoResult& result) {
  if (result.status == Status::end)
    return {Error::connection_closed, "it closed the connection instead of answering"};
  switch (result.error) {
    case Error::connection_reset:
      return {result.error, "it reset the connection instead of answering"};
    case Error::client_certificate_required:
      return {result.error, "it requires a client certificate"};
    default:
      return {result.error, "the connection failed before it had answered"};
  }
}

asio::awaitable<Failure> send(Way& way, ProxyDialogue& dialogue) {
  std::span<const std::byte> data = std::as_bytes(std::span(dialogue.to_send()));
  while (!data.empty()) {
    const IoResult result = way.write(data);
    if (result.status == Status::done) {
      data = data.subspan(result.bytes);
    } else if (result.status != Status::would_block) {
      co_return io_failure(result);
    } else if (!co_await ready(way.socket(), way.write_waits_for())) {
      co_return stopped();
    }
  }
  dialogue.sent();
  co_return Failure{};
}

asio::awaitable<Failure> converse(Way& way, ProxyDialogue& dialogue) {
  std::array<std::byte, 512> buffer{};  // any answer that is asked for by its size fits
  while (!dialogue.result()) {
    if (!dialogue.to_send().empty()) {
      Failure failure = co_await send(way, dialogue);
      if (failure.error != Error::none) co_return failure;
    }
    const std::span<std::byte> room = std::span(buffer).first(dialogue.wanted());
    const IoResult result = way.read(room);
    if (result.status == Status::done) {
      dialogue.received(room.first(result.bytes));
    } else if (result.status != Status::would_block) {
      co_return io_failure(result);
    } else if (!co_await ready(way.socket(), way.read_waits_for())) {
      co_return stopped();
    }
  }
  if (dialogue.result()->error == Error::none && way.has_byte())
    co_return Failure{Error::proxy_protocol, "it sent more than the answer that it had to give"};
  co_return *dialogue.result();
}

}  // namespace

asio::awaitable<Failure> pass_proxy(stream_descriptor& socket, ProxyDialogue& dialogue) {
  PlainWay way(socket);
  co_return co_await converse(way, dialogue);
}

asio::awaitable<Failure> pass_proxy(TlsTransport& tls, ProxyDialogue& dialogue) {
  TlsWay way(tls);
  co_return co_await converse(way, dialogue);
}

}  // namespace wskeep::net
