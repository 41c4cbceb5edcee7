#include "websocket/http_body.hpp"

#include <algorithm>
#include <limits>

namespace wskeep::websocket {
namespace {

constexpr unsigned max_size_digits =
    15;  // 60 bits: no body is longer, and the number cannot overflow

/// -1 if it is no hexadecimal digit.
int digit_value(char character) noexcept {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'a' && character <= 'f') return character - 'a' + 10;
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

}  // namespace

HttpBody::HttpBody(Framing framing, std::uint64_t length, std::size_t limit,
                   std::size_t overhead_limit)
    : framing_(framing),
      status_(Status::incomplete),
      limit_(limit),
      overhead_left_(overhead_limit) {
  if (framing == Framing::length) left_ = length;
  if (framing == Framing::until_close) left_ = std::numeric_limits<std::uint64_t>::max();
  if (framing == Framing::none || (framing == Framing::length && length == 0))
    status_ = Status::complete;
}

HttpBody::Status HttpBody::read(std::span<const std::byte> input, std::size_t& used) {
  used = 0;
  while (used < input.size() && status_ == Status::incomplete) {
    if (framing_ == Framing::chunked && chunk_ != Chunk::data) {
      step(static_cast<char>(input[used]));
      ++used;
      continue;
    }
    used += take(input.subspan(used));
    if (left_ > 0 || status_ != Status::incomplete) continue;
    if (framing_ == Framing::chunked) {
      chunk_ = Chunk::data_end_cr;
    } else {
      status_ = Status::complete;
    }
  }
  return status_;
}

bool HttpBody::finish() noexcept {
  if (framing_ == Framing::until_close && status_ == Status::incomplete) status_ = Status::complete;
  return status_ == Status::complete;
}

/// Keeps what is in `input` of the announced bytes.
std::size_t HttpBody::take(std::span<const std::byte> input) {
  const std::size_t here = std::min<std::uint64_t>(left_, input.size());
  const std::size_t kept = std::min(here, limit_ - data_.size());
  data_.append(reinterpret_cast<const char*>(input.data()), kept);
  if (framing_ != Framing::until_close) left_ -= kept;
  if (kept < here) status_ = Status::too_large;
  return kept;
}

void HttpBody::step(char character) {
  switch (chunk_) {
    case Chunk::size:
      return step_size(character);
    case Chunk::extension:
      return skip_to_line_end(character, Chunk::size_end);
    case Chunk::size_end:
      return expect(character, '\n', left_ > 0 ? Chunk::data : Chunk::trailer_start);
    case Chunk::data:
      break;
    case Chunk::data_end_cr:
      return expect(character, '\r', Chunk::data_end_lf);
    case Chunk::data_end_lf:
      digits_ = 0;
      return expect(character, '\n', Chunk::size);
    case Chunk::trailer_start:
      if (character == '\r') {
        chunk_ = Chunk::last;
        return;
      }
      chunk_ = Chunk::trailer;
      return skip_to_line_end(character, Chunk::trailer_end);
    case Chunk::trailer:
      return skip_to_line_end(character, Chunk::trailer_end);
    case Chunk::trailer_end:
      return expect(character, '\n', Chunk::trailer_start);
    case Chunk::last:
      if (character != '\n') break;
      status_ = Status::complete;
      return;
  }
  status_ = Status::malformed;
}

void HttpBody::step_size(char character) {
  const int value = digit_value(character);
  if (value >= 0 && digits_ < max_size_digits) {
    left_ = left_ * 16 + static_cast<std::uint64_t>(value);
    ++digits_;
  } else if (digits_ > 0 && character == '\r') {
    chunk_ = Chunk::size_end;
  } else if (digits_ > 0 && (character == ';' || character == ' ' || character == '\t')) {
    chunk_ = Chunk::extension;
  } else {
    status_ = Status::malformed;
  }
}

void HttpBody::expect(char character, char wanted, Chunk next) {
  if (character == wanted) {
    chunk_ = next;
  } else {
    status_ = Status::malformed;
  }
}

void HttpBody::skip_to_line_end(char character, Chunk next) {
  if (character == '\r') {
    chunk_ = next;
  } else if (character == '\n') {
    status_ = Status::malformed;
  } else if (overhead_left_ == 0) {
    status_ = Status::overhead_too_large;
  } else {
    --overhead_left_;
  }
}

}  // namespace wskeep::websocket
