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
               const std::optional<websocket::DeflateParameters>& compression)
    : environment_(environment), statistics_(statistics) {
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
  const std::size_t before = buffer_.size();
  deflated_.clear();
  if (deflater_ && payload.size() >= least_to_compress && deflater_->compress(payload, deflated_)) {
    websocket::append_frame(buffer_, opcode, deflated_, masking_key(), true);
  } else {
    websocket::append_frame(buffer_, opcode, payload, masking_key());
  }
  appended_ += buffer_.size() - before;
  ++statistics_.messages_out;
  statistics_.bytes_out += payload.size();
  if (!observer.expired()) receipts_.push_back({appended_, std::move(observer), token});
}

void Sender::append_control(websocket::Opcode opcode, std::span<const std::byte> payload) {
  const std::size_t before = buffer_.size();
  websocket::append_frame(buffer_, opcode, payload, masking_key());
  appended_ += buffer_.size() - before;
}

net::IoResult Sender::write(net::Transport& transport) {
  net::IoResult result;
  while (unsent() > 0) {
    result = transport.write(std::span<const std::byte>(buffer_).subspan(sent_));
    if (result.status != net::IoResult::Status::done) break;
    sent_ += result.bytes;
    written_ += result.bytes;
    statistics_.wire_bytes_out += result.bytes;
  }
  if (unsent() == 0) {
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
}

}  // namespace wskeep::upstream
