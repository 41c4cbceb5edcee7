#include "ipc/cursor.hpp"

#include <algorithm>
#include <cstdio>

#include "ipc/parse_number.hpp"

namespace wskeep::ipc {

std::optional<Cursor> parse_cursor(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != 16) return std::nullopt;
  const auto epoch = parse_number<std::uint64_t>(text.substr(0, colon), 16);
  const auto sequence = parse_number<ring::Sequence>(text.substr(colon + 1));
  if (!epoch || !sequence) return std::nullopt;
  return Cursor{*epoch, *sequence};
}

std::string epoch_text(std::uint64_t epoch) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(epoch));
  return text;
}

std::string cursor_text(const Cursor& cursor) {
  return epoch_text(cursor.epoch) + ':' + std::to_string(cursor.sequence);
}

std::optional<Cursors> parse_cursors(std::string_view text) {
  Cursors cursors;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    const std::size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
    const auto cursor = parse_cursor(entry.substr(equals + 1));
    if (!cursor || !cursors.emplace(entry.substr(0, equals), *cursor).second) return std::nullopt;
  }
  return cursors;
}

std::string cursors_text(const Cursors& cursors) {
  std::string text;
  for (const auto& [name, cursor] : cursors) {
    if (!text.empty()) text += ',';
    text.append(name).append("=").append(cursor_text(cursor));
  }
  return text;
}

}  // namespace wskeep::ipc
