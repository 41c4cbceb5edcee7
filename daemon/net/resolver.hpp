#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>

#include "daemon/environment.hpp"

namespace wskeep::net {

/// Names to addresses through c-ares, without a thread. Each look-up has a c-ares channel of its
/// own: it sees the resolv.conf and hosts files of the moment, and neither waits for another nor is
/// cancelled with it.
class Resolver {
 public:
  /// `servers`: "ADDRESS:PORT,..." instead of those of resolv.conf; empty: those of resolv.conf.
  explicit Resolver(boost::asio::any_io_executor executor, std::string servers = {});

  /// See Environment::resolve. `localhost` and names under it are the loopback addresses (RFC
  /// 6761, 6.3) and, like address literals, are not asked for. At most `max_answers` addresses.
  [[nodiscard]] boost::asio::awaitable<daemon::ResolveResult> resolve(
      std::string host, std::uint16_t port, config::Family family,
      std::chrono::milliseconds timeout);

  static constexpr std::size_t max_answers = 100;
  /// How long the answer of one family waits for the other's. Longer than the 50 ms of RFC 8305,
  /// section 3, because an answer that comes later counts only in the next cycle.
  static constexpr std::chrono::milliseconds second_family{250};

 private:
  boost::asio::any_io_executor executor_;
  std::string servers_;
};

}  // namespace wskeep::net
