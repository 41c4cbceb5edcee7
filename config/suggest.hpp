#pragma once

#include <span>
#include <string>
#include <string_view>

namespace wskeep::config {

/// The name among `allowed` that `wrong` was probably meant to be; empty where none is close.
[[nodiscard]] std::string_view closest(std::string_view wrong,
                                       std::span<const std::string_view> allowed);

/// ` (did you mean 'NAME'?)`, or nothing where no name is close.
[[nodiscard]] std::string suggestion(std::string_view wrong,
                                     std::span<const std::string_view> allowed);

/// `a, b or c`, with the given last word.
[[nodiscard]] std::string joined(std::span<const std::string_view> names,
                                 std::string_view last_word);

}  // namespace wskeep::config
