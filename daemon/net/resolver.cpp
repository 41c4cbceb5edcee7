#include "daemon/net/resolver.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "daemon/net/name_query.hpp"

namespace wskeep::net {

namespace asio = boost::asio;
using asio::ip::address;
using config::Family;
using daemon::Clock;
using daemon::Endpoint;
using daemon::Error;
using daemon::Failure;
using daemon::ResolveResult;

namespace {

std::string without_root(std::string host) {
  if (host.ends_with('.')) host.pop_back();
  return host;
}

bool is_localhost(const std::string& host) {
  std::string lower = without_root(host);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower == "localhost" || lower.ends_with(".localhost");
}

/// Addresses that are known without asking anybody; nullopt: ask.
std::optional<std::vector<address>> known_addresses(const std::string& host) {
  boost::system::error_code not_an_address;
  const address literal = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) return std::vector<address>{literal};
  if (is_localhost(host))
    return std::vector<address>{asio::ip::address_v6::loopback(), asio::ip::address_v4::loopback()};
  return std::nullopt;
}

ResolveResult to_result(const std::vector<address>& addresses, const std::string& host,
                        std::uint16_t port, Family family, std::chrono::seconds ttl) {
  std::vector<Endpoint> endpoints;
  for (const address& one : addresses) {
    const bool wanted = family == Family::any || one.is_v6() == (family == Family::ipv6);
    if (wanted && endpoints.size() < Resolver::max_answers) endpoints.emplace_back(one, port);
  }
  if (!endpoints.empty()) return daemon::Resolved{std::move(endpoints), ttl};
  const std::string kind = family == Family::ipv4 ? "IPv4 " : family == Family::ipv6 ? "IPv6 " : "";
  return Failure{Error::resolve_failed, host + " has no " + kind + "address"};
}

/// When the query is to be left as it is: the time for one family's answer behind the other's, or
/// for all.
daemon::TimePoint patience(const NameQuery& query, daemon::TimePoint deadline) {
  const auto first = query.first_answer();
  return first ? std::min(deadline, *first + Resolver::second_family) : deadline;
}

/// Returns when the query is finished or its time is over; false when cancelled.
asio::awaitable<bool> run(NameQuery& query, asio::steady_timer& timer, daemon::TimePoint deadline) {
  while (!query.finished() && Clock::now() < patience(query, deadline)) {
    timer.expires_at(std::min(patience(query, deadline), query.next_timeout()));
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return false;
    query.process_timeouts();
  }
  co_return true;
}

}  // namespace

Resolver::Resolver(asio::any_io_executor executor, std::string servers)
    : executor_(std::move(executor)), servers_(std::move(servers)) {}

asio::awaitable<ResolveResult> Resolver::resolve(std::string host, std::uint16_t port,
                                                 Family family, std::chrono::milliseconds timeout) {
  if (const auto known = known_addresses(host))
    co_return to_result(*known, host, port, family, std::chrono::seconds::max());
  const daemon::TimePoint deadline = Clock::now() + timeout;
  asio::steady_timer timer(executor_);
  NameQuery query(executor_, [&timer] { timer.cancel(); });
  query.start(host, servers_, family, timeout);
  if (!co_await run(query, timer, deadline)) co_return Failure{Error::stopped, "stopped"};
  if (!query.addresses().empty())
    co_return to_result(query.addresses(), host, port, family, query.ttl());
  co_return query.failure(host);
}

}  // namespace wskeep::net
