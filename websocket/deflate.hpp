#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "websocket/violation.hpp"

namespace wskeep::websocket {

/// The parameters of permessage-deflate (RFC 7692, section 7.1), offered, or as agreed.
struct DeflateParameters {
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  int server_max_window_bits = 15;  ///< 8 to 15
  int client_max_window_bits = 15;  ///< 8 to 15

  bool operator==(const DeflateParameters&) const = default;
};

/// Compresses the messages of one direction of one session. Takes its memory (about 260 KiB with 15
/// window bits) with the first message.
class Deflater {
 public:
  /// `window_bits` 8 to 15 and `no_context_takeover` as agreed for our direction; `level` as zlib
  /// has it, 1 to 9.
  Deflater(int window_bits, bool no_context_takeover, int level = 6) noexcept;
  Deflater(Deflater&&) noexcept;
  Deflater& operator=(Deflater&&) noexcept;
  ~Deflater();

  /// Appends the payload of the compressed message (section 7.2.1); it is sent with RSV1 set on its
  /// first frame. Every message compressed must be sent, and in this order, since the peer's window
  /// follows. False only if there is no memory for the state; `output` is then as it was.
  [[nodiscard]] bool compress(std::span<const std::byte> payload, std::vector<std::byte>& output);

  /// The same for a message that is sent in several frames: what is appended for a piece can be
  /// inflated as soon as it has arrived. False as above, and then only for the first piece.
  [[nodiscard]] bool compress_part(std::span<const std::byte> piece, bool last,
                                   std::vector<std::byte>& output);

 private:
  struct Stream;
  [[nodiscard]] bool begin();
  int window_bits_;
  bool no_context_takeover_;
  int level_;
  std::unique_ptr<Stream> stream_;
};

/// Inflates the messages of one direction of one session. Takes its memory (at most 40 KiB) with
/// the first message.
class Inflater {
 public:
  /// `window_bits` 8 to 15 and `no_context_takeover` as agreed for the peer's direction.
  Inflater(int window_bits, bool no_context_takeover) noexcept;
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;
  ~Inflater();

  /// Takes a piece of a compressed message's payload, cut anywhere, and appends what comes of it to
  /// `output`, which then holds at most `limit` bytes in all, however far the piece would inflate.
  /// 1009 if it would be more, 1007 for data that is not deflate, 1011 without memory. After a
  /// violation the session is over and so is this object.
  [[nodiscard]] std::optional<Violation> feed(std::span<const std::byte> piece,
                                              std::vector<std::byte>& output, std::size_t limit);

  /// Ends the message (section 7.2.2) and appends what was still held back. The same violations as
  /// `feed`.
  [[nodiscard]] std::optional<Violation> finish(std::vector<std::byte>& output, std::size_t limit);

  struct Progress {
    std::size_t consumed = 0;  ///< of the piece
    bool more = false;         ///< `output` is full: there may be more, and the call is to be
                               ///< repeated with the rest of the piece, be it empty
    std::optional<Violation> violation{};
  };
  /// The same for a message of any size: stops as soon as `output` holds `limit` bytes.
  [[nodiscard]] Progress feed_some(std::span<const std::byte> piece, std::vector<std::byte>& output,
                                   std::size_t limit);
  [[nodiscard]] Progress finish_some(std::vector<std::byte>& output, std::size_t limit);

 private:
  struct Stream;
  [[nodiscard]] bool begin();
  std::optional<Violation> run(std::span<const std::byte> input, std::vector<std::byte>& output,
                               std::size_t limit);
  /// One step, which yields at most `most` bytes.
  std::optional<Violation> drain(std::vector<std::byte>& output, std::size_t limit, bool& progress,
                                 std::size_t most = std::numeric_limits<std::size_t>::max());

  int window_bits_;
  bool no_context_takeover_;
  bool finishing_ = false;      ///< within finish_some
  std::size_t tail_given_ = 0;  ///< by it
  std::unique_ptr<Stream> stream_;
};

}  // namespace wskeep::websocket
