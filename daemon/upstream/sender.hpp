#pragma once

#include <boost/container/deque.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "config/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/net/transport.hpp"
#include "daemon/upstream/send_queue.hpp"
#include "daemon/upstream/statistics.hpp"
#include "ipc/upstream.hpp"
#include "websocket/deflate.hpp"
#include "websocket/frame.hpp"

namespace wskeep::upstream {

/// What waits to be sent upstream: masked frames in the order they came, and who is to be told when
/// the kernel has taken them. With a limit, frames wait in a queue of their own (see SendQueue)
/// until they may be written; without one there is no such queue.
class Sender {
 public:
  /// `compression` as agreed with upstream; `rate` is of frames, whatever they are. All referred to
  /// outlives it.
  Sender(daemon::Environment& environment, Statistics& statistics,
         const std::optional<websocket::DeflateParameters>& compression, config::Rate rate = {});

  void append_message(websocket::Opcode opcode, std::span<const std::byte> payload,
                      std::weak_ptr<ipc::PublishObserver> observer, std::uint64_t token);
  /// A piece of a message, as a frame of its own. From the first to the last, messages wait until
  /// it is whole. `publisher` is told of the whole.
  void append_part(ipc::MessagePart part, std::span<const std::byte> payload,
                   const std::shared_ptr<ipc::PublishObserver>& publisher, std::uint64_t token);

  /// A message is being sent in parts; or that publisher's is.
  [[nodiscard]] bool streams() const noexcept { return stream_ != nullptr; }
  [[nodiscard]] bool streams(const ipc::PublishObserver& publisher) const noexcept {
    return stream_ != nullptr && stream_->identity == &publisher;
  }

  void append_control(websocket::Opcode opcode, std::span<const std::byte> payload);

  /// Writes as much as the transport and the limit take, in one write where it can. Observers are
  /// not told yet.
  [[nodiscard]] net::IoResult write(net::Transport& transport);

  /// Tells those whose messages were written since the last call.
  void tell_written();

  /// Tells all others that nobody knows. The sender is not used any more.
  void tell_unknown(const ipc::Rejection& reason);

  [[nodiscard]] std::size_t unsent() const noexcept { return released() + waiting_ + held_; }

  /// Of `unsent`, what the transport was offered or will be at once: the rest waits for the limit.
  [[nodiscard]] std::size_t released() const noexcept { return buffer_.size() - sent_; }

  [[nodiscard]] bool limited() const noexcept { return queue_ != nullptr; }

  /// When the limit allows more of what waits for it; max(): nothing waits, or not before more is
  /// written.
  [[nodiscard]] daemon::TimePoint next_release() const noexcept {
    return queue_ ? queue_->next_at() : daemon::TimePoint::max();
  }

  /// Whether a control frame of no urgency would be written at once.
  [[nodiscard]] bool idle() const noexcept { return !queue_ || queue_->idle(environment_.now()); }

  /// A ping was appended, and the limit has not let it go.
  [[nodiscard]] bool ping_waits() const noexcept { return queue_ && queue_->ping_waits(); }

 private:
  struct Receipt {
    std::uint64_t end;  ///< written when `written_` has come here
    std::weak_ptr<ipc::PublishObserver> observer;
    std::uint64_t token;
  };

  /// A message that is sent in parts, and those that wait for its end.
  struct Stream {
    struct Held {
      websocket::Opcode opcode;
      std::vector<std::byte> payload;
      std::weak_ptr<ipc::PublishObserver> observer;
      std::uint64_t token;
    };
    const ipc::PublishObserver* identity = nullptr;
    std::weak_ptr<ipc::PublishObserver> observer{};
    std::uint64_t token = 0;
    bool compressed = false;
    std::deque<Held> held{};
  };

  void append_frame(websocket::Opcode opcode, std::span<const std::byte> payload, bool compressed,
                    bool last, Receipt receipt);
  void end_stream();
  [[nodiscard]] websocket::MaskingKey masking_key();
  void release();
  void count_written();

  daemon::Environment& environment_;
  Statistics& statistics_;
  std::unique_ptr<websocket::Deflater> deflater_;
  std::vector<std::byte> deflated_;
  std::vector<std::byte> buffer_;
  std::size_t sent_ = 0;  ///< of buffer_
  std::uint64_t appended_ = 0;
  std::uint64_t written_ = 0;
  // Unlike those of the standard library, Boost's take no memory before they hold something.
  boost::container::deque<Receipt> receipts_;
  std::unique_ptr<SendQueue> queue_;  ///< nullptr: there is no limit
  std::size_t waiting_ = 0;           ///< bytes in queue_
  std::unique_ptr<Stream> stream_;    ///< nullptr: no message is being sent in parts
  std::size_t held_ = 0;              ///< bytes of the messages that wait for its end
  boost::container::deque<std::uint64_t>
      frame_ends_;  ///< with a limit: of the frames released, as Receipt::end
};

}  // namespace wskeep::upstream
