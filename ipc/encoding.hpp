#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ring/ring.hpp"

namespace wskeep::ipc {

/// The forms of docs/ipc.md in which messages carry their sequence number and time, and events
/// stand between them.
enum class Encoding : std::uint8_t {
  wskeep_v1,  ///< WebSocket frames: `SEQUENCE TIME_NS\n`, then the payload; an event is a text
              ///< frame
  ndjson,     ///< one JSON object a line, as chunks of an HTTP answer
};

/// Appends messages and events in one encoding to a buffer that is used again and again.
class Encoder {
 public:
  explicit Encoder(Encoding encoding) noexcept : encoding_(encoding) {}

  void append_message(std::vector<std::byte>& output, const ring::Ring& ring,
                      ring::Sequence sequence);

  /// `json` is one line without its end.
  void append_event(std::vector<std::byte>& output, std::string_view json) const;

  /// Bytes to begin a batch with, and what to do to them when it is whole (NDJSON: the chunk's
  /// size).
  void begin(std::vector<std::byte>& output) const;
  void finish(std::vector<std::byte>& output, std::size_t begin) const;

 private:
  void append_v1(std::vector<std::byte>& output, const ring::Ring& ring, ring::Sequence sequence);
  void append_json(std::vector<std::byte>& output, const ring::Ring& ring, ring::Sequence sequence);
  std::string_view time_text(std::uint64_t time_ns);

  Encoding encoding_;
  // All messages of one read have the same time, so that its text is made once for all of them.
  std::uint64_t time_ns_ = 0;
  std::size_t time_size_ = 0;
  char time_text_[20] = {};
};

}  // namespace wskeep::ipc
