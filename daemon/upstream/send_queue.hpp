#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/upstream/send_limit.hpp"
#include "ipc/upstream.hpp"
#include "websocket/frame.hpp"

namespace wskeep::upstream {

/// Masked frames that wait for `send_rate`, and which of them goes next.
///
/// Messages keep their order. Control frames go ahead of them (RFC 6455, 5.5, lets them stand
/// between any two), of each kind one at most: a newer pong takes the older one's place (5.5.3).
/// While messages wait, two pongs or pings do not follow each other, so that who floods us with
/// pings does not starve them. The last place of each stretch is left to control frames, where
/// there is more than one. A Close frame goes ahead of all, and nothing goes behind it.
class SendQueue {
 public:
  /// Who is told of a message; nobody of a control frame.
  struct Receipt {
    std::size_t size = 0;  ///< of the frame
    std::weak_ptr<ipc::PublishObserver> observer;
    std::uint64_t token = 0;
  };

  /// `rate` is not off.
  explicit SendQueue(config::Rate rate) noexcept;

  /// A message's frame is appended to this, and then counted by `add_message`.
  [[nodiscard]] std::vector<std::byte>& messages() noexcept { return messages_; }
  void add_message(Receipt receipt);

  /// `frame` is one of that kind. Behind a Close frame it is dropped.
  void add_control(websocket::Opcode opcode, std::vector<std::byte> frame);

  /// The frame that may go at `now`, if there is one, appended to `output`.
  [[nodiscard]] std::optional<Receipt> take(daemon::TimePoint now, std::vector<std::byte>& output);

  /// Of those taken so many are written.
  void written(std::uint32_t frames, daemon::TimePoint now) { limit_.written(frames, now); }

  /// When `take` will give something; max(): not before something is added or written.
  [[nodiscard]] daemon::TimePoint next_at() const noexcept;

  /// A control frame of no urgency would go at once and keep nobody waiting.
  [[nodiscard]] bool idle(daemon::TimePoint now) noexcept;

  [[nodiscard]] bool ping_waits() const noexcept { return !controls_[ping].empty(); }

  /// Of all frames that wait.
  [[nodiscard]] std::size_t bytes() const noexcept;

  /// Those of messages that were never taken, in their order. The queue is not used any more.
  [[nodiscard]] std::deque<Receipt> abandon() { return std::exchange(receipts_, {}); }

 private:
  /// In the order in which they go.
  enum Control : std::size_t { close, pong, ping, none };

  [[nodiscard]] bool message_waits() const noexcept { return !closed_ && !receipts_.empty(); }
  [[nodiscard]] Control next_control() const noexcept;
  [[nodiscard]] std::uint32_t places_needed() const noexcept;
  void take_message(std::size_t size, std::vector<std::byte>& output);

  SendLimit limit_;
  std::uint32_t reserve_;  ///< places that messages leave free
  std::vector<std::byte> messages_;
  std::size_t taken_ = 0;  ///< of messages_
  std::deque<Receipt> receipts_;
  std::array<std::vector<std::byte>, none> controls_;
  bool control_was_last_ = false;
  bool closed_ = false;  ///< a Close frame has been added
};

}  // namespace wskeep::upstream
