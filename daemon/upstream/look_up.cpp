#include "daemon/upstream/look_up.hpp"

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <optional>
#include <utility>
#include <variant>

#include "websocket/header_text.hpp"

namespace wskeep::upstream {

namespace asio = boost::asio;
using config::Family;
using daemon::Endpoint;
using daemon::Error;
using daemon::Failure;
using std::chrono::milliseconds;

namespace {

/// What `resolve` says of that host, that port before any port; null where it says nothing.
const config::ResolveOverride* override_of(const std::vector<config::ResolveOverride>& overrides,
                                           const std::string& host, std::uint16_t port) {
  const config::ResolveOverride* found = nullptr;
  for (const config::ResolveOverride& one : overrides) {
    if (!websocket::equal_ignoring_case(one.host, host)) continue;
    if (one.port == port) return &one;
    if (one.port == 0 && found == nullptr) found = &one;
  }
  return found;
}

daemon::ResolveResult addresses_of(const config::ResolveOverride& override_, std::uint16_t port,
                                   Family family) {
  daemon::Resolved resolved;
  for (const std::string& text : override_.addresses) {
    boost::system::error_code error;
    const auto address = asio::ip::make_address(text, error);
    if (error) return Failure{Error::configuration, "resolve: " + text + " is not an IP address"};
    if (family == Family::any || address.is_v6() == (family == Family::ipv6))
      resolved.endpoints.emplace_back(address, port);
  }
  if (!resolved.endpoints.empty()) return resolved;
  return Failure{Error::resolve_failed, override_.host +
                                            " has no address of the wanted family (`resolve` and "
                                            "`fallback.family` in the configuration)"};
}

void note(LookedUp& looked_up, daemon::ResolveResult result) {
  if (auto* failure = std::get_if<Failure>(&result)) {
    looked_up.step.failure = std::move(*failure);
    return;
  }
  looked_up.endpoints = std::move(std::get<daemon::Resolved>(result).endpoints);
  if (looked_up.endpoints.empty())
    looked_up.step.failure = {Error::resolve_failed, looked_up.step.host + " has no address"};
  const std::size_t shown = std::min(looked_up.endpoints.size(), ResolveStep::max_answers);
  looked_up.step.answer_count = looked_up.endpoints.size();
  looked_up.step.answers.assign(looked_up.endpoints.begin(),
                                looked_up.endpoints.begin() + static_cast<std::ptrdiff_t>(shown));
}

}  // namespace

asio::awaitable<LookedUp> look_up(daemon::Environment& environment,
                                  const config::ConnectionSettings& settings, NameMemory& names,
                                  std::string host, std::uint16_t port, milliseconds timeout) {
  LookedUp looked_up;
  looked_up.step.host = host;
  const Family family = settings.fallback.family;
  const daemon::TimePoint begun = environment.now();
  if (const auto* given = override_of(settings.resolve, host, port)) {
    looked_up.step.source = ResolveStep::Source::configuration;
    note(looked_up, addresses_of(*given, port, family));
    co_return looked_up;
  }
  if (auto remembered = names.find(host, port, family, begun)) {
    looked_up.step.source = ResolveStep::Source::remembered;
    daemon::Resolved resolved;
    resolved.endpoints = std::move(*remembered);
    note(looked_up, std::move(resolved));
    co_return looked_up;
  }
  daemon::ResolveResult result = co_await environment.resolve(host, port, family, timeout);
  const daemon::TimePoint now = environment.now();
  looked_up.step.duration = std::chrono::duration_cast<milliseconds>(now - begun);
  if (const auto* resolved = std::get_if<daemon::Resolved>(&result))
    names.keep(host, port, family, *resolved, now);
  note(looked_up, std::move(result));
  co_return looked_up;
}

}  // namespace wskeep::upstream
