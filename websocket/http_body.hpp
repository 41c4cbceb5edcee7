#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace wskeep::websocket {

/// Takes the body of one message of HTTP/1 off a stream of bytes (RFC 9112, sections 6 and 7). Our
/// own because Beast's reader reserves by announced lengths, bounds no chunk extension, and in 1.81
/// asserts on a last chunk that comes byte by byte.
class HttpBody {
 public:
  enum class Framing : std::uint8_t { none, length, chunked, until_close };
  enum class Status : std::uint8_t {
    incomplete,
    complete,
    malformed,
    too_large,
    overhead_too_large
  };

  HttpBody() = default;

  /// `length` is that of Framing::length. At most `limit` bytes are kept, and at most
  /// `overhead_limit` bytes of chunk extensions and trailers, which are thrown away, are read.
  HttpBody(Framing framing, std::uint64_t length, std::size_t limit, std::size_t overhead_limit);

  /// Reads up to the end of the body; `used` is how far that was.
  Status read(std::span<const std::byte> input, std::size_t& used);

  /// The peer has closed. True if that ends the body well.
  [[nodiscard]] bool finish() noexcept;

  [[nodiscard]] Status status() const noexcept { return status_; }
  [[nodiscard]] const std::string& data() const noexcept { return data_; }

 private:
  enum class Chunk : std::uint8_t {
    size,
    extension,
    size_end,
    data,
    data_end_cr,
    data_end_lf,
    trailer_start,
    trailer,
    trailer_end,
    last
  };

  std::size_t take(std::span<const std::byte> input);
  void step(char character);
  void step_size(char character);
  void expect(char character, char wanted, Chunk next);
  void skip_to_line_end(char character, Chunk next);

  Framing framing_ = Framing::none;
  Status status_ = Status::complete;
  Chunk chunk_ = Chunk::size;
  unsigned digits_ = 0;
  std::uint64_t left_ = 0;  ///< bytes of the body, or of the chunk, to come
  std::size_t limit_ = 0;
  std::size_t overhead_left_ = 0;
  std::string data_;
};

}  // namespace wskeep::websocket
