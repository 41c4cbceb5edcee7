#include "cli/key.hpp"

#include <array>
#include <optional>
#include <utility>

namespace wskeep::cli {
namespace {

using Name = Key::Name;

/// Behind the ESC, as xterm and those who follow it send them (in both of its cursor modes).
constexpr std::array<std::pair<std::string_view, Name>, 18> sequences{{
    {"[A", Name::up},
    {"OA", Name::up},
    {"[B", Name::down},
    {"OB", Name::down},
    {"[C", Name::right},
    {"OC", Name::right},
    {"[D", Name::left},
    {"OD", Name::left},
    {"[H", Name::home},
    {"OH", Name::home},
    {"[F", Name::end},
    {"OF", Name::end},
    {"[5~", Name::page_up},
    {"[6~", Name::page_down},
    {"[1~", Name::home},
    {"[4~", Name::end},
    {"[7~", Name::home},
    {"[8~", Name::end},
}};

bool is_final(char letter) {
  return letter >= '@' && letter <= '~';
}

/// The bytes of a sequence that begins behind an ESC: `[`, parameters, a final letter.
std::size_t sequence_size(std::string_view rest) {
  if (rest.starts_with('O')) return rest.size() < 2 ? rest.size() : 2;
  std::size_t size = 1;
  while (size < rest.size() && !is_final(rest[size])) ++size;
  return size < rest.size() ? size + 1 : size;
}

std::optional<Key> parse_sequence(std::string_view sequence) {
  for (const auto& [text, name] : sequences) {
    if (text == sequence) return Key{.name = name};
  }
  return std::nullopt;
}

Key parse_byte(char byte) {
  switch (byte) {
    case '\r':
    case '\n':
      return {.name = Name::enter};
    case '\b':
    case '\x7f':
      return {.name = Name::backspace};
    case '\x04':
      return {.name = Name::end_of_input};
    default:
      return {.name = Name::character, .character = byte};
  }
}

}  // namespace

std::vector<Key> parse_keys(std::string_view bytes) {
  std::vector<Key> keys;
  while (!bytes.empty()) {
    const char first = bytes.front();
    bytes.remove_prefix(1);
    if (first != '\x1b') {
      keys.push_back(parse_byte(first));
    } else if (bytes.starts_with('[') || bytes.starts_with('O')) {
      const std::size_t size = sequence_size(bytes);
      if (const auto key = parse_sequence(bytes.substr(0, size))) keys.push_back(*key);
      bytes.remove_prefix(size);
    } else {
      keys.push_back({.name = Name::escape});
    }
  }
  return keys;
}

}  // namespace wskeep::cli
