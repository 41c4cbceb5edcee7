#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace wskeep::cli {

/// Lines out of text that comes in pieces, without their line feeds.
class LineSplitter {
 public:
  void append(std::string_view piece) {
    // What is done with goes before new text comes, so that memory is bounded by one line.
    text_.erase(0, at_);
    searched_ -= at_;
    at_ = 0;
    text_ += piece;
  }

  /// No more pieces: a last line without a line feed counts too.
  void finish() noexcept { finished_ = true; }

  /// The next line, valid until the next call; none if it is not there whole yet.
  [[nodiscard]] std::optional<std::string_view> next() {
    const std::size_t end = text_.find('\n', searched_);
    if (end != std::string::npos) return take(end, end + 1);
    searched_ = text_.size();
    if (!finished_ || at_ == text_.size()) return std::nullopt;
    return take(text_.size(), text_.size());
  }

  /// Nothing is left, and nothing will come.
  [[nodiscard]] bool done() const noexcept { return finished_ && at_ == text_.size(); }

 private:
  std::string_view take(std::size_t end, std::size_t next) {
    const std::string_view line = std::string_view(text_).substr(at_, end - at_);
    at_ = next;
    searched_ = next;
    return line;
  }

  std::string text_;
  std::size_t at_ = 0;        ///< where the next line begins
  std::size_t searched_ = 0;  ///< no line feed lies between `at_` and here
  bool finished_ = false;
};

}  // namespace wskeep::cli
