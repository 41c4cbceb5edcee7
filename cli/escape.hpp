#pragma once

#include <string>
#include <string_view>

namespace wskeep::cli {

enum class LineEnds : bool { escape, keep };

/// Appends text so that a terminal shows it and obeys nothing in it: control characters (C0, DEL,
/// C1) and bytes that are no UTF-8 become `\n`, `\x1b`, `\u009b`. With LineEnds::keep, line feeds
/// and tabs stay as they are.
void append_visible(std::string& output, std::string_view text, LineEnds line_ends);
[[nodiscard]] std::string visible(std::string_view text);

/// Appends bytes as printable ASCII with `\xNN` for all else, and `\\` for a backslash.
void append_visible_bytes(std::string& output, std::string_view bytes);

/// Appends a JSON string, quotes included. `text` is UTF-8.
void append_json_string(std::string& output, std::string_view text);

/// RFC 4648, section 4, with padding.
void append_base64(std::string& output, std::string_view bytes);

/// For one segment of a URL's path, or one value of its query.
[[nodiscard]] std::string percent_encode(std::string_view text);

/// Columns that UTF-8 takes, one for each code point.
[[nodiscard]] std::size_t display_width(std::string_view text) noexcept;

/// Cut to so many columns, the last of them `…` if something was cut.
[[nodiscard]] std::string shorten(std::string_view text, std::size_t width);

}  // namespace wskeep::cli
