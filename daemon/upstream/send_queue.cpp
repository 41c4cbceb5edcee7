#include "daemon/upstream/send_queue.hpp"

#include <utility>

namespace wskeep::upstream {
namespace {

using daemon::TimePoint;
using websocket::Opcode;

/// A buffer that a burst has made larger is given back.
constexpr std::size_t kept_capacity = 4096;

}  // namespace

SendQueue::SendQueue(config::Rate rate) noexcept : limit_(rate), reserve_(rate.count > 1 ? 1 : 0) {}

void SendQueue::add_message(Receipt receipt) {
  receipts_.push_back(std::move(receipt));
}

void SendQueue::add_control(Opcode opcode, std::vector<std::byte> frame) {
  if (closed_) return;
  if (opcode == Opcode::close) {
    closed_ = true;
    controls_ = {};
    messages_ = {};
    taken_ = 0;
    controls_[close] = std::move(frame);
  } else {
    controls_[opcode == Opcode::pong ? pong : ping] = std::move(frame);
  }
}

SendQueue::Control SendQueue::next_control() const noexcept {
  if (!controls_[close].empty()) return close;
  if (control_was_last_ && message_waits()) return none;
  if (!controls_[pong].empty()) return pong;
  return controls_[ping].empty() ? none : ping;
}

/// 0: nothing waits.
std::uint32_t SendQueue::places_needed() const noexcept {
  if (next_control() != none) return 1;
  return message_waits() ? 1 + reserve_ : 0;
}

std::optional<SendQueue::Receipt> SendQueue::take(TimePoint now, std::vector<std::byte>& output) {
  const std::uint32_t needed = places_needed();
  if (needed == 0 || limit_.places(now) < needed) return std::nullopt;
  limit_.hand_over();
  const Control control = next_control();
  if (control != none) {
    control_was_last_ = true;
    const auto frame = std::exchange(controls_[control], {});
    output.insert(output.end(), frame.begin(), frame.end());
    return Receipt{frame.size(), {}, 0};
  }
  control_was_last_ = false;
  Receipt receipt = std::move(receipts_.front());
  receipts_.pop_front();
  take_message(receipt.size, output);
  return receipt;
}

void SendQueue::take_message(std::size_t size, std::vector<std::byte>& output) {
  const auto begin = messages_.begin() + static_cast<std::ptrdiff_t>(taken_);
  output.insert(output.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
  taken_ += size;
  if (taken_ == messages_.size()) {
    messages_.clear();
    taken_ = 0;
    if (messages_.capacity() > kept_capacity) messages_ = {};
  } else if (taken_ > messages_.size() / 2) {
    messages_.erase(messages_.begin(), messages_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }
}

TimePoint SendQueue::next_at() const noexcept {
  const std::uint32_t needed = places_needed();
  return needed == 0 ? TimePoint::max() : limit_.free_at(needed);
}

bool SendQueue::idle(TimePoint now) noexcept {
  return places_needed() == 0 && !closed_ && limit_.places(now) > reserve_;
}

std::size_t SendQueue::bytes() const noexcept {
  std::size_t bytes = messages_.size() - taken_;
  for (const auto& frame : controls_) bytes += frame.size();
  return bytes;
}

}  // namespace wskeep::upstream
