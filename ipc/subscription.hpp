#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "config/config.hpp"
#include "ring/ring.hpp"

namespace wskeep::ipc {

/// The path and the query of a request's target, percent-decoded (RFC 3986).
struct Target {
  std::string path;
  std::map<std::string, std::string, std::less<>> query;
};

/// Nothing for a target that is not well-formed, or names a key twice.
[[nodiscard]] std::optional<Target> parse_target(std::string_view target);

/// A place among a connection's messages: the last one that was seen.
struct Cursor {
  std::uint64_t epoch = 0;
  ring::Sequence sequence = 0;
};

/// `EPOCH:SEQUENCE`, sixteen hexadecimal digits and a decimal number.
[[nodiscard]] std::optional<Cursor> parse_cursor(std::string_view text);
[[nodiscard]] std::string epoch_text(std::uint64_t epoch);

/// What an app asks to be sent.
struct Subscription {
  enum class From : std::uint8_t { newest, oldest, cursor };

  bool v1 = false;
  From from = From::newest;
  Cursor after;                      ///< where `from` is cursor
  std::optional<config::Gap> gap;    ///< nothing: what the form's default is
  bool follow = false;               ///< NDJSON: go on behind the newest message
  std::optional<std::size_t> limit;  ///< NDJSON: end after that many messages
};

/// Reads the query; or says what is wrong with it. NDJSON takes `follow` and `limit` too.
[[nodiscard]] std::variant<Subscription, std::string> parse_subscription(const Target& target,
                                                                         bool ndjson);

/// Where a subscription begins in a ring.
struct Start {
  ring::Sequence sequence = 0;
  bool other_epoch = false;      ///< the cursor's: how much was lost is not known
  ring::Sequence lost_from = 0;  ///< 0: nothing was lost, as far as is known
  ring::Sequence lost_to = 0;
};

/// Nothing for a cursor ahead of the newest message.
[[nodiscard]] std::optional<Start> find_start(const ring::Ring& ring,
                                              const Subscription& subscription);

}  // namespace wskeep::ipc
