#include "ipc/merged_stream.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/encoding.hpp"
#include "ipc/event.hpp"
#include "websocket/close.hpp"
#include "websocket/frame_writer.hpp"

namespace wskeep::ipc {
namespace {

using websocket::CloseCode;
using websocket::Opcode;

/// An app says nothing here but pings and its Close.
constexpr std::size_t largest_message = 4096;
/// Batches that one write takes.
constexpr std::size_t most_pieces = 64;
/// Of a stream that never pauses, cursors are told after this much.
constexpr std::size_t cursor_interval = std::size_t{256} << 10U;
/// What an app has to take what is left and to close its end.
constexpr std::chrono::seconds close_timeout{5};

std::atomic<std::size_t> streams{0};

void append(std::vector<std::byte>& output, std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  output.insert(output.end(), bytes.begin(), bytes.end());
}

}  // namespace

std::size_t MergedStream::count() noexcept {
  return streams.load(std::memory_order_relaxed);
}

MergedStream::MergedStream(Descriptor descriptor, ClientSlot slot, std::shared_ptr<ClientView> view,
                           Settings settings)
    : descriptor_(std::move(descriptor)),
      slot_(std::move(slot)),
      view_(std::move(view)),
      settings_(std::move(settings)),
      encoding_(encoding_of(settings_.subscription)),
      in_flight_(std::make_shared<InFlight>(settings_.buffer)),
      frames_({.role = websocket::Role::server, .max_message = largest_message}),
      comment_timer_(descriptor_.get_executor()),
      close_timer_(descriptor_.get_executor()) {
  streams.fetch_add(1, std::memory_order_relaxed);
}

MergedStream::~MergedStream() {
  streams.fetch_sub(1, std::memory_order_relaxed);
}

void MergedStream::start(Descriptor descriptor, ClientSlot slot, std::shared_ptr<ClientView> view,
                         Settings settings, std::span<const std::byte> early_bytes) {
  const auto self = std::make_shared<MergedStream>(std::move(descriptor), std::move(slot),
                                                   std::move(view), std::move(settings));
  self->begin(early_bytes);
}

void MergedStream::begin(std::span<const std::byte> early_bytes) {
  Piece head{.tap = 0, .bytes = {}, .seen = {}};
  append(head.bytes, settings_.head);
  queue_.push_back(std::move(head));
  if (encoding_ == Encoding::sse) append_chunk("retry: 1000\n\n");
  // From here on it lives as long as it waits for its socket.
  want_to_read();
  view_->watch(weak_from_this());
  for (const auto& upstream : view_->all()) {
    if (view_->rights(upstream->name()).has(Right::subscribe))
      add(upstream, settings_.subscription);
  }
  flush();
  if (!early_bytes.empty() && encoding_ == Encoding::wskeep_v1) {
    std::vector<std::byte> input(early_bytes.begin(), early_bytes.end());
    frames_.read(input, *this);
  }
  if (encoding_ == Encoding::sse) comment_from_time_to_time();
  end_when_complete();
}

bool MergedStream::given_all() const {
  return open_sources_ == 0 && !looks_again_;
}

void MergedStream::end_when_complete() {
  if (!settings_.subscription.follow && given_all()) end_body();
}

/// Not before each connection has ended: until then it has things to tell.
void MergedStream::close_when_stopped() {
  if (stopping_ && given_all())
    close(static_cast<std::uint16_t>(CloseCode::going_away), "wskeepd is stopping");
}

void MergedStream::add(const std::shared_ptr<Upstream>& upstream,
                       const Subscription& subscription) {
  const std::uint64_t number = next_tap_++;
  Source source;
  source.name = upstream->name();
  source.upstream = upstream;
  source.was = upstream.get();
  sources_.emplace(number, std::move(source));
  ++open_sources_;
  Tap::Wiring wiring{.number = number,
                     .client_executor = descriptor_.get_executor(),
                     .client = weak_from_this(),
                     .in_flight = in_flight_};
  boost::asio::post(upstream->executor(), [upstream, subscription, most = settings_.most_filters,
                                           wiring = std::move(wiring)] {
    Tap::open(*upstream, subscription, most, wiring);
  });
}

void MergedStream::opened(std::uint64_t number, std::shared_ptr<Tap> tap) {
  const auto found = sources_.find(number);
  if (found == sources_.end() || found->second.upstream == nullptr) return;
  found->second.tap = std::move(tap);
  if (gone_ || finishing_ || found->second.unwanted) release(found->second);
}

/// The tap, and the handle to its connection, are let go of on the connection's shard.
void MergedStream::release(Source& source) {
  if (!source.tap) return;
  const auto executor = source.upstream->executor();
  boost::asio::post(executor, [tap = std::exchange(source.tap, nullptr),
                               upstream = std::exchange(source.upstream, nullptr)] { tap->end(); });
  --open_sources_;
}

void MergedStream::end_tap(Source& source) {
  source.unwanted = true;
  release(source);
}

void MergedStream::take(Piece piece) {
  const auto found = sources_.find(piece.tap);
  const bool wanted = found != sources_.end() && !found->second.unwanted;
  if (gone_ || finishing_ || !wanted) {
    in_flight_->bytes.fetch_sub(piece.bytes.size(), std::memory_order_relaxed);
    return;
  }
  since_cursors_ += piece.bytes.size();
  seen_.insert_or_assign(found->second.name, piece.seen);
  queue_.push_back(std::move(piece));
  if (since_cursors_ >= cursor_interval) append_cursors();
  flush();
}

void MergedStream::append_cursors() {
  since_cursors_ = 0;
  if (encoding_ == Encoding::sse) append_chunk("id: " + cursors_text(seen_) + "\n\n");
}

void MergedStream::wants_to_go_on(std::uint64_t tap) {
  waiting_.push_back(tap);
  wake_taps();
}

/// All at once: each takes a batch, and waits again when others were quicker.
void MergedStream::wake_taps() {
  if (waiting_.empty() || in_flight_->bytes.load(std::memory_order_relaxed) > in_flight_->limit / 2)
    return;
  for (const std::uint64_t number : std::exchange(waiting_, {})) {
    const auto found = sources_.find(number);
    if (found == sources_.end() || found->second.upstream == nullptr) continue;
    if (!found->second.tap) {
      waiting_.push_back(number);  // it is about to be opened here
      continue;
    }
    boost::asio::post(found->second.upstream->executor(),
                      [tap = found->second.tap] { tap->go_on(); });
  }
}

void MergedStream::ended(std::uint64_t tap, End end) {
  const auto found = sources_.find(tap);
  if (found == sources_.end() || gone_ || finishing_) return;
  Source& source = found->second;
  if (end.kind == End::Kind::gap) {
    return close(static_cast<std::uint16_t>(CloseCode::try_again_later),
                 end.lost == 0 ? "lost an unknown number of messages"
                               : "lost " + std::to_string(end.lost) + " messages");
  }
  if (end.kind == End::Kind::refused) {
    return close(static_cast<std::uint16_t>(CloseCode::try_again_later),
                 "a connection has ipc.limits.filters different filters already");
  }
  release(source);
  if (source.upstream) {
    source.upstream.reset();
    --open_sources_;
  }
  if (end.kind == End::Kind::closed && !stopping_) look_again();
  if (!gone_ && !finishing_) end_when_complete();
  close_when_stopped();
}

/// For one that has closed, another of its name may be there. Once for all that close together:
/// there may be thousands.
void MergedStream::look_again() {
  if (std::exchange(looks_again_, true)) return;
  boost::asio::post(descriptor_.get_executor(), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->looks_again_ = false;
    self->directory_changed();
    if (self->gone_ || self->finishing_) return;
    self->end_when_complete();
    self->close_when_stopped();
  });
}

