#include "websocket/deflate.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace wskeep::websocket {
namespace {

/// What a sender leaves out at the end of each message (RFC 7692, section 7.2.1).
constexpr std::array tail{std::byte{0x00}, std::byte{0x00}, std::byte{0xFF}, std::byte{0xFF}};

constexpr std::size_t block_size = 16U << 10U;

/// zlib counts in `unsigned`; a longer input is given to it in several pieces.
constexpr std::size_t max_piece = std::numeric_limits<uInt>::max() / 2;

void set_input(z_stream& stream, std::span<const std::byte> input) noexcept {
  // zlib's interface lacks the const; it does not write there.
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(input.data()));  // NOLINT
  stream.avail_in = static_cast<uInt>(input.size());
}

}  // namespace

struct Deflater::Stream {
  z_stream state{};
  bool ready = false;

  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (ready) deflateEnd(&state);
  }

  /// Compresses all of `input` and flushes if it is the last piece.
  void run(std::span<const std::byte> input, bool last, std::vector<std::byte>& output) {
    std::array<std::byte, block_size> block;
    set_input(state, input);
    do {
      state.next_out = reinterpret_cast<Bytef*>(block.data());
      state.avail_out = block_size;
      deflate(&state, last ? Z_SYNC_FLUSH : Z_NO_FLUSH);
      output.insert(output.end(), block.begin(), block.end() - state.avail_out);
    } while (state.avail_out == 0);
  }
};

Deflater::Deflater(int window_bits, bool no_context_takeover, int level) noexcept
    : window_bits_(window_bits), no_context_takeover_(no_context_takeover), level_(level) {}
Deflater::Deflater(Deflater&&) noexcept = default;
Deflater& Deflater::operator=(Deflater&&) noexcept = default;
Deflater::~Deflater() = default;

bool Deflater::begin() {
  if (stream_) return true;
  auto stream = std::make_unique<Stream>();
  // zlib cannot do raw deflate with 8 bits. With 9 it never reaches back farther than 512 - 262 =
  // 250 bytes, which fits the window of 256 that the peer then has.
  const int bits = std::max(window_bits_, 9);
  stream->ready =
      deflateInit2(&stream->state, level_, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  if (!stream->ready) return false;
  stream_ = std::move(stream);
  return true;
}

bool Deflater::compress(std::span<const std::byte> payload, std::vector<std::byte>& output) {
  return compress_part(payload, true, output);
}

bool Deflater::compress_part(std::span<const std::byte> piece, bool last,
                             std::vector<std::byte>& output) {
  if (piece.empty()) {
    // Section 7.2.3.6; zlib refuses to flush twice with nothing between.
    if (last) output.push_back(std::byte{0});
  } else {
    if (!begin()) return false;
    while (piece.size() > max_piece) {
      stream_->run(piece.first(max_piece), false, output);
      piece = piece.subspan(max_piece);
    }
    stream_->run(piece, true, output);
    if (last) output.resize(output.size() - tail.size());
  }
  if (last && no_context_takeover_ && stream_) deflateReset(&stream_->state);
  return true;
}

struct Inflater::Stream {
  z_stream state{};
  bool ready = false;
  bool at_final_end = false;  ///< a block with BFINAL has just ended

  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (ready) inflateEnd(&state);
  }

  /// Whether a block has just ended, at a byte's border.
  [[nodiscard]] bool between_blocks() const noexcept {
    return (state.data_type & 0x80) != 0 && (state.data_type & 0x3F) == 0;
  }
};

Inflater::Inflater(int window_bits, bool no_context_takeover) noexcept
    : window_bits_(window_bits), no_context_takeover_(no_context_takeover) {}
Inflater::Inflater(Inflater&&) noexcept = default;
Inflater& Inflater::operator=(Inflater&&) noexcept = default;
Inflater::~Inflater() = default;

