#include "ipc/line_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "ipc/channel.hpp"
#include "ipc/event.hpp"

namespace wskeep::ipc {
namespace {

/// What a page waits before it comes again when the connection was cut.
constexpr std::string_view retry = "retry: 1000\n";

void append(std::vector<std::byte>& output, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  output.insert(output.end(), bytes.begin(), bytes.end());
}

/// Without `follow` the answer ends with what is there now.
Extent extent_of(const Channel& channel, const Subscription& subscription) {
  Extent extent;
  if (subscription.limit) extent.limit = *subscription.limit;
  if (!subscription.follow) extent.until = channel.ring().next();
  return extent;
}

Encoding encoding_of(const Subscription& subscription) {
  return subscription.form == Form::sse ? Encoding::sse : Encoding::ndjson;
}

}  // namespace

std::string stream_head(Form form, const StreamAnswer& answer) {
  return std::string("HTTP/1.1 200 OK\r\nContent-Type: ") +
         (form == Form::sse ? "text/event-stream" : "application/x-ndjson") +
         "\r\nTransfer-Encoding: chunked\r\nCache-Control: no-store\r\nVary: Accept\r\n" +
         answer.headers + "Connection: close\r\n\r\n";
}

LineStream::LineStream(Upstream& upstream, Descriptor descriptor, ClientSlot slot,
                       const Subscription& subscription, std::unique_ptr<EncodedFeed> feed)
    : Reader(upstream.channel(), std::move(descriptor), std::move(slot), std::move(feed),
             subscription.gap.value_or(config::Gap::skip)),
      encoding_(encoding_of(subscription)),
      lines_(static_cast<EncodedFeed&>(Reader::feed())) {}

void LineStream::start(Upstream& upstream, int socket, ClientSlot slot,
                       const Subscription& subscription, std::shared_ptr<BatchMaker> batches,
                       const StreamAnswer& answer) {
  Channel& channel = upstream.channel();
  const Start start = *find_start(channel.ring(), subscription);
  auto feed = std::make_unique<EncodedFeed>(
      channel.ring(), std::move(batches), encoding_of(subscription), start.sequence,
      channel.events().next(), extent_of(channel, subscription));
  const std::shared_ptr<LineStream> self(
      new LineStream(upstream, Descriptor(upstream.executor(), socket), std::move(slot),
                     subscription, std::move(feed)));
  append(self->own(), stream_head(subscription.form, answer));
  if (self->encoding_ == Encoding::sse) self->append_chunk(retry);
  self->append_event(
      hello_event(upstream.name(), channel.ring(), start.sequence, upstream.state_name()),
      start.sequence - 1);
  channel.attach(self);
  if (start.other_epoch || start.lost_from != 0) {
    self->on_gap(start.lost_from, start.other_epoch ? start.sequence - 1 : start.lost_to);
  }
  if (!start.in_message) self->feed().begin_with_message(start.lost_from != 0);
  self->deliver();
  self->watch_for_the_end();
  if (self->encoding_ == Encoding::sse) self->comment_from_time_to_time(answer.comments);
}

std::string LineStream::id_field(ring::Sequence seen) {
  return "id: " + cursor_text({channel().ring().epoch(), seen}) + "\n";
}

void LineStream::append_event(std::string_view json, ring::Sequence seen) {
  std::vector<std::byte> text;
  if (encoding_ == Encoding::sse) {
    append(text, id_field(seen));
  }
  Encoder(encoding_).append_event(text, json);
  append_chunk({reinterpret_cast<const char*>(text.data()), text.size()});
}

void LineStream::append_chunk(std::string_view text) {
  const Encoder encoder(encoding_);
  const std::size_t begin = own().size();
  encoder.begin(own());
  append(own(), text);
  encoder.finish(own(), begin);
}

void LineStream::on_gap(ring::Sequence from, ring::Sequence to) {
  append_event(gap_event(from, to), to);
  if (gap() == config::Gap::close) end_body();
}

void LineStream::on_drained() {
  if (lines_.at_limit()) end_body();
}

void LineStream::end_body() {
  if (ended_) return;
  ended_ = true;
  append(own(), "0\r\n\r\n");
  finish();
}

void LineStream::close(std::uint16_t code, const std::string& reason) {
  if (!ended_ && !gone()) {
    // Without an id: what was not sent any more has not been seen.
    std::vector<std::byte> text;
    Encoder(encoding_).append_event(text, closed_event(code, reason));
    append_chunk({reinterpret_cast<const char*>(text.data()), text.size()});
  }
  end_body();
}

/// Who reads through others may be gone without a word; that is found by writing.
void LineStream::comment_from_time_to_time(std::chrono::milliseconds interval) {
  if (gone() || ended_) return;
  if (!comment_timer_)
    comment_timer_ = std::make_unique<boost::asio::steady_timer>(descriptor().get_executor());
  comment_timer_->expires_after(interval);
  comment_timer_->async_wait(
      [weak = weak_from_this(), interval](const boost::system::error_code& error) {
        const auto self = std::static_pointer_cast<LineStream>(weak.lock());
        if (!self || error || self->gone() || self->ended_) return;
        const ring::Sequence now = self->place().sequence;
        if (self->own_unsent() == 0 && !self->blocked()) {
          // An id without data is no event: of what a filter left out, a page need know no more.
          self->append_chunk(now == self->commented_at_ ? ":\n\n" : self->id_field(now - 1) + "\n");
          self->commented_at_ = now;
          self->deliver();
        }
        self->comment_from_time_to_time(interval);
      });
}

/// The app says nothing more; its end is all that is waited for.
void LineStream::watch_for_the_end() {
  if (gone()) return;
  descriptor().async_wait(
      Descriptor::wait_read, [weak = weak_from_this()](const boost::system::error_code& error) {
        const auto self = std::static_pointer_cast<LineStream>(weak.lock());
        if (!self || self->gone()) return;
        std::array<std::byte, 4096> ignored;
        const ssize_t count =
            error ? 0
                  : ::recv(self->descriptor().native_handle(), ignored.data(), ignored.size(), 0);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return self->leave();
        self->watch_for_the_end();
      });
}

}  // namespace wskeep::ipc
