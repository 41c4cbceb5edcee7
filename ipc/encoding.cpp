#include "ipc/encoding.hpp"

#include <array>
#include <charconv>
#include <cstring>

#include "ipc/json_text.hpp"
#include "websocket/frame.hpp"

namespace wskeep::ipc {
namespace {

using websocket::Opcode;

void append(std::vector<std::byte>& output, std::string_view text) {
  const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
  output.insert(output.end(), bytes, bytes + text.size());
}

void append_frame_header(std::vector<std::byte>& output, Opcode opcode, std::size_t payload) {
  std::array<std::byte, websocket::max_header_size> header;
  const std::size_t size = websocket::write_header(
      header.data(), {.opcode = opcode, .fin = true, .payload_size = payload});
  output.insert(output.end(), header.begin(), header.begin() + size);
}

// A chunk's size is not known when the chunk is begun, so its place is kept by leading zeros (RFC
// 9112, 7.1).
constexpr std::string_view chunk_head = "00000000\r\n";
constexpr std::size_t chunk_digits = 8;

}  // namespace

std::string_view Encoder::time_text(std::uint64_t time_ns) {
  if (time_ns != time_ns_ || time_size_ == 0) {
    const auto end = std::to_chars(time_text_, time_text_ + sizeof time_text_, time_ns);
    time_ns_ = time_ns;
    time_size_ = static_cast<std::size_t>(end.ptr - time_text_);
  }
  return {time_text_, time_size_};
}

void Encoder::append_v1(std::vector<std::byte>& output, const ring::Ring& ring,
                        ring::Sequence sequence) {
  const ring::Entry& entry = ring.entry(sequence);
  const auto payload = ring.payload(entry);
  char line[48];
  char* end = std::to_chars(line, line + 20, sequence).ptr;
  *end++ = ' ';
  const std::string_view time = time_text(entry.time_ns);
  end = std::copy(time.begin(), time.end(), end);
  *end++ = '\n';
  const auto line_size = static_cast<std::size_t>(end - line);

  append_frame_header(output, Opcode{entry.opcode}, line_size + payload.size());
  append(output, {line, line_size});
  output.insert(output.end(), payload.begin(), payload.end());
}

void Encoder::append_json(std::vector<std::byte>& output, const ring::Ring& ring,
                          ring::Sequence sequence) {
  const ring::Entry& entry = ring.entry(sequence);
  const auto payload = ring.payload(entry);
  char number[20];
  append(output, "{\"seq\":");
  append(output, {number, static_cast<std::size_t>(
                              std::to_chars(number, number + 20, sequence).ptr - number)});
  append(output, ",\"time_ns\":");
  append(output, time_text(entry.time_ns));
  if (Opcode{entry.opcode} == Opcode::text) {
    append(output, ",\"type\":\"text\",\"data\":");
    append_json_string(output, payload);
  } else {
    append(output, ",\"type\":\"binary\",\"data\":\"");
    append_base64(output, payload);
    append(output, "\"");
  }
  append(output, "}\n");
}

void Encoder::append_message(std::vector<std::byte>& output, const ring::Ring& ring,
                             ring::Sequence sequence) {
  if (encoding_ == Encoding::wskeep_v1) {
    append_v1(output, ring, sequence);
  } else {
    append_json(output, ring, sequence);
  }
}

void Encoder::append_event(std::vector<std::byte>& output, std::string_view json) const {
  if (encoding_ == Encoding::wskeep_v1) {
    append_frame_header(output, Opcode::text, json.size());
    append(output, json);
  } else {
    append(output, json);
    append(output, "\n");
  }
}

void Encoder::begin(std::vector<std::byte>& output) const {
  if (encoding_ == Encoding::ndjson) append(output, chunk_head);
}

void Encoder::finish(std::vector<std::byte>& output, std::size_t begin) const {
  if (encoding_ != Encoding::ndjson) return;
  std::size_t size = output.size() - begin - chunk_head.size();
  for (std::size_t digit = chunk_digits; digit-- > 0; size /= 16) {
    output[begin + digit] = static_cast<std::byte>("0123456789abcdef"[size % 16]);
  }
  append(output, "\r\n");
}

}  // namespace wskeep::ipc
