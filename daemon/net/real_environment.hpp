#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "daemon/environment.hpp"
#include "daemon/net/child_process.hpp"
#include "daemon/net/handshake_limit.hpp"
#include "daemon/net/resolver.hpp"
#include "daemon/net/tls_context.hpp"

namespace wskeep::net {

/// The environment as it is. One per shard; `context` and `contexts` outlive it.
class RealEnvironment final : public daemon::Environment {
 public:
  /// `servers`: see Resolver. `handshakes`: TLS handshakes at once.
  RealEnvironment(boost::asio::io_context& context, TlsContexts& contexts, std::string servers = {},
                  std::uint32_t handshakes = config::Connects{}.handshakes);

  [[nodiscard]] boost::asio::any_io_executor executor() override { return context_.get_executor(); }
  [[nodiscard]] daemon::TimePoint now() const override { return daemon::Clock::now(); }
  [[nodiscard]] daemon::WallTime wall_now() const override {
    return std::chrono::system_clock::now();
  }
  [[nodiscard]] std::uint64_t random() override { return random_(); }
  [[nodiscard]] std::uint32_t unpredictable() override;
  [[nodiscard]] std::unique_ptr<Alarm> make_alarm() override;
  [[nodiscard]] boost::asio::awaitable<daemon::ResolveResult> resolve(
      std::string host, std::uint16_t port, config::Family family,
      std::chrono::milliseconds timeout) override;
  [[nodiscard]] boost::asio::awaitable<daemon::DialResult> dial(
      DialTarget target, daemon::DialProgress& progress) override;
  [[nodiscard]] boost::asio::awaitable<daemon::CommandResult> run_command(
      daemon::Command command) override;

  /// For those who count them. On the shard's thread.
  [[nodiscard]] HandshakeLimit& handshakes() noexcept { return handshakes_; }

 private:
  boost::asio::io_context& context_;
  TlsContexts& contexts_;
  Resolver resolver_;
  HandshakeLimit handshakes_;
  LeftChildren left_children_;
  std::mt19937_64 random_;
  std::array<std::uint32_t, 256> pool_{};  ///< fetched from the system in blocks
  std::size_t pool_used_ = 256;
};

}  // namespace wskeep::net
