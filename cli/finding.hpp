#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace wskeep::cli {

/// What `check` has to say of a configuration that can be used.
struct Finding {
  enum class Kind : std::uint8_t {
    warning,  ///< hardly meant, or about to fail; `--strict` makes it count
    note,     ///< worth knowing; may hang on the machine that is checked on
  };
  Kind kind = Kind::warning;
  std::string file{};  ///< where it stands; may be empty
  std::size_t line = 0;
  std::size_t column = 0;
  std::string key{};  ///< with its parents; may be empty
  std::string message;
};

}  // namespace wskeep::cli
