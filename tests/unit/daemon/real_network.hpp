#pragma once

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "daemon/net/real_environment.hpp"

namespace wskeep::simulated {

/// The real environment, and calls into it that wait for their end.
class RealNetwork {
 public:
  explicit RealNetwork(std::string servers = {})
      : environment(context, contexts, std::move(servers)) {}

  boost::asio::io_context context{1};
  net::TlsContexts contexts;
  net::RealEnvironment environment;

  /// Runs until `done`; a test that would hang fails instead.
  void run_until(const std::function<bool()>& done,
                 std::chrono::seconds limit = std::chrono::seconds(20)) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!done() && std::chrono::steady_clock::now() < end) {
      context.restart();
      context.run_one_for(std::chrono::milliseconds(100));
    }
    ASSERT_TRUE(done()) << "hangs";
  }

  template <typename Result>
  Result await(boost::asio::awaitable<Result> awaitable) {
    std::optional<Result> result;
    boost::asio::co_spawn(context, std::move(awaitable),
                          [&](std::exception_ptr thrown, Result value) {
                            if (thrown) std::rethrow_exception(thrown);
                            result.emplace(std::move(value));
                          });
    run_until([&] { return result.has_value(); });
    return std::move(result.value());
  }

  daemon::DialResult dial(std::uint16_t port, bool secure, const std::string& host,
                          const config::Tls& tls) {
    daemon::Environment::DialTarget target;
    target.endpoint = {boost::asio::ip::address_v4::loopback(), port};
    target.secure = secure;
    target.host = host;
    target.port = port;
    target.tls = &tls;
    progress = {};
    return await(environment.dial(std::move(target), progress));
  }

  daemon::DialProgress progress;
};

/// Reads a transport to its end into memory, with a buffer of its own size.
class Collector final : public net::TransportObserver {
 public:
  Collector(net::Transport& transport, std::size_t buffer)
      : transport_(transport), buffer_(buffer) {
    transport_.observe(this);
    transport_.want_read();
  }
  ~Collector() { transport_.observe(nullptr); }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  /// One read for each readiness, so that connections take turns.
  void on_readable() override {
    const net::IoResult result = transport_.read(buffer_);
    if (result.status == net::IoResult::Status::done)
      received.append(reinterpret_cast<const char*>(buffer_.data()), result.bytes);
    if (result.status == net::IoResult::Status::end ||
        result.status == net::IoResult::Status::failed)
      end = result;
    else
      transport_.want_read();
  }
  void on_writable() override { ++writable; }

  std::string received;
  int writable = 0;
  std::optional<net::IoResult> end;

 private:
  net::Transport& transport_;
  std::vector<std::byte> buffer_;
};

}  // namespace wskeep::simulated
