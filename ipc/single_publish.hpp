#pragma once

#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "ipc/upstream.hpp"

namespace wskeep::ipc {

/// What became of one message.
struct PublishOutcome {
  enum class Kind : std::uint8_t {
    written,   ///< the kernel has taken it
    queued,    ///< it waits behind others
    rejected,  ///< it was not taken
    unknown,   ///< the session ended with it under way
  };
  Kind kind = Kind::written;
  std::string error{};
  std::string message{};
};

/// Sends one message and waits a second for what becomes of it. Call on the shard of `upstream`;
/// `done` is called there once.
void publish_once(Upstream& upstream, websocket::Opcode opcode, std::span<const std::byte> payload,
                  std::function<void(PublishOutcome)> done);

}  // namespace wskeep::ipc
