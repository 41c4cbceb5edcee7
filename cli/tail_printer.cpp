#include "cli/tail_printer.hpp"

#include <chrono>

#include "cli/color.hpp"
#include "cli/escape.hpp"
#include "cli/format.hpp"

namespace wskeep::cli {

using websocket::Opcode;

void TailPrinter::message(Opcode type, const ReceivedMessage& message) {
  if (style_.json) {
    message_as_json(type, message);
    return;
  }
  if (style_.timestamps) {
    const SystemTime time{Nanoseconds(message.time_ns)};
    batch_ += paint(format_time(time), Color::dim, style_.colors) + " ";
  }
  if (!style_.terminal) {
    batch_ += message.payload;
  } else if (type == Opcode::binary) {
    append_visible_bytes(batch_, message.payload);
  } else {
    append_visible(batch_, message.payload, LineEnds::keep);
  }
  batch_ += '\n';
}

void TailPrinter::message_as_json(Opcode type, const ReceivedMessage& message) {
  batch_ += "{\"seq\":" + std::to_string(message.sequence);
  batch_ += ",\"time_ns\":" + std::to_string(message.time_ns);
  if (type == Opcode::binary) {
    batch_ += ",\"type\":\"binary\",\"data\":\"";
    append_base64(batch_, message.payload);
    batch_ += '"';
  } else {
    batch_ += ",\"type\":\"text\",\"data\":";
    append_json_string(batch_, message.payload);
  }
  batch_ += "}\n";
}

void TailPrinter::event(std::string_view text) {
  if (!style_.terminal) {
    batch_ += text;
  } else {
    std::string shown;
    append_visible(shown, text, LineEnds::escape);
    batch_ += paint(shown, Color::blue, style_.colors);
  }
  batch_ += '\n';
}

}  // namespace wskeep::cli
