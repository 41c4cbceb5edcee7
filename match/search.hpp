#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wskeep::match {

/// A text that is looked for in many others, at some ten bytes in a nanosecond.
class Needle {
 public:
  static constexpr std::size_t npos = std::string_view::npos;

  /// `text` is not empty.
  explicit Needle(std::string text);

  /// Where it stands first in `text`, at or behind `from`; npos where it does not.
  [[nodiscard]] std::size_t find(std::string_view text, std::size_t from = 0) const noexcept;

  [[nodiscard]] bool in(std::string_view text) const noexcept { return find(text) != npos; }

  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
  std::size_t first_probe_;
  std::size_t last_probe_;
};

}  // namespace wskeep::match
