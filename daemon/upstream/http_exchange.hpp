#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "daemon/environment.hpp"
#include "daemon/net/transport.hpp"
#include "websocket/http.hpp"

namespace wskeep::upstream {

/// A request and its answer over an open transport, which it observes as long as it lives. Whoever
/// calls sets the deadline, by cancelling.
class HttpExchange final : private net::TransportObserver {
 public:
  enum class Until : std::uint8_t {
    upgraded,  ///< the head of a 101, where a redirection leads, or the front part of a refusal
    complete,  ///< the whole answer, or where a redirection leads
  };
  struct Reading {
    Until until = Until::complete;
    std::size_t head = 0;  ///< most bytes of it
    std::size_t body = 0;
  };

  HttpExchange(daemon::Environment& environment, net::Transport& transport, Reading reading);
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;
  ~HttpExchange();

  /// Error::none, or why it could not go on. What the peer said before it went can still be read.
  boost::asio::awaitable<daemon::Failure> send(const std::string& request);
  boost::asio::awaitable<daemon::Failure> receive();

  [[nodiscard]] const websocket::HttpReader& reader() const noexcept { return reader_; }

  /// What came behind the head of a 101.
  [[nodiscard]] std::vector<std::byte> take_rest() noexcept { return std::move(rest_); }

 private:
  void on_readable() override { alarm_->wake(); }
  void on_writable() override { alarm_->wake(); }

  boost::asio::awaitable<bool> wait();
  /// True when nothing more is to be read.
  bool on_read(const net::IoResult& result, std::span<const std::byte> bytes,
               daemon::Failure& failure);
  bool on_bytes(std::span<const std::byte> bytes, daemon::Failure& failure);
  bool on_end(daemon::Failure& failure);
  [[nodiscard]] bool refused() const noexcept;
  [[nodiscard]] bool redirected() const noexcept;

  daemon::Environment& environment_;
  net::Transport& transport_;
  Until until_;
  std::unique_ptr<daemon::Environment::Alarm> alarm_;
  websocket::HttpReader reader_;
  daemon::TimePoint deadline_ = daemon::TimePoint::max();
  std::optional<daemon::Failure> write_failure_;  ///< of the request, which was not written whole
  std::vector<std::byte> rest_;
};

}  // namespace wskeep::upstream
