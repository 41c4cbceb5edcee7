#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace wskeep::cli {

/// A key that was pressed.
struct Key {
  enum class Name : std::uint8_t {
    character,
    enter,
    escape,
    backspace,
    up,
    down,
    page_up,
    page_down,
    home,
    end,
    left,
    right,
    end_of_input,  ///< Ctrl-D
  };
  Name name = Name::character;
  char character = 0;  ///< a byte of UTF-8, where `name` is character

  friend bool operator==(const Key&, const Key&) = default;
};

/// What a terminal sent in one go. Sequences that are not known are left out.
[[nodiscard]] std::vector<Key> parse_keys(std::string_view bytes);

}  // namespace wskeep::cli
