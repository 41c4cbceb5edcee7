#include "cli/tail_printer.hpp"

#include <chrono>
#include <optional>

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
  if (style_.timestamps && !inside_) {
    const SystemTime time{Nanoseconds(message.time_ns)};
    batch_ += paint(format_time(time), Color::dim, style_.colors) + " ";
  }
  if (!message.connection.empty() && !inside_)
    batch_ += paint(message.connection, Color::blue, style_.colors) + " ";
  if (!style_.terminal) {
    batch_ += message.payload;
  } else if (type == Opcode::binary) {
    append_visible_bytes(batch_, message.payload);
  } else {
    append_visible(batch_, message.payload, LineEnds::keep);
  }
  inside_ = message.goes_on();
  if (!inside_) batch_ += '\n';
}

void TailPrinter::message_as_json(Opcode type, const ReceivedMessage& message) {
  batch_ += '{';
  if (!message.connection.empty()) {
    batch_ += "\"connection\":\"";
    batch_ += message.connection;
    batch_ += "\",";
  }
  batch_ += "\"seq\":" + std::to_string(message.sequence);
  batch_ += ",\"time_ns\":" + std::to_string(message.time_ns);
  if (!message.part.empty()) {
    batch_ += ",\"part\":\"";
    batch_ += message.part;
    batch_ += '"';
  }
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

void TailPrinter::happening(std::string_view json) {
  const std::optional<Event> event = parse_event(json);
  if (style_.json || !event) {
    batch_ += json;
    batch_ += '\n';
    return;
  }
  std::string text;
  if (!event->connection.empty()) text += event->connection + " ";
  text += event->name == "state" ? event->state : event->name;
  if (!event->effect.empty()) text += " (" + event->effect + ")";
  if (!event->remote_address.empty()) text += " to " + event->remote_address;
  const std::string& why = event->message.empty() ? event->error : event->message;
  if (!why.empty()) text += ": " + why;
  if (event->close_code) text += " (close code " + std::to_string(*event->close_code) + ")";
  batch_ += paint(event->time, Color::dim, style_.colors) + " ";
  append_visible(batch_, text, LineEnds::escape);
  batch_ += '\n';
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
