#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "ring/ring.hpp"

namespace wskeep::ipc {

/// A place among a connection's messages: the last one that was seen.
struct Cursor {
  std::uint64_t epoch = 0;
  ring::Sequence sequence = 0;

  friend bool operator==(const Cursor&, const Cursor&) = default;
};

/// `EPOCH:SEQUENCE`, sixteen hexadecimal digits and a decimal number.
[[nodiscard]] std::optional<Cursor> parse_cursor(std::string_view text);
[[nodiscard]] std::string cursor_text(const Cursor& cursor);
[[nodiscard]] std::string epoch_text(std::uint64_t epoch);

/// A place among the messages of many connections, by name.
using Cursors = std::map<std::string, Cursor, std::less<>>;

/// `NAME=EPOCH:SEQUENCE,NAME=EPOCH:SEQUENCE`; nothing where one of them is none, or a name comes
/// twice. An empty text is none at all.
[[nodiscard]] std::optional<Cursors> parse_cursors(std::string_view text);
[[nodiscard]] std::string cursors_text(const Cursors& cursors);

}  // namespace wskeep::ipc
