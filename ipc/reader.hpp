#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "ipc/client_slot.hpp"
#include "ipc/feed.hpp"
#include "ipc/reader_information.hpp"

namespace wskeep::ipc {

class Channel;

/// A local app that is sent a channel's messages. Two sources take turns on its socket: what is its
/// own (answers, events, control frames) and its feed of the ring; a message that has been begun is
/// always ended first. Owned by the channel; lives on its shard.
class Reader : public std::enable_shared_from_this<Reader> {
 public:
  using Descriptor = boost::asio::posix::stream_descriptor;

  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  virtual ~Reader() = default;

  /// Sends all that is new, in as few writes as the socket takes. Does nothing while `blocked`.
  void deliver();

  /// The socket is full, or gone.
  [[nodiscard]] bool blocked() const noexcept { return waiting_to_write_ || gone_; }

  [[nodiscard]] const Place& place() const noexcept { return feed_->place(); }
  void before_overwrite() { feed_->before_overwrite(); }

  /// What it is sent, by the name that docs/ipc.md has for it.
  [[nodiscard]] virtual std::string_view kind() const noexcept = 0;
  [[nodiscard]] ReaderInformation information() const;
  /// Like Feed::first_unsent.
  [[nodiscard]] ring::Sequence first_unsent() const noexcept;

  /// It was sent the front of a message and not its end; and the end will not come.
  [[nodiscard]] bool in_message() const noexcept { return feed_->in_message() && !finishing_; }
  void broken_off() {
    if (!finishing_ && !gone_) on_broken_off();
  }

  /// It is to be sent more of the ring, so that the writer may wait for it.
  [[nodiscard]] bool wants_more() const noexcept { return !finishing_ && !gone_; }

  /// Whose app it is; nullptr: nobody's, who may do everything.
  [[nodiscard]] const Client* client() const noexcept { return slot_.client(); }

  /// From now on it may do that: one that may not read any more is closed.
  void revise(Rights rights);

  /// Ends what it is sent, as its protocol does that, and then the connection.
  virtual void close(std::uint16_t code, const std::string& reason) = 0;

  /// The send buffer has room again.
  virtual void publish_more() {}

 protected:
  Reader(Channel& channel, Descriptor descriptor, ClientSlot slot, std::unique_ptr<Feed> feed,
         config::Gap gap);

  /// Messages from..to were lost for it. It may be told by `own()`, or closed.
  virtual void on_gap(ring::Sequence from, ring::Sequence to) = 0;

  /// The message whose front it was sent will not be ended, or its end was lost.
  virtual void on_broken_off() {}

  /// It is gone from the channel.
  virtual void on_left() {}

  /// All that is new was sent.
  virtual void on_drained() {}

  /// Gives bytes to whoever reads, as send(2): how many were taken, or -1 and errno.
  /// `wait_to_write` then has `writable` called as soon as more can be.
  [[nodiscard]] virtual ssize_t transmit(std::span<const std::byte> bytes);
  virtual void wait_to_write();
  void writable(const boost::system::error_code& error);

  /// Bytes of its own, to be sent as soon as no message is half sent; then call `deliver`.
  [[nodiscard]] std::vector<std::byte>& own() noexcept { return own_; }
  [[nodiscard]] std::size_t own_unsent() const noexcept { return own_.size() - own_sent_; }

  /// No more of the feed. When all of its own is sent the socket is shut for writing; the
  /// connection ends when the app has closed its end, or after the close time-out.
  void finish();

  /// Ends it at once. It is gone from the channel; pending work ends with nothing done.
  void leave();

  /// The app's place among all, with its rights and what is held for it.
  [[nodiscard]] ClientSlot& slot() noexcept { return slot_; }

  [[nodiscard]] bool finishing() const noexcept { return finishing_; }
  [[nodiscard]] bool gone() const noexcept { return gone_; }
  [[nodiscard]] config::Gap gap() const noexcept { return gap_; }
  [[nodiscard]] Channel& channel() noexcept { return channel_; }
  [[nodiscard]] Descriptor& descriptor() noexcept { return descriptor_; }
  [[nodiscard]] Feed& feed() noexcept { return *feed_; }

 private:
  enum class Source : std::uint8_t { own, feed };

  [[nodiscard]] std::span<const std::byte> next_output();
  void sent(std::size_t bytes);
  void tell_gap();
  void start_close_timer();
  void note_delivery(ring::Sequence first);

  Channel& channel_;
  Descriptor descriptor_;
  ClientSlot slot_;
  std::unique_ptr<Feed> feed_;
  config::Gap gap_;
  std::vector<std::byte> own_;
  std::size_t own_sent_ = 0;
  Source source_ = Source::own;
  bool waiting_to_write_ = false;
  bool delivering_ = false;
  bool finishing_ = false;
  bool shut_ = false;
  bool gone_ = false;
  ring::Sequence came_at_;  ///< the first message that was received after it came
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t lost_messages_ = 0;
  std::unique_ptr<boost::asio::steady_timer> close_timer_;
};

}  // namespace wskeep::ipc