std::optional<Violation> Inflater::drain(std::vector<std::byte>& output, std::size_t limit,
                                         bool& progress, std::size_t most) {
  z_stream& state = stream_->state;
  std::array<std::byte, block_size> block;
  state.next_out = reinterpret_cast<Bytef*>(block.data());
  state.avail_out = static_cast<uInt>(std::min(block_size, most));
  const std::size_t room = state.avail_out;
  const int status = inflate(&state, Z_SYNC_FLUSH);
  const std::size_t produced = room - state.avail_out;
  if (status == Z_MEM_ERROR) return Violation{CloseCode::internal_error, "no memory to inflate"};
  // First, so that the answer does not hang on how the data was cut.
  if (output.size() > limit || produced > limit - output.size()) {
    return Violation{CloseCode::message_too_big, "message too big when inflated"};
  }
  if (status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END) {
    return Violation{CloseCode::invalid_payload, "compressed data is broken"};
  }
  output.insert(output.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(produced));
  stream_->at_final_end = status == Z_STREAM_END;
  // A final block does not end the message (section 7.2.3.4). This reset, unlike inflateReset,
  // keeps the window.
  if (stream_->at_final_end) inflateResetKeep(&state);
  progress = state.avail_in > 0 || (state.avail_out == 0 && !stream_->at_final_end);
  return std::nullopt;
}

bool Inflater::begin() {
  if (stream_) return true;
  auto stream = std::make_unique<Stream>();
  stream->ready = inflateInit2(&stream->state, -window_bits_) == Z_OK;
  if (!stream->ready) return false;
  stream_ = std::move(stream);
  return true;
}

std::optional<Violation> Inflater::run(std::span<const std::byte> input,
                                       std::vector<std::byte>& output, std::size_t limit) {
  if (!begin()) return Violation{CloseCode::internal_error, "no memory to inflate"};
  while (!input.empty()) {
    const std::size_t size = std::min(input.size(), max_piece);
    set_input(stream_->state, input.first(size));
    input = input.subspan(size);
    for (bool progress = true; progress;) {
      if (auto violation = drain(output, limit, progress)) return violation;
    }
  }
  return std::nullopt;
}

std::optional<Violation> Inflater::feed(std::span<const std::byte> piece,
                                        std::vector<std::byte>& output, std::size_t limit) {
  return run(piece, output, limit);
}

std::optional<Violation> Inflater::finish(std::vector<std::byte>& output, std::size_t limit) {
  // Some senders end with a final block and nothing behind it; the tail would then be the front of
  // another block.
  if (!stream_ || !stream_->at_final_end) {
    if (auto violation = run(tail, output, limit)) return violation;
    if (!stream_->between_blocks()) {
      return Violation{CloseCode::invalid_payload, "compressed data is cut short"};
    }
  }
  stream_->at_final_end = false;
  if (no_context_takeover_) inflateReset(&stream_->state);
  return std::nullopt;
}

Inflater::Progress Inflater::feed_some(std::span<const std::byte> piece,
                                       std::vector<std::byte>& output, std::size_t limit) {
  if (!begin()) return {.violation = Violation{CloseCode::internal_error, "no memory to inflate"}};
  const std::size_t size = std::min(piece.size(), max_piece);
  set_input(stream_->state, piece.first(size));
  std::size_t room = 0;
  for (bool progress = true; progress;) {
    room = limit - std::min(limit, output.size());
    if (room == 0) break;
    // As much more than there is room for would be too big; so no more is asked for.
    if (auto violation = drain(output, limit, progress, room)) return {.violation = violation};
  }
  const std::size_t left = stream_->state.avail_in;
  return {.consumed = size - left, .more = room == 0 || size < piece.size()};
}

Inflater::Progress Inflater::finish_some(std::vector<std::byte>& output, std::size_t limit) {
  if (!std::exchange(finishing_, true)) tail_given_ = 0;
  if (!stream_ || !stream_->at_final_end || tail_given_ > 0) {
    Progress progress = feed_some(std::span(tail).subspan(tail_given_), output, limit);
    tail_given_ += progress.consumed;
    if (progress.violation || progress.more) return progress;
    if (!stream_->between_blocks()) {
      return {.violation = Violation{CloseCode::invalid_payload, "compressed data is cut short"}};
    }
  }
  finishing_ = false;
  stream_->at_final_end = false;
  if (no_context_takeover_) inflateReset(&stream_->state);
  return {};
}

}  // namespace wskeep::websocket