void MergedStream::directory_changed() {
  if (gone_ || finishing_) return;
  std::map<std::string, std::shared_ptr<Upstream>, std::less<>> there;
  for (auto& upstream : view_->all()) {
    if (view_->rights(upstream->name()).has(Right::subscribe))
      there.emplace(upstream->name(), std::move(upstream));
  }
  for (auto entry = sources_.begin(); entry != sources_.end();) {
    Source& source = entry->second;
    const auto found = there.find(source.name);
    if (found != there.end() && found->second.get() == source.was) {
      there.erase(found);
    } else if (!source.unwanted) {
      end_tap(source);
      seen_.erase(source.name);
      // One of the same name has taken its place: its own `hello` says so.
      if (found == there.end()) tell_removed(source.name);
    }
    entry =
        source.unwanted && source.upstream == nullptr ? sources_.erase(entry) : std::next(entry);
  }
  // All of what is new is news.
  Subscription subscription = settings_.subscription;
  subscription.from = Subscription::From::cursor;
  subscription.after_all.clear();
  for (const auto& [name, upstream] : there) add(upstream, subscription);
  flush();
}

void MergedStream::tell_removed(const std::string& name) {
  send_own(boost::json::serialize(boost::json::object{{"event", "removed"}, {"connection", name}}));
}

