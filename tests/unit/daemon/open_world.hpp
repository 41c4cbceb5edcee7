#pragma once

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/upstream/address_memory.hpp"
#include "daemon/upstream/open.hpp"
#include "daemon/upstream/timeline.hpp"
#include "tests/unit/daemon/simulated_environment.hpp"
#include "websocket/upgrade.hpp"

/// What the tests of `open_session` share: servers in a line, and a connection in a simulated
/// world.
namespace wskeep::upstream {

namespace asio = boost::asio;
using daemon::Error;
using simulated::Peer;
using Log = std::vector<std::string>;

inline std::string accept_of(const std::string& request) {
  const std::string name = "Sec-WebSocket-Key: ";
  const std::size_t begin = request.find(name) + name.size();
  return websocket::compute_accept(request.substr(begin, request.find("\r\n", begin) - begin));
}

inline std::string switching(const std::string& request, const std::string& more = "") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " +
         accept_of(request) + "\r\n" + more + "\r\n";
}

/// A peer that answers a whole request with what `answer` makes of it.
inline std::function<void(Peer)> answers(std::function<std::string(const std::string&)> answer) {
  return [answer = std::move(answer)](Peer peer) {
    peer.on_received([peer, answer]() mutable {
      if (peer.received().ends_with("\r\n\r\n")) peer.send(answer(peer.take()));
    });
  };
}

inline std::function<void(Peer)> upgrades() {
  return answers([](const std::string& request) { return switching(request); });
}

inline std::function<void(Peer)> says(const std::string& text) {
  return answers([text](const std::string&) { return text; });
}

/// Lets so many connects pass.
struct Gate final : ConnectGate {
  bool may_connect(std::string_view host) override {
    asked.emplace_back(host);
    return left != 0 && left-- > 0;
  }
  std::uint64_t left = UINT64_MAX;
  std::vector<std::string> asked;
};

/// One connection in a simulated world.
struct World {
  World() {
    connection.name = "test";
    connection.urls = {config::Template("wss://example.com/ws")};
  }

  void name(std::vector<std::string> addresses) {
    environment.names["example.com"].addresses = std::move(addresses);
  }

  void start() {
    result.reset();
    asio::co_spawn(
        environment.executor(), open_session(environment, connection, memory, timeline, gate),
        asio::bind_cancellation_slot(
            stop.slot(), [this](const std::exception_ptr& thrown, OpenResult r) {
              if (thrown) std::rethrow_exception(thrown);
              environment.note(
                  std::holds_alternative<Opened>(r)
                      ? "opened"
                      : std::string(daemon::error_name(std::get<OpenFailure>(r).failure.error)));
              result = std::move(r);
            }));
  }
  void open() {
    start();
    environment.run();
    ASSERT_TRUE(result.has_value());
  }
  const OpenFailure& failure() const { return std::get<OpenFailure>(result.value()); }
  const Opened& opened() const { return std::get<Opened>(result.value()); }
  const Cycle& cycle() const { return timeline.cycles().back(); }

  config::Connection connection;
  OpeningMemory memory;
  Timeline timeline;
  Gate gate;
  asio::cancellation_signal stop;
  simulated::Environment environment;  // behind all that its coroutines refer to
  std::optional<OpenResult> result;
};

}  // namespace wskeep::upstream
