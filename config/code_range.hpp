#pragma once

#include <cstdint>
#include <string_view>

namespace wskeep::config {

/// HTTP statuses or close codes, both ends included.
struct CodeRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  friend bool operator==(const CodeRange&, const CodeRange&) = default;
};

/// Takes one code (`503`), a range (`500-599`) and a class (`4xx`), all within `least` and `most`,
/// which have as many digits as each code has. Throws QuantityError.
[[nodiscard]] CodeRange parse_code_range(std::string_view text, std::uint16_t least,
                                         std::uint16_t most);

}  // namespace wskeep::config
