#include "websocket/message_reader.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "websocket/utf8.hpp"

namespace wskeep::websocket {
namespace {

/// The most bytes a compressed message may have on the wire. Deflate lengthens what it cannot
/// shorten by far less than this allows; without a bound, empty blocks could go on for ever and
/// yield nothing.
std::uint64_t compressed_limit(std::uint64_t max_message) noexcept {
  const std::uint64_t allowance = max_message / 16 + 1024;
  return max_message > std::numeric_limits<std::uint64_t>::max() - allowance
             ? max_message
             : max_message + allowance;
}

}  // namespace

MessageReader::Event MessageReader::next(std::span<std::byte>& input) {
  while (!stopped_) {
    if (!in_frame_ && !read_header(input)) break;
    if (compressed_ && options_.form == Form::frames && !is_control(frame_.opcode)) {
      const Event event = inflate_part(input);
      if (event != Event::input_used_up || in_frame_) return event;
      continue;
    }
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(frame_.payload_size - frame_read_, input.size()));
    const std::span<std::byte> piece = input.first(size);
    input = input.subspan(size);
    if (frame_.masked) apply_mask(piece, frame_.mask, frame_read_);
    frame_read_ += size;
    const Event event = is_control(frame_.opcode) ? take_control(piece) : take_data(piece);
    if (event != Event::input_used_up) return event;
    if (in_frame_) return event;
  }
  return stopped_ ? Event::stop : Event::input_used_up;
}

/// True if a frame has begun; otherwise the input is used up or refused.
bool MessageReader::read_header(std::span<std::byte>& input) {
  Violation violation;
  std::span<const std::byte> front = input;
  const std::size_t kept = front_size_;
  if (kept > 0) {
    const std::size_t added = std::min(input.size(), front_.size() - kept);
    std::copy_n(input.begin(), added, front_.begin() + static_cast<std::ptrdiff_t>(kept));
    front = std::span(front_).first(kept + added);
  }
  const HeaderStatus status = parse_header(front, options_.role, frame_, violation);
  if (status == HeaderStatus::invalid) {
    refuse(violation.code, violation.reason);
    return false;
  }
  if (status == HeaderStatus::incomplete) {
    if (kept == 0) std::copy(front.begin(), front.end(), front_.begin());
    front_size_ = static_cast<std::uint8_t>(front.size());
    input = {};
    return false;
  }
  input = input.subspan(frame_.size - kept);
  front_size_ = 0;
  return begin_frame();
}

/// What parse_header could not judge. False if refused.
bool MessageReader::begin_frame() {
  const bool data = !is_control(frame_.opcode);
  if (frame_.rsv1 && (!data || frame_.opcode == Opcode::continuation || inflater_ == nullptr)) {
    refuse(CloseCode::protocol_error, "reserved bit set");
    return false;
  }
  if (data && !begin_data_frame()) return false;
  in_frame_ = true;
  frame_read_ = 0;
  control_size_ = 0;
  return true;
}

bool MessageReader::begin_data_frame() {
  const bool continues = frame_.opcode == Opcode::continuation;
  if (continues != (fragments_ > 0)) {
    refuse(CloseCode::protocol_error,
           continues ? "continuation of no message" : "new message within another one");
    return false;
  }
  if (!continues) {
    message_opcode_ = frame_.opcode;
    compressed_ = frame_.rsv1;
    received_ = 0;
  }
  // The limits are judged before the payload has come.
  if (options_.form == Form::frames)
    in_parts_ = in_parts_ || !frame_.fin || frame_.payload_size > options_.max_message;
  if (!in_parts_) {
    const std::uint64_t limit =
        compressed_ ? compressed_limit(options_.max_message) : options_.max_message;
    const bool too_big = frame_.payload_size > limit - received_;
    if (too_big && options_.form == Form::whole) {
      refuse(CloseCode::message_too_big, "message too big");
      return false;
    }
    if (fragments_ >= options_.max_fragments) {
      refuse(CloseCode::policy_violation, "too many fragments");
      return false;
    }
    in_parts_ = too_big && !compressed_;
    received_ += frame_.payload_size;
  }
  fragments_ = std::max(fragments_ + 1, 1U);
  return true;
}

MessageReader::Event MessageReader::take_control(std::span<std::byte> piece) {
  const bool ended = frame_read_ == frame_.payload_size;
  payload_ = piece;
  if (!ended || control_size_ > 0) {
    std::copy(piece.begin(), piece.end(), control_.begin() + control_size_);
    control_size_ = static_cast<std::uint8_t>(control_size_ + piece.size());
    payload_ = std::span(control_).first(control_size_);
  }
  if (!ended) return Event::input_used_up;
  in_frame_ = false;
  stopped_ = frame_.opcode == Opcode::close;
  return Event::control;
}

