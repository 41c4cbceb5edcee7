#include "websocket/in_place_parser.hpp"

namespace wskeep::websocket {

bool InPlaceParser::join(Pass& pass, const FrameHeader& header, FrameInPlace& message) noexcept {
  if (header.fin) return join_last(pass, header, message);
  const bool first = fragments_ == 0;
  // The first fragment keeps its header, as the place for that of the whole message.
  const std::size_t from = pass.in + (first ? 0 : header.size);
  const std::size_t next = pass.in + header.size + static_cast<std::size_t>(header.payload_size);
  if (pass.out != from) std::memmove(pass.begin + pass.out, pass.begin + from, next - from);
  if (first) {
    opcode_ = header.opcode;
    first_header_size_ = header.size;
  }
  ++fragments_;
  joined_ += next - from;
  pass.out += next - from;
  pass.in = next;
  return false;
}

bool InPlaceParser::join_last(Pass& pass, const FrameHeader& header,
                              FrameInPlace& message) noexcept {
  const auto payload_size = static_cast<std::size_t>(header.payload_size);
  const std::size_t total = joined_ - first_header_size_ + payload_size;
  const std::size_t final_header_size = header_size(total, false);
  const std::size_t message_end = pass.start + final_header_size + total;
  const std::size_t next = pass.in + header.size + payload_size;
  const std::size_t extra = message_end > next ? message_end - next : 0;
  if (pass.end + extra > pass.room) return false;

  std::memmove(pass.begin + pass.out, pass.begin + pass.in + header.size, payload_size);
  if (extra > 0) {
    std::memmove(pass.begin + next + extra, pass.begin + next, pass.end - next);
    pass.end += extra;
  }
  std::byte* const front = pass.begin + pass.start;
  if (final_header_size != first_header_size_) {
    std::memmove(front + final_header_size, front + first_header_size_, total);
  }
  FrameHeader whole;
  whole.opcode = opcode_;
  whole.fin = true;
  whole.payload_size = total;
  write_header(front, whole);
  message = {opcode_, static_cast<std::uint8_t>(final_header_size), final_header_size + total};
  pass.out = message_end;
  pass.in = next + extra;
  joined_ = 0;
  first_header_size_ = 0;
  fragments_ = 0;
  return true;
}

InPlaceParser::Step InPlaceParser::refuse(CloseCode code, const char* reason) noexcept {
  violation_ = Violation{code, reason};
  stopped_ = true;
  return Step::stop;
}

InPlaceParser::Result InPlaceParser::finish(const Pass& pass) noexcept {
  Result result{pass.start, 0, stopped_, violation_};
  partial_ = !stopped_ && pass.in < pass.end;
  if (stopped_) return result;
  const std::size_t unread = pass.end - pass.in;
  if (pass.in != pass.out && unread > 0) {
    std::memmove(pass.begin + pass.out, pass.begin + pass.in, unread);
  }
  result.remaining = pass.out - pass.start + unread;
  return result;
}

}  // namespace wskeep::websocket
