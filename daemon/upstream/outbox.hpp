#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/upstream/statistics.hpp"
#include "ipc/upstream.hpp"
#include "websocket/frame.hpp"

namespace wskeep::upstream {

/// Messages of local apps that wait until the connection can send them, in the order they came. One
/// that has waited for `ttl` is given up: nothing is sent late.
class Outbox {
 public:
  struct Message {
    websocket::Opcode opcode;
    std::vector<std::byte> payload;
    std::weak_ptr<ipc::PublishObserver> observer;
    std::uint64_t token;
    daemon::TimePoint since;
  };

  /// All referred to outlives it. Before it is destroyed, `end` has to be awaited.
  Outbox(daemon::Environment& environment, const config::Outbox& settings, Statistics& statistics);
  ~Outbox();
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;

  [[nodiscard]] bool empty() const noexcept { return waiting_.empty(); }
  [[nodiscard]] std::size_t messages() const noexcept { return waiting_.size(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }

  /// Keeps a message, and tells its observer so. Needs ttl > 0.
  [[nodiscard]] std::optional<ipc::Rejection> add(websocket::Opcode opcode,
                                                  std::span<const std::byte> payload,
                                                  std::weak_ptr<ipc::PublishObserver> observer,
                                                  std::uint64_t token);

  /// The oldest. Needs !empty().
  [[nodiscard]] Message take();

  /// The settings that it refers to are others now.
  void settings_changed() { alarm_->wake(); }

  /// Gives up all that waits, and ends when nothing of it runs any more.
  [[nodiscard]] boost::asio::awaitable<void> end(ipc::Rejection reason);

 private:
  boost::asio::awaitable<void> watch();
  void expire();
  void give_up(std::size_t count, const ipc::Rejection& reason);

  daemon::Environment& environment_;
  const config::Outbox& settings_;
  Statistics& statistics_;
  std::deque<Message> waiting_;
  std::size_t bytes_ = 0;
  std::unique_ptr<daemon::Environment::Alarm> alarm_;  ///< of `watch`
  std::unique_ptr<daemon::Environment::Alarm> ended_;  ///< of `end`
  bool watching_ = false;
};

}  // namespace wskeep::upstream
