#include "ipc/encoding.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "ipc/cursor.hpp"
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

void append_number(std::vector<std::byte>& output, std::uint64_t number) {
  char text[20];
  const auto end = std::to_chars(text, text + sizeof text, number);
  append(output, {text, static_cast<std::size_t>(end.ptr - text)});
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Of a line of JSON that begins with it.
std::string_view event_name(std::string_view json) {
  constexpr std::string_view head = "{\"event\":\"";
  if (!json.starts_with(head)) return "message";
  json.remove_prefix(head.size());
  return json.substr(0, json.find('"'));
}

std::string_view part_name(ring::Part part) {
  switch (part) {
    case ring::Part::first:
      return "first";
    case ring::Part::more:
      return "more";
    case ring::Part::last:
      return "last";
    case ring::Part::whole:
      break;
  }
  return "";
}

constexpr bool is_body(Encoding encoding) {
  return encoding == Encoding::ndjson || encoding == Encoding::sse;
}

// A chunk's size is not known when the chunk is begun, so its place is kept by leading zeros (RFC
// 9112, 7.1).
constexpr std::string_view chunk_head = "00000000\r\n";
constexpr std::size_t chunk_digits = 8;

}  // namespace

void append_sse_field(std::vector<std::byte>& output, std::string_view name,
                      std::string_view value) {
  for (;;) {
    const std::size_t end = value.find('\n');
    append(output, name);
    append(output, ": ");
    append(output, value.substr(0, end));
    append(output, "\n");
    if (end == std::string_view::npos) return;
    value.remove_prefix(end + 1);
  }
}

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
  char line[64 + 64];
  char* end = line;
  if (!telling_.connection.empty()) {
    end = std::copy_n(telling_.connection.begin(),
                      std::min<std::size_t>(telling_.connection.size(), 64), end);
    *end++ = ' ';
  }
  end = std::to_chars(end, end + 20, sequence).ptr;
  *end++ = ' ';
  const std::string_view time = time_text(entry.time_ns);
  end = std::copy(time.begin(), time.end(), end);
  if (entry.part != ring::Part::whole) {
    *end++ = ' ';
    end = std::ranges::copy(part_name(entry.part), end).out;
  }
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
  if (telling_.objects) {
    output.insert(output.end(), payload.begin(), payload.end());
    return;
  }
  append(output, "{");
  if (!telling_.connection.empty()) {
    append(output, "\"connection\":\"");
    append(output, telling_.connection);
    append(output, "\",");
  }
  append(output, "\"seq\":");
  append_number(output, sequence);
  append(output, ",\"time_ns\":");
  append(output, time_text(entry.time_ns));
  if (entry.part != ring::Part::whole) {
    append(output, ",\"part\":\"");
    append(output, part_name(entry.part));
    append(output, "\"");
  }
  if (Opcode{entry.opcode} == Opcode::text) {
    append(output, ",\"type\":\"text\",\"data\":");
    append_json_string(output, payload);
  } else {
    append(output, ",\"type\":\"binary\",\"data\":\"");
    append_base64(output, payload);
    append(output, "\"");
  }
  append(output, "}");
}

/// Of many connections, the place among the messages of all is said by whoever joins them.
void Encoder::append_sse(std::vector<std::byte>& output, const ring::Ring& ring,
                         ring::Sequence sequence) {
  const ring::Entry& entry = ring.entry(sequence);
  const std::string_view payload = as_text(ring.payload(entry));
  if (!telling_.connection.empty()) {
    append(output, "data: ");
    append_json(output, ring, sequence);
    append(output, "\n\n");
    return;
  }
  append(output, "id: ");
  append(output, cursor_text({ring.epoch(), sequence}));
  if (telling_.objects) {
    append(output, "\nevent: ");
    append(output, event_name(payload));
    append(output, "\ndata: ");
    append(output, payload);
    append(output, "\n");
  } else if (entry.part != ring::Part::whole) {
    append(output, "\nevent: part\ndata: ");
    append_json(output, ring, sequence);
    append(output, "\n");
  } else if (Opcode{entry.opcode} != Opcode::text) {
    append(output, "\nevent: binary\ndata: ");
    append_base64(output, ring.payload(entry));
    append(output, "\n");
  } else if (payload.find('\r') != std::string_view::npos) {
    // A CR would come out of the lines as an LF.
    append(output, "\nevent: escaped\ndata: ");
    append_json_string(output, ring.payload(entry));
    append(output, "\n");
  } else {
    append(output, "\n");
    append_sse_field(output, "data", payload);
  }
  append(output, "\n");
}

void Encoder::append_message(std::vector<std::byte>& output, const ring::Ring& ring,
                             ring::Sequence sequence) {
  switch (encoding_) {
    case Encoding::wskeep_v1:
      return append_v1(output, ring, sequence);
    case Encoding::ndjson:
      append_json(output, ring, sequence);
      return append(output, "\n");
    case Encoding::sse:
      return append_sse(output, ring, sequence);
    case Encoding::frames:
      break;
  }
  const ring::Entry& entry = ring.entry(sequence);
  const auto frame = ring.bytes(entry.position, entry.position + entry.size);
  output.insert(output.end(), frame.begin(), frame.end());
}

void Encoder::append_event(std::vector<std::byte>& output, std::string_view json) const {
  std::string named;
  if (!telling_.connection.empty() && json.find("\"connection\":") == std::string_view::npos) {
    named = std::string(json.substr(0, json.size() - 1)) + ",\"connection\":\"" +
            telling_.connection + "\"}";
    json = named;
  }
  switch (encoding_) {
    case Encoding::wskeep_v1:
      append_frame_header(output, Opcode::text, json.size());
      return append(output, json);
    case Encoding::ndjson:
      append(output, json);
      return append(output, "\n");
    case Encoding::sse:
      append_sse_field(output, "event", event_name(json));
      append_sse_field(output, "data", json);
      return append(output, "\n");
    case Encoding::frames:
      break;
  }
}

void Encoder::begin(std::vector<std::byte>& output) const {
  if (is_body(encoding_)) append(output, chunk_head);
}

void Encoder::finish(std::vector<std::byte>& output, std::size_t begin) const {
  if (!is_body(encoding_)) return;
  std::size_t size = output.size() - begin - chunk_head.size();
  // A chunk of no bytes would be the end of the answer.
  if (size == 0) return output.resize(begin);
  for (std::size_t digit = chunk_digits; digit-- > 0; size /= 16) {
    output[begin + digit] = static_cast<std::byte>("0123456789abcdef"[size % 16]);
  }
  append(output, "\r\n");
}

}  // namespace wskeep::ipc
