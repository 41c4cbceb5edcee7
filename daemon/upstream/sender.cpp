#include "daemon/upstream/sender.hpp"

#include <bit>
#include <utility>

#include "websocket/frame_writer.hpp"

namespace wskeep::upstream {
namespace {

/// A message shorter than this does not get smaller.
constexpr std::size_t least_to_compress = 64;
/// A buffer that a burst has made larger is given back.
constexpr std::size_t kept_capacity = 4096;

}  // namespace

Sender::Sender(daemon::Environment& environment, Statistics& statistics,
               const std::optional<websocket::DeflateParameters>& compression, config::Rate rate)
    : environment_(environment), statistics_(statistics) {
  if (!rate.off()) queue_ = std::make_unique<SendQueue>(rate);
  if (compression) {
    deflater_ = std::make_unique<websocket::Deflater>(compression->client_max_window_bits,
                                                      compression->client_no_context_takeover);
  }
}

websocket::MaskingKey Sender::masking_key() {
  return std::bit_cast<websocket::MaskingKey>(environment_.unpredictable());
}

void Sender::append_message(websocket::Opcode opcode, std::span<const std::byte> payload,
                            std::weak_ptr<ipc::PublishObserver> observer, std::uint64_t token) {
  if (stream_) {
    held_ += payload.size();
    stream_->held.push_back({opcode, {payload.begin(), payload.end()}, std::move(observer), token});
    return;
  }
  ++statistics_.messages_out;
  statistics_.bytes_out += payload.size();
  deflated_.clear();
  const bool compressed =
      deflater_ && payload.size() >= least_to_compress && deflater_->compress(payload, deflated_);
  append_frame(opcode, compressed ? deflated_ : payload, compressed, true,
               {0, std::move(observer), token});
}

/// `compressed`: it begins a message that is. The receipt's end is set here.
void Sender::append_frame(websocket::Opcode opcode, std::span<const std::byte> payload,
                          bool compressed, bool last, Receipt receipt) {
  std::vector<std::byte>& buffer = queue_ ? queue_->messages() : buffer_;
  const std::size_t before = buffer.size();
  websocket::append_frame(buffer, opcode, payload, masking_key(), compressed, last);
  const std::size_t size = buffer.size() - before;
  if (queue_) {
    waiting_ += size;
    return queue_->add_message({size, std::move(receipt.observer), receipt.token});
  }
  appended_ += size;
  receipt.end = appended_;
  if (!receipt.observer.expired()) receipts_.push_back(std::move(receipt));
}

void Sender::append_part(ipc::MessagePart part, std::span<const std::byte> payload,
                         const std::shared_ptr<ipc::PublishObserver>& publisher,
                         std::uint64_t token) {
  if (part.first) {
    stream_ = std::make_unique<Stream>();
    stream_->identity = publisher.get();
    stream_->observer = publisher;
    stream_->token = token;
  }
  statistics_.bytes_out += payload.size();
  deflated_.clear();
  if (deflater_ && (part.first || stream_->compressed))
    stream_->compressed = deflater_->compress_part(payload, part.last, deflated_);
  Receipt receipt{0, {}, token};
  if (part.last) receipt.observer = publisher;
  append_frame(part.first ? part.opcode : websocket::Opcode::continuation,
               stream_->compressed ? deflated_ : payload, stream_->compressed && part.first,
               part.last, std::move(receipt));
  if (!part.last) return;
  ++statistics_.messages_out;
  end_stream();
}

void Sender::end_stream() {
  const auto stream = std::exchange(stream_, nullptr);
  held_ = 0;
  for (Stream::Held& held : stream->held)
    append_message(held.opcode, held.payload, std::move(held.observer), held.token);
}

void Sender::append_control(websocket::Opcode opcode, std::span<const std::byte> payload) {
  if (queue_) {
    std::vector<std::byte> frame;
    websocket::append_frame(frame, opcode, payload, masking_key());
    queue_->add_control(opcode, std::move(frame));
    waiting_ = queue_->bytes();
    return;
  }
  const std::size_t before = buffer_.size();
  websocket::append_frame(buffer_, opcode, payload, masking_key());
  appended_ += buffer_.size() - before;
}

/// What the limit lets go now.
void Sender::release() {
  const daemon::TimePoint now = environment_.now();
  while (auto receipt = queue_->take(now, buffer_)) {
    appended_ += receipt->size;
    frame_ends_.push_back(appended_);
    if (!receipt->observer.expired())
      receipts_.push_back({appended_, std::move(receipt->observer), receipt->token});
  }
  waiting_ = queue_->bytes();
}

/// The clock is read behind the write, so that what is promised holds however long it took.
void Sender::count_written() {
  std::uint32_t frames = 0;
  for (; !frame_ends_.empty() && frame_ends_.front() <= written_; ++frames) frame_ends_.pop_front();
  if (frames > 0) queue_->written(frames, environment_.now());
}

net::IoResult Sender::write(net::Transport& transport) {
  net::IoResult result;
  if (queue_) release();
  while (released() > 0) {
    result = transport.write(std::span<const std::byte>(buffer_).subspan(sent_));
    if (result.status != net::IoResult::Status::done) break;
    sent_ += result.bytes;
    written_ += result.bytes;
    statistics_.wire_bytes_out += result.bytes;
  }
  if (queue_) count_written();
  if (released() == 0) {
    sent_ = 0;
    buffer_.clear();
    if (buffer_.capacity() > kept_capacity) buffer_ = {};
    if (deflated_.capacity() > kept_capacity) deflated_ = {};
  } else if (sent_ > buffer_.size() / 2) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(sent_));
    sent_ = 0;
  }
  return result;
}

void Sender::tell_written() {
  while (!receipts_.empty() && receipts_.front().end <= written_) {
    const Receipt receipt = std::move(receipts_.front());
    receipts_.pop_front();
    if (const auto observer = receipt.observer.lock()) observer->on_written(receipt.token);
  }
}

void Sender::tell_unknown(const ipc::Rejection& reason) {
  const auto receipts = std::exchange(receipts_, {});
  for (const Receipt& receipt : receipts) {
    if (const auto observer = receipt.observer.lock()) observer->on_unknown(receipt.token, reason);
  }
  if (queue_) {
    for (const auto& receipt : queue_->abandon()) {
      if (const auto observer = receipt.observer.lock())
        observer->on_unknown(receipt.token, reason);
    }
  }
  const auto stream = std::exchange(stream_, nullptr);
  if (!stream) return;
  if (const auto observer = stream->observer.lock()) observer->on_unknown(stream->token, reason);
  for (const Stream::Held& held : stream->held) {
    if (const auto observer = held.observer.lock()) observer->on_failed(held.token, reason);
  }
}

}  // namespace wskeep::upstream
