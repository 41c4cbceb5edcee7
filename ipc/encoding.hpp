#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ring/ring.hpp"

namespace wskeep::ipc {

/// The forms of docs/ipc.md in which messages carry their sequence number and time, and events
/// stand between them.
enum class Encoding : std::uint8_t {
  wskeep_v1,  ///< WebSocket frames: `SEQUENCE TIME_NS\n`, then the payload; an event is a text
              ///< frame
  ndjson,     ///< one JSON object a line, as chunks of an HTTP answer
  sse,        ///< server-sent events (WHATWG HTML, 9.2), as chunks of an HTTP answer
  frames,     ///< as they lie in the ring; without events
};
constexpr std::size_t encoding_count = 4;

/// What is said of messages beside what every encoding says.
struct Telling {
  std::string connection{};  ///< names it with each message and event; empty: there is only one
  bool objects = false;      ///< each message is a JSON object that says all of itself

  friend bool operator==(const Telling&, const Telling&) = default;
};

/// Appends a line `NAME: VALUE`, and as many as VALUE has lines, as server-sent events have them.
void append_sse_field(std::vector<std::byte>& output, std::string_view name,
                      std::string_view value);

/// Appends messages and events in one encoding to a buffer that is used again and again.
class Encoder {
 public:
  explicit Encoder(Encoding encoding, Telling telling = {})
      : encoding_(encoding), telling_(std::move(telling)) {}

  /// Messages in parts are left out: nothing could stand between their frames, nor be left out.
  [[nodiscard]] bool whole_only() const noexcept { return encoding_ == Encoding::frames; }

  void append_message(std::vector<std::byte>& output, const ring::Ring& ring,
                      ring::Sequence sequence);

  /// `json` is one line without its end; an object that begins with the event's name.
  void append_event(std::vector<std::byte>& output, std::string_view json) const;

  /// Bytes to begin a batch with, and what to do to them when it is whole (the chunk's size); a
  /// batch with nothing in it becomes empty.
  void begin(std::vector<std::byte>& output) const;
  void finish(std::vector<std::byte>& output, std::size_t begin) const;

 private:
  void append_v1(std::vector<std::byte>& output, const ring::Ring& ring, ring::Sequence sequence);
  void append_json(std::vector<std::byte>& output, const ring::Ring& ring, ring::Sequence sequence);
  void append_sse(std::vector<std::byte>& output, const ring::Ring& ring, ring::Sequence sequence);
  std::string_view time_text(std::uint64_t time_ns);

  Encoding encoding_;
  Telling telling_;
  // All messages of one read have the same time, so that its text is made once for all of them.
  std::uint64_t time_ns_ = 0;
  std::size_t time_size_ = 0;
  char time_text_[20] = {};
};

}  // namespace wskeep::ipc
