#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "config/message_rule.hpp"
#include "ipc/cursor.hpp"
#include "ring/ring.hpp"

namespace wskeep::ipc {

/// The path and the query of a request's target, percent-decoded (RFC 3986).
struct Target {
  std::string path;
  std::map<std::string, std::string, std::less<>> query;
  std::vector<std::string> json;  ///< the one key that may be given more than once
};

/// Nothing for a target that is not well-formed, or names a key twice.
[[nodiscard]] std::optional<Target> parse_target(std::string_view target);

/// In which form messages are asked for.
enum class Form : std::uint8_t {
  websocket,
  ndjson,
  sse,  ///< server-sent events
};

class Visibility;

/// What an app asks to be sent.
struct Subscription {
  enum class From : std::uint8_t { newest, oldest, cursor };

  Form form = Form::websocket;
  bool v1 = false;
  bool all = false;  ///< of all connections
  From from = From::newest;
  Cursor after{};                    ///< where `from` is cursor
  Cursors after_all{};               ///< likewise, of all connections
  std::optional<config::Gap> gap;    ///< nothing: what the form's default is
  bool follow = false;               ///< go on behind the newest message; a WebSocket always does
  std::optional<std::size_t> limit;  ///< end after that many messages; not on a WebSocket
  std::optional<config::MessageRule> filter{};  ///< nothing: every message
  std::shared_ptr<Visibility> visible{};        ///< nullptr: it may see all that there is
};

/// What a request says of a subscription beside its target.
struct Request {
  Form form = Form::websocket;
  bool all = false;  ///< of all connections
  const std::string* last_event_id = nullptr;
  std::size_t longest_filter = std::size_t{4} << 10U;  ///< bytes of one in the query
};

/// Reads the query; or says what is wrong with it. NDJSON and server-sent events take `follow` and
/// `limit` too.
[[nodiscard]] std::variant<Subscription, std::string> parse_subscription(const Target& target,
                                                                         const Request& request);

/// Which form an Accept header asks for: server-sent events where it prefers them, else NDJSON;
/// nothing where it takes neither. nullptr: there is no such header.
[[nodiscard]] std::optional<Form> accepted_form(const std::string* accept);

/// Where a subscription begins in a ring.
struct Start {
  ring::Sequence sequence = 0;
  bool other_epoch = false;      ///< the cursor's: how much was lost is not known
  ring::Sequence lost_from = 0;  ///< 0: nothing was lost, as far as is known
  ring::Sequence lost_to = 0;
  bool in_message = false;  ///< in the middle of one that comes in parts, of which it had the front
};

/// Nothing for a cursor ahead of the newest message.
[[nodiscard]] std::optional<Start> find_start(const ring::Ring& ring,
                                              const Subscription& subscription);

}  // namespace wskeep::ipc
