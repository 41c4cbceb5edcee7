#include "ipc/reader.hpp"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "ipc/channel.hpp"
#include "websocket/close.hpp"

namespace wskeep::ipc {

Reader::Reader(Channel& channel, Descriptor descriptor, ClientSlot slot, std::unique_ptr<Feed> feed,
               config::Gap gap)
    : channel_(channel),
      descriptor_(std::move(descriptor)),
      slot_(std::move(slot)),
      feed_(std::move(feed)),
      gap_(gap),
      came_at_(channel.ring().next()) {}

void Reader::deliver() {
  if (blocked() || delivering_) return;
  delivering_ = true;
  while (!gone_) {
    const auto output = next_output();
    if (output.empty()) break;
    const ssize_t count = transmit(output);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) {
        waiting_to_write_ = true;
        wait_to_write();
      } else {
        leave();
      }
      break;
    }
    sent(static_cast<std::size_t>(count));
    if (static_cast<std::size_t>(count) < output.size()) {
      waiting_to_write_ = true;
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
  if (feed_->passes_over()) feed_->pass_over();
  const bool lapped = !finishing_ && feed_->lapped();
  if (own_unsent() > 0 || finishing_ || lapped) {
    source_ = Source::feed;
    if (const auto rest = feed_->rest(); !rest.empty()) return rest;
    if (lapped && feed_->lapped()) tell_gap();
    source_ = Source::own;
    if (own_unsent() > 0 || finishing_) return std::span<const std::byte>(own_).subspan(own_sent_);
  }
  source_ = Source::feed;
  if (feed_->passes_over()) return {};
  return feed_->more();
}

void Reader::tell_gap() {
  const bool in_message = feed_->in_message();
  const auto [from, to] = feed_->skip_lost();
  lost_messages_ += to - from + 1;
  channel_.note_lapped(*this, to - from + 1);
  on_gap(from, to);
  if (in_message) broken_off();
}

void Reader::sent(std::size_t bytes) {
  sent_bytes_ += bytes;
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

ssize_t Reader::transmit(std::span<const std::byte> bytes) {
  return ::send(descriptor_.native_handle(), bytes.data(), bytes.size(),
                MSG_DONTWAIT | MSG_NOSIGNAL);
}

void Reader::wait_to_write() {
  descriptor_.async_wait(Descriptor::wait_write,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->writable(error);
                         });
}

void Reader::writable(const boost::system::error_code& error) {
  waiting_to_write_ = false;
  if (gone_) return;
  if (error) return leave();
  const ring::Sequence first = first_unsent();
  deliver();
  if (gone_) return;
  note_delivery(first);
  channel_.on_progress();
}

/// Of those that it could not take when they came: `first`, which was the oldest, and what was
/// given to it with that.
void Reader::note_delivery(ring::Sequence first) {
  if (finishing_) return;
  const ring::Sequence oldest = std::max({first, came_at_, channel_.ring().first()});
  if (oldest < first_unsent()) channel_.note_delivery(oldest);
}

void Reader::revise(Rights rights) {
  slot_.rights(rights);
  if (rights.has(Right::subscribe) || finishing_ || gone_) return;
  close(static_cast<std::uint16_t>(websocket::CloseCode::policy_violation),
        "the right to subscribe was taken away");
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
  on_left();
}

ring::Sequence Reader::first_unsent() const noexcept {
  return finishing_ ? channel_.ring().next() : feed_->first_unsent();
}

ReaderInformation Reader::information() const {
  const int socket = const_cast<Descriptor&>(descriptor_).native_handle();
  ReaderInformation information{.kind = kind(),
                                .sent_bytes = sent_bytes_,
                                .lost_messages = lost_messages_,
                                .waits = waiting_to_write_};
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0) {
    information.uid = peer.uid;
    information.pid = peer.pid;
  }
  int unread = 0;
  if (::ioctl(socket, SIOCOUTQ, &unread) == 0 && unread > 0)
    information.unread_bytes = static_cast<std::uint64_t>(unread);
  const ring::Ring& ring = channel_.ring();
  const ring::Sequence next = first_unsent();
  information.lag_messages = ring.next() - next;
  if (information.lag_messages > 0 && !ring.empty())
    information.oldest_unsent_ns = ring.entry(std::max(next, ring.first())).time_ns;
  return information;
}

}  // namespace wskeep::ipc
