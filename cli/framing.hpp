#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// What `wskeep.v1` (docs/ipc.md) puts into WebSocket messages.
namespace wskeep::cli {

/// Whether a text message is an event and not one of upstream's.
[[nodiscard]] constexpr bool is_event(std::string_view text) noexcept {
  return !text.empty() && text.front() == '{';
}

/// One of upstream's messages, with its line in front taken off.
struct ReceivedMessage {
  std::string_view connection{};  ///< only of all connections
  std::uint64_t sequence = 0;
  std::int64_t time_ns = 0;
  std::string_view part{};   ///< `first`, `more` or `last` of one that comes in parts; else empty
  std::string_view payload;  ///< a part of what was parsed, as all texts here

  [[nodiscard]] bool goes_on() const noexcept { return part == "first" || part == "more"; }
};

/// `SEQUENCE TIME_NS\nPAYLOAD`, with the connection's name in front where `named`, and with what
/// part it is behind the time; none if it is not that.
[[nodiscard]] std::optional<ReceivedMessage> parse_message(std::string_view data,
                                                           bool named = false) noexcept;

/// The fields that the commands use; those that an event does not have are empty.
struct Event {
  std::string name;
  std::string connection;
  std::string id;
  std::string error;
  std::string message;
  std::string reason;
  std::string epoch;
  std::string state;
  std::string previous;  ///< state
  std::string time;
  std::string effect;  ///< of a changed configuration
  std::string remote_address;
  std::optional<std::uint64_t> close_code;
  std::uint64_t next = 0;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
};

/// None if it is not JSON, or has no `event`.
[[nodiscard]] std::optional<Event> parse_event(std::string_view text);

/// For people: what a `gap`, `disconnected` or `connected` means; empty for the others.
[[nodiscard]] std::string describe_event(const Event& event, std::string_view connection);

}  // namespace wskeep::cli