MessageReader::Event MessageReader::take_data(std::span<std::byte> piece) {
  const bool frame_ended = frame_read_ == frame_.payload_size;
  const bool ended = frame_ended && frame_.fin;
  if (in_parts_) return take_part(piece, frame_ended);
  payload_ = piece;
  if (compressed_) {
    const auto limit = static_cast<std::size_t>(options_.max_message);
    auto violation = inflater_->feed(piece, assembled_, limit);
    if (!violation && ended) violation = inflater_->finish(assembled_, limit);
    if (violation) return refuse(violation->code, violation->reason);
    payload_ = assembled_;
  } else if (!ended || fragments_ > 1 || !assembled_.empty()) {
    assembled_.insert(assembled_.end(), piece.begin(), piece.end());
    payload_ = assembled_;
  }
  in_frame_ = !frame_ended;
  return ended ? end_message() : Event::input_used_up;
}

MessageReader::Event MessageReader::end_message() {
  fragments_ = 0;
  if (options_.validate_utf8 && message_opcode_ == Opcode::text && !is_valid_utf8(payload_)) {
    return refuse(CloseCode::invalid_payload, "text is not UTF-8");
  }
  return Event::message;
}

MessageReader::Event MessageReader::take_part(std::span<std::byte> piece, bool frame_ended) {
  const bool last = frame_ended && frame_.fin;
  const bool one_part =
      options_.form == Form::frames && frame_.payload_size <= options_.max_message;
  payload_ = piece;
  if (!assembled_.empty() || (one_part && !frame_ended)) {
    assembled_.insert(assembled_.end(), piece.begin(), piece.end());
    payload_ = assembled_;
  }
  in_frame_ = !frame_ended;
  if (one_part && !frame_ended) return Event::input_used_up;
  return give_part(last);
}

/// Inflates as much of the open frame as makes a part.
MessageReader::Event MessageReader::inflate_part(std::span<std::byte>& input) {
  const auto size = static_cast<std::size_t>(
      std::min<std::uint64_t>(frame_.payload_size - frame_read_, input.size()));
  const auto most = static_cast<std::size_t>(options_.max_message);
  const std::size_t limit = std::max(cut_ ? std::min(most, options_.part_size) : most, kept_ + 1);
  auto progress = inflater_->feed_some(input.first(size), assembled_, limit);
  input = input.subspan(progress.consumed);
  frame_read_ += progress.consumed;
  bool frame_ended = frame_read_ == frame_.payload_size && !progress.more;
  if (!progress.violation && frame_ended && frame_.fin) {
    progress = inflater_->finish_some(assembled_, limit);
    frame_ended = !progress.more;
  }
  if (progress.violation) return refuse(progress.violation->code, progress.violation->reason);
  cut_ = !frame_ended && (cut_ || assembled_.size() >= limit);
  in_parts_ = in_parts_ || cut_;
  in_frame_ = !frame_ended;
  payload_ = assembled_;
  if (frame_ended && frame_.fin && !in_parts_) return end_message();
  return frame_ended || cut_ ? give_part(frame_ended && frame_.fin) : Event::input_used_up;
}

/// Hands `payload_` on but for the front of a code point at its end, so that it is text by itself.
MessageReader::Event MessageReader::give_part(bool last) {
  const bool text = message_opcode_ == Opcode::text && options_.validate_utf8;
  if (text && (!utf8_.feed(payload_.subspan(kept_)) || (last && !utf8_.finish())))
    return refuse(CloseCode::invalid_payload, "text is not UTF-8");
  const std::size_t tail = text && !last ? incomplete_tail(payload_) : 0;
  std::copy_n(payload_.end() - static_cast<std::ptrdiff_t>(tail), tail, tail_.begin());
  tail_size_ = static_cast<std::uint8_t>(tail);
  payload_ = payload_.first(payload_.size() - tail);
  if (payload_.empty() && !last) {
    release();
    return Event::input_used_up;
  }
  part_ = {message_opcode_, !part_given_, last};
  part_given_ = !last;
  if (!last) return Event::part;
  fragments_ = 0;
  in_parts_ = false;
  return part_.first ? Event::message : Event::part;
}

MessageReader::Event MessageReader::refuse(CloseCode code, const char* reason) noexcept {
  violation_ = Violation{code, reason};
  stopped_ = true;
  release();
  return Event::stop;
}

void MessageReader::release() {
  if (assembled_.capacity() > kept_capacity) {
    std::vector<std::byte>().swap(assembled_);
  } else {
    assembled_.clear();
  }
  assembled_.insert(assembled_.end(), tail_.begin(), tail_.begin() + tail_size_);
  kept_ = std::exchange(tail_size_, std::uint8_t{0});
}

}  // namespace wskeep::websocket
