#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>

#include "cli/color.hpp"

namespace wskeep::cli {

enum class ColorChoice : std::uint8_t { automatic, always, never };

/// Nobody reads standard output any more: reason to end quietly.
class OutputClosed : public std::runtime_error {
 public:
  OutputClosed() : std::runtime_error("standard output is closed") {}
};

/// Standard input, output and error of a command, and what they can show.
class Console {
 public:
  Console(int input, int output, int error, ColorChoice colors);

  /// Each call is one write, where the kernel takes it whole. Throws OutputClosed, or
  /// std::runtime_error where the output takes no more (a full disk).
  void print(std::string_view text) const;

  /// A remark beside the output, dim on standard error; dropped unless that is a terminal.
  void note(std::string_view sentence) const;

  /// `wskeep: SENTENCE` on standard error.
  void complain(std::string_view sentence) const;

  /// Text as it is, on standard error.
  void print_error(std::string_view text) const noexcept;

  [[nodiscard]] int input() const noexcept { return input_; }
  [[nodiscard]] int output() const noexcept { return output_; }
  [[nodiscard]] bool input_is_terminal() const noexcept { return input_is_terminal_; }
  [[nodiscard]] bool output_is_terminal() const noexcept { return output_is_terminal_; }
  [[nodiscard]] bool error_is_terminal() const noexcept { return error_is_terminal_; }
  [[nodiscard]] bool output_colors() const noexcept { return output_colors_; }
  /// Whether it is a terminal (or is to be treated like one) that shows UTF-8.
  [[nodiscard]] bool output_unicode() const noexcept { return output_unicode_; }
  [[nodiscard]] bool error_colors() const noexcept { return error_colors_; }

  struct Size {
    std::size_t columns = 0;
    std::size_t rows = 0;
  };
  /// Of the terminal that standard output is; 0 where it is none.
  [[nodiscard]] Size size() const noexcept;

 private:
  int input_;
  int output_;
  int error_;
  bool input_is_terminal_;
  bool output_is_terminal_;
  bool error_is_terminal_;
  bool output_colors_;
  bool output_unicode_;
  bool error_colors_;
};

}  // namespace wskeep::cli
