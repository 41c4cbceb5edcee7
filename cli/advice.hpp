#pragma once

#include <span>
#include <string_view>

namespace wskeep::cli {

/// What one error means, and what a person can do about it: a sentence each, the same as in
/// docs/errors.md, which a test compares.
struct Advice {
  std::string_view error;  ///< its stable name
  std::string_view meaning;
  std::string_view advice;
};

/// All of them, in the order of docs/errors.md.
[[nodiscard]] std::span<const Advice> all_advice() noexcept;

/// nullptr: a name that this wskeep does not know, of a newer daemon.
[[nodiscard]] const Advice* find_advice(std::string_view error) noexcept;

}  // namespace wskeep::cli