void MergedStream::daemon_stops() {
  stopping_ = true;
  close_when_stopped();
}

// -- what it is sent

void MergedStream::send_own(std::string_view json) {
  if (close_sent_) return;
  const Encoder encoder(encoding_);
  std::vector<std::byte> bytes;
  encoder.begin(bytes);
  encoder.append_event(bytes, json);
  encoder.finish(bytes, 0);
  queue_.push_back({.tap = 0, .bytes = std::move(bytes), .seen = {}});
}

void MergedStream::append_chunk(std::string_view text) {
  Piece chunk{.tap = 0, .bytes = {}, .seen = {}};
  const Encoder encoder(encoding_);
  encoder.begin(chunk.bytes);
  append(chunk.bytes, text);
  encoder.finish(chunk.bytes, 0);
  queue_.push_back(std::move(chunk));
}

void MergedStream::flush() {
  while (!gone_ && !waiting_to_write_) {
    if (queue_.empty() && since_cursors_ > 0 && !finishing_) append_cursors();
    if (queue_.empty()) break;
    std::array<iovec, most_pieces> pieces;
    std::size_t count = 0;
    for (; count < std::min(queue_.size(), pieces.size()); ++count) {
      const auto bytes = std::span(queue_[count].bytes).subspan(count == 0 ? front_sent_ : 0);
      pieces[count] = {const_cast<std::byte*>(bytes.data()), bytes.size()};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = count;
    const ssize_t sent =
        ::sendmsg(descriptor_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
      written(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_to_write();
    } else if (errno != EINTR) {
      return leave();
    }
  }
  if (gone_) return;
  static_cast<void>(slot_.hold(in_flight_->bytes.load(std::memory_order_relaxed)));
  if (finishing_ && queue_.empty() && !std::exchange(shut_, true))
    ::shutdown(descriptor_.native_handle(), SHUT_WR);
}

void MergedStream::written(std::size_t bytes) {
  commented_ = true;
  while (bytes > 0) {
    Piece& front = queue_.front();
    const std::size_t left = front.bytes.size() - front_sent_;
    if (bytes < left) {
      front_sent_ += bytes;
      return wake_taps();
    }
    bytes -= left;
    front_sent_ = 0;
    if (front.tap != 0) in_flight_->bytes.fetch_sub(front.bytes.size(), std::memory_order_relaxed);
    queue_.pop_front();
  }
  wake_taps();
}

void MergedStream::wait_to_write() {
  waiting_to_write_ = true;
  descriptor_.async_wait(Descriptor::wait_write,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           self->waiting_to_write_ = false;
                           if (self->gone_) return;
                           if (error) return self->leave();
                           self->flush();
                         });
}

void MergedStream::comment_from_time_to_time() {
  if (gone_ || finishing_) return;
  comment_timer_.expires_after(settings_.comments);
  comment_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || self->gone_ || self->finishing_) return;
    if (!std::exchange(self->commented_, false) && self->queue_.empty()) {
      self->append_chunk(":\n\n");
      self->flush();
      self->commented_ = false;
    }
    self->comment_from_time_to_time();
  });
}

