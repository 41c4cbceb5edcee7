#include "ipc/reader.hpp"

#include <sys/socket.h>

#include <cerrno>

#include "ipc/channel.hpp"

namespace wskeep::ipc {

Reader::Reader(Channel& channel, Descriptor descriptor, ClientSlot slot, std::unique_ptr<Feed> feed,
               config::Gap gap)
    : channel_(channel),
      descriptor_(std::move(descriptor)),
      slot_(std::move(slot)),
      feed_(std::move(feed)),
      gap_(gap) {}

void Reader::deliver() {
  if (blocked() || delivering_) return;
  delivering_ = true;
  while (!gone_) {
    const auto output = next_output();
    if (output.empty()) break;
    const ssize_t count = ::send(descriptor_.native_handle(), output.data(), output.size(),
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        wait_to_write();
      } else {
        leave();
      }
      break;
    }
    sent(static_cast<std::size_t>(count));
    if (static_cast<std::size_t>(count) < output.size()) {
      wait_to_write();
      break;
    }
  }
  delivering_ = false;
  if (blocked()) return;
  if (finishing_ && !shut_) {
    shut_ = true;
    ::shutdown(descriptor_.native_handle(), SHUT_WR);
  }
  on_drained();
}

std::span<const std::byte> Reader::next_output() {
  const bool lapped = !finishing_ && feed_->lapped();
  if (own_unsent() > 0 || finishing_ || lapped) {
    source_ = Source::feed;
    if (const auto rest = feed_->rest(); !rest.empty()) return rest;
    if (lapped && feed_->lapped()) tell_gap();
    source_ = Source::own;
    if (own_unsent() > 0 || finishing_) return std::span<const std::byte>(own_).subspan(own_sent_);
  }
  source_ = Source::feed;
  return feed_->more();
}

void Reader::tell_gap() {
  const ring::Sequence from = feed_->place().sequence;
  const ring::Sequence to = channel_.ring().first() - 1;
  ++channel_.statistics().gaps;
  channel_.statistics().lost_messages += to - from + 1;
  feed_->skip_lost();
  on_gap(from, to);
}

void Reader::sent(std::size_t bytes) {
  if (source_ == Source::feed) {
    feed_->advance(bytes);
    return;
  }
  own_sent_ += bytes;
  if (own_sent_ < own_.size()) return;
  own_sent_ = 0;
  own_.clear();
  // Most have little to say of their own: a large answer's memory is not kept for the next.
  if (own_.capacity() > 4096) own_ = {};
}

void Reader::wait_to_write() {
  waiting_to_write_ = true;
  descriptor_.async_wait(Descriptor::wait_write,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->waiting_to_write_ = false;
                           if (self->gone_) return;
                           if (error) return self->leave();
                           self->deliver();
                           if (!self->gone_) self->channel_.on_progress();
                         });
}

void Reader::finish() {
  if (finishing_ || gone_) return;
  finishing_ = true;
  start_close_timer();
  deliver();
}

void Reader::start_close_timer() {
  close_timer_ = std::make_unique<boost::asio::steady_timer>(descriptor_.get_executor(),
                                                             channel_.options().close_timeout);
  close_timer_->async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error) self->leave();
  });
}

void Reader::leave() {
  if (gone_) return;
  gone_ = true;
  const auto self = shared_from_this();
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  if (close_timer_) close_timer_->cancel();
  channel_.detach(*this);
}

}  // namespace wskeep::ipc
