#include "cli/wrap.hpp"

#include <algorithm>

#include "cli/escape.hpp"

namespace wskeep::cli {

namespace {

/// Takes away and returns the next word, or as much of it as a line holds.
std::string_view take_word(std::string_view& text, std::size_t width) {
  std::string_view word = text.substr(0, text.find(' '));
  while (display_width(word) > width) {
    word.remove_suffix(1);
    while ((static_cast<unsigned char>(text[word.size()]) & 0xC0U) == 0x80U) word.remove_suffix(1);
  }
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

std::vector<std::string> wrap(std::string_view text, std::size_t width) {
  width = std::max<std::size_t>(width, 1);
  std::vector<std::string> lines(1);
  bool space = false;  // stands between the last word and the next
  while (!text.empty()) {
    if (text.front() == ' ') {
      text.remove_prefix(1);
      space = true;
      continue;
    }
    const std::string_view word = take_word(text, width);
    const bool between = space && !lines.back().empty();
    if (display_width(lines.back()) + (between ? 1 : 0) + display_width(word) > width) {
      lines.emplace_back(word);
    } else {
      if (between) lines.back() += ' ';
      lines.back() += word;
    }
    space = false;
  }
  return lines;
}

}  // namespace wskeep::cli