// -- what it says

void MergedStream::want_to_read() {
  if (gone_) return;
  descriptor_.async_wait(Descriptor::wait_read,
                         [self = shared_from_this()](const boost::system::error_code& error) {
                           if (self->gone_) return;
                           if (error) return self->leave();
                           self->read();
                           self->want_to_read();
                         });
}

void MergedStream::read() {
  std::array<std::byte, 4096> buffer;
  const ssize_t count =
      ::recv(descriptor_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
    return leave();
  if (count < 0 || encoding_ != Encoding::wskeep_v1) return;
  const auto result = frames_.read(std::span(buffer).first(static_cast<std::size_t>(count)), *this);
  if (result.violation) {
    close(static_cast<std::uint16_t>(result.violation->code), result.violation->reason);
  }
}

bool MergedStream::on_message(Opcode /*opcode*/, std::span<std::byte> /*payload*/) {
  close(static_cast<std::uint16_t>(CloseCode::policy_violation),
        "nothing can be sent to all connections: subscribe to one");
  return true;
}

bool MergedStream::on_part(websocket::MessageReader::Part /*part*/,
                           std::span<std::byte> /*payload*/) {
  return true;
}

void MergedStream::on_control(Opcode opcode, std::span<const std::byte> payload) {
  if (opcode == Opcode::ping && !close_sent_) {
    Piece pong{.tap = 0, .bytes = {}, .seen = {}};
    websocket::append_frame(pong.bytes, Opcode::pong, payload, std::nullopt);
    // Who pings and does not read what it is answered is not answered for ever.
    if (queue_.size() < most_pieces) queue_.push_back(std::move(pong));
    flush();
  } else if (opcode == Opcode::close) {
    if (close_sent_) return leave();
    const auto received = websocket::parse_close(payload);
    const CloseCode code = received.violation ? received.violation->code : received.payload.code;
    close(static_cast<std::uint16_t>(code), "");
  }
}

// -- its end

void MergedStream::end_body() {
  if (finishing_ || gone_) return;
  if (since_cursors_ > 0) append_cursors();
  Piece last{.tap = 0, .bytes = {}, .seen = {}};
  append(last.bytes, "0\r\n\r\n");
  queue_.push_back(std::move(last));
  finish();
}

void MergedStream::close(std::uint16_t code, std::string_view reason) {
  if (encoding_ != Encoding::wskeep_v1) {
    if (!finishing_ && !gone_) send_own(closed_event(code, reason));
    return end_body();
  }
  if (close_sent_ || gone_) return;
  close_sent_ = true;
  std::vector<std::byte> payload;
  websocket::append_close_payload(payload, CloseCode{code}, reason);
  Piece last{.tap = 0, .bytes = {}, .seen = {}};
  websocket::append_frame(last.bytes, Opcode::close, payload, std::nullopt);
  queue_.push_back(std::move(last));
  finish();
}

void MergedStream::finish() {
  finishing_ = true;
  for (auto& [number, source] : sources_) end_tap(source);
  close_timer_.expires_after(close_timeout);
  close_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (const auto self = weak.lock(); self && !error) self->leave();
  });
  flush();
}

void MergedStream::leave() {
  if (std::exchange(gone_, true)) return;
  for (auto& [number, source] : sources_) end_tap(source);
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  comment_timer_.cancel();
  close_timer_.cancel();
}

}  // namespace wskeep::ipc
