#include "cli/framing.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "cli/format.hpp"
#include "cli/json_access.hpp"

namespace wskeep::cli {

namespace {

template <typename Number>
bool is_number(std::string_view text, Number& number) noexcept {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

/// Takes what stands before the next space, and the space.
std::string_view take_word(std::string_view& text) noexcept {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

std::string describe_gap(const Event& event) {
  if (event.from == 0) {
    return "gap: the daemon started anew, and how many messages were lost is unknown";
  }
  const std::uint64_t lost = event.to - event.from + 1;
  if (lost == 1) return "gap: message " + std::to_string(event.from) + " was lost";
  return "gap: " + format_count(lost) + " messages were lost (" + std::to_string(event.from) +
         " to " + std::to_string(event.to) + ")";
}

std::string describe_end(const Event& event, std::string_view connection) {
  std::string text = std::string(connection) + " is disconnected";
  const std::string& why = event.message.empty() ? event.error : event.message;
  if (!why.empty()) text += ": " + why;
  if (event.close_code) {
    text += " (close code " + std::to_string(*event.close_code);
    if (!event.reason.empty()) text += ", " + event.reason;
    text += ")";
  }
  return text;
}

}  // namespace

std::optional<ReceivedMessage> parse_message(std::string_view data, bool named) noexcept {
  const std::size_t end = data.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view head = data.substr(0, end);
  ReceivedMessage message;
  message.payload = data.substr(end + 1);
  if (named) {
    message.connection = take_word(head);
    if (message.connection.empty()) return std::nullopt;
  }
  if (!is_number(take_word(head), message.sequence) || !is_number(take_word(head), message.time_ns))
    return std::nullopt;
  message.part = head;
  return message;
}

std::optional<Event> parse_event(std::string_view text) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error);
  if (error || !value.is_object()) return std::nullopt;
  const boost::json::object& fields = value.get_object();
  Event event;
  event.name = text_of(fields, "event");
  if (event.name.empty()) return std::nullopt;
  event.connection = text_of(fields, "connection");
  event.previous = text_of(fields, "previous");
  event.time = text_of(fields, "time");
  event.effect = text_of(fields, "effect");
  event.id = text_of(fields, "id");
  event.error = text_of(fields, "error");
  event.message = text_of(fields, "message");
  event.reason = text_of(fields, "reason");
  event.epoch = text_of(fields, "epoch");
  event.state = text_of(fields, "state");
  event.remote_address = text_of(fields, "remote_address");
  event.close_code = count_of(fields, "close_code");
  event.next = count_of(fields, "next").value_or(0);
  event.from = count_of(fields, "from").value_or(0);
  event.to = count_of(fields, "to").value_or(0);
  return event;
}

std::string describe_event(const Event& event, std::string_view connection) {
  if (event.name == "gap") return describe_gap(event);
  if (event.name == "disconnected") return describe_end(event, connection);
  if (event.name == "connected") {
    std::string text = std::string(connection) + " is connected";
    if (!event.remote_address.empty()) text += " to " + event.remote_address;
    return text;
  }
  return {};
}

}  // namespace wskeep::cli
