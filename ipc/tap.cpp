#include "ipc/tap.hpp"

#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/event.hpp"

namespace wskeep::ipc {

Subscription subscription_of(const Subscription& all, std::string_view name,
                             const ring::Ring& ring) {
  Subscription one = all;
  if (all.from != Subscription::From::cursor) return one;
  const auto found = all.after_all.find(name);
  one.after = found == all.after_all.end() ? Cursor{ring.epoch(), 0} : found->second;
  return one;
}

Encoding encoding_of(const Subscription& subscription) noexcept {
  if (subscription.form == Form::websocket) return Encoding::wskeep_v1;
  return subscription.form == Form::sse ? Encoding::sse : Encoding::ndjson;
}

Tap::Tap(Upstream& upstream, std::unique_ptr<EncodedFeed> feed, config::Gap gap, Encoding encoding,
         Wiring wiring)
    : Reader(upstream.channel(), Descriptor(upstream.executor()), ClientSlot(), std::move(feed),
             gap),
      name_(upstream.name()),
      encoding_(encoding),
      wiring_(std::move(wiring)) {}

void Tap::open(Upstream& upstream, const Subscription& subscription, std::size_t most_filters,
               Wiring wiring) {
  Channel& channel = upstream.channel();
  const Subscription own = subscription_of(subscription, upstream.name(), channel.ring());
  const auto start = find_start(channel.ring(), own);
  auto batches = channel.batches(upstream.name(), subscription.filter, most_filters);
  if (!start || !batches) {
    boost::asio::post(wiring.client_executor, [wiring] {
      if (const auto client = wiring.client.lock())
        client->ended(wiring.number, {.kind = TapClient::End::Kind::refused});
    });
    return;
  }
  Extent extent;
  if (!subscription.follow) extent.until = channel.ring().next();
  const Encoding encoding = encoding_of(subscription);
  auto feed = std::make_unique<EncodedFeed>(channel.ring(), std::move(batches), encoding,
                                            start->sequence, channel.events().next(), extent);
  std::shared_ptr<Tap> self(new Tap(upstream, std::move(feed),
                                    subscription.gap.value_or(config::Gap::skip), encoding,
                                    std::move(wiring)));
  self->append_event(
      hello_event(upstream.name(), channel.ring(), start->sequence, upstream.state_name()));
  channel.attach(self);
  if (start->other_epoch || start->lost_from != 0)
    self->on_gap(start->lost_from, start->other_epoch ? start->sequence - 1 : start->lost_to);
  if (!start->in_message) self->feed().begin_with_message(start->lost_from != 0);
  boost::asio::post(self->wiring_.client_executor, [self = self, client = self->wiring_.client,
                                                    number = self->wiring_.number]() mutable {
    if (const auto alive = client.lock()) return alive->opened(number, std::move(self));
    const auto shard = self->descriptor().get_executor();
    boost::asio::post(shard, [tap = std::move(self)] { tap->end(); });
  });
  self->deliver();
}

void Tap::append_event(std::string_view json) {
  const Encoder encoder(encoding_, {.connection = name_});
  const std::size_t begin = own().size();
  encoder.begin(own());
  encoder.append_event(own(), json);
  encoder.finish(own(), begin);
}

void Tap::on_gap(ring::Sequence from, ring::Sequence to) {
  append_event(gap_event(from, to));
  if (gap() == config::Gap::close)
    last_ =
        TapClient::End{.kind = TapClient::End::Kind::gap, .lost = from == 0 ? 0 : to - from + 1};
}

void Tap::on_drained() {
  if (gone() || !static_cast<EncodedFeed&>(feed()).at_limit()) return;
  tell_end({.kind = TapClient::End::Kind::complete});
  leave();
}

void Tap::close(std::uint16_t /*code*/, const std::string& /*reason*/) {
  if (gone()) return;
  tell_end({.kind = TapClient::End::Kind::closed});
  leave();
}

void Tap::tell_end(TapClient::End end) {
  if (std::exchange(told_end_, true)) return;
  boost::asio::post(wiring_.client_executor,
                    [client = wiring_.client, number = wiring_.number, end] {
                      if (const auto alive = client.lock()) alive->ended(number, end);
                    });
}

ssize_t Tap::transmit(std::span<const std::byte> bytes) {
  InFlight& in_flight = *wiring_.in_flight;
  if (in_flight.bytes.load(std::memory_order_relaxed) >= in_flight.limit) {
    errno = EAGAIN;
    return -1;
  }
  in_flight.bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
  // What is sent is whole messages, so that those of several connections can follow each other.
  TapClient::Piece piece{.tap = wiring_.number,
                         .bytes = {bytes.begin(), bytes.end()},
                         .seen = {channel().ring().epoch(), place().sequence - 1}};
  boost::asio::post(wiring_.client_executor,
                    [client = wiring_.client, piece = std::move(piece)]() mutable {
                      if (const auto alive = client.lock()) alive->take(std::move(piece));
                    });
  if (last_) {
    tell_end(*last_);
    leave();
  }
  return static_cast<ssize_t>(bytes.size());
}

void Tap::wait_to_write() {
  boost::asio::post(wiring_.client_executor, [client = wiring_.client, number = wiring_.number] {
    if (const auto alive = client.lock()) alive->wants_to_go_on(number);
  });
}

}  // namespace wskeep::ipc
