#include "ipc/line_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "ipc/channel.hpp"
#include "ipc/event.hpp"

namespace wskeep::ipc {
namespace {

constexpr std::string_view response_head =
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: application/x-ndjson\r\n"
    "Transfer-Encoding: chunked\r\n"
    "Cache-Control: no-store\r\n"
    "Connection: close\r\n\r\n";

void append(std::vector<std::byte>& output, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  output.insert(output.end(), bytes.begin(), bytes.end());
}

/// Without `follow` the answer ends with what is there now.
std::size_t message_limit(const Channel& channel, const Subscription& subscription,
                          ring::Sequence start) {
  const std::size_t limit = subscription.limit.value_or(EncodedFeed::no_limit);
  if (subscription.follow) return limit;
  return std::min(limit, static_cast<std::size_t>(channel.ring().next() - start));
}

}  // namespace

LineStream::LineStream(Upstream& upstream, Descriptor descriptor, ClientSlot slot,
                       const Subscription& subscription, std::unique_ptr<EncodedFeed> feed)
    : Reader(upstream.channel(), std::move(descriptor), std::move(slot), std::move(feed),
             subscription.gap.value_or(config::Gap::skip)),
      lines_(static_cast<EncodedFeed&>(Reader::feed())) {}

void LineStream::start(Upstream& upstream, int socket, ClientSlot slot,
                       const Subscription& subscription) {
  Channel& channel = upstream.channel();
  const Start start = *find_start(channel.ring(), subscription);
  auto feed = std::make_unique<EncodedFeed>(channel.ring(), channel.batches(), Encoding::ndjson,
                                            start.sequence, channel.events().next(),
                                            message_limit(channel, subscription, start.sequence));
  const std::shared_ptr<LineStream> self(
      new LineStream(upstream, Descriptor(upstream.executor(), socket), std::move(slot),
                     subscription, std::move(feed)));
  append(self->own(), response_head);
  self->append_chunk(
      hello_event(upstream.name(), channel.ring(), start.sequence, upstream.state_name()));
  channel.attach(self);
  if (start.other_epoch || start.lost_from != 0) {
    self->on_gap(start.lost_from, start.other_epoch ? start.sequence - 1 : start.lost_to);
  }
  self->deliver();
  self->watch_for_the_end();
}

void LineStream::append_chunk(std::string_view line) {
  const Encoder encoder(Encoding::ndjson);
  const std::size_t begin = own().size();
  encoder.begin(own());
  encoder.append_event(own(), line);
  encoder.finish(own(), begin);
}

void LineStream::on_gap(ring::Sequence from, ring::Sequence to) {
  append_chunk(gap_event(from, to));
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

void LineStream::close(std::uint16_t /*code*/, const std::string& /*reason*/) {
  end_body();
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
