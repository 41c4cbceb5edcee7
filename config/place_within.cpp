#include "config/place_within.hpp"

#include <algorithm>

namespace wskeep::config {
namespace {

/// Goes over a text and counts lines and columns.
class Walker {
 public:
  explicit Walker(std::string_view text) : text_(text) {}

  void go_to(Place place) {
    while (!done() && place_.line < place.line) {
      next();
    }
    while (!done() && place_.column < place.column && here() != '\n') {
      next();
    }
  }

  void next() {
    if (text_[at_++] == '\n') {
      ++place_.line;
      place_.column = 1;
    } else {
      ++place_.column;
    }
  }

  void skip(std::size_t count) {
    for (; count > 0 && !done(); --count) {
      next();
    }
  }

  void skip_blanks() {
    while (!done() && (here() == ' ' || here() == '\t')) {
      next();
    }
  }

  [[nodiscard]] bool done() const { return at_ >= text_.size(); }
  [[nodiscard]] char here() const { return done() ? '\n' : text_[at_]; }
  [[nodiscard]] char ahead() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\n'; }
  [[nodiscard]] std::string_view rest() const { return text_.substr(std::min(at_, text_.size())); }
  [[nodiscard]] Place place() const { return place_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  Place place_{1, 1};
};

/// One line end and the indentation behind it, which together stand for one character.
void skip_fold(Walker& walker) {
  walker.next();
  walker.skip_blanks();
}

/// Bytes of UTF-8 that a code point of so many hexadecimal digits takes.
std::size_t encoded_size(std::string_view digits) {
  const std::string_view significant =
      digits.substr(std::min(digits.find_first_not_of('0'), digits.size()));
  if (significant.size() < 2 || (significant.size() == 2 && significant.front() < '8')) {
    return 1;
  }
  if (significant.size() < 3 || (significant.size() == 3 && significant.front() < '8')) {
    return 2;
  }
  return significant.size() < 5 ? 3 : 4;
}

/// Goes over one escape of a text in double quotes; returns the bytes that it stands for.
std::size_t skip_escape(Walker& walker) {
  const char kind = walker.ahead();
  std::size_t digits = 0;
  if (kind == 'x') {
    digits = 2;
  } else if (kind == 'u') {
    digits = 4;
  } else if (kind == 'U') {
    digits = 8;
  }
  if (digits > 0) {
    const std::size_t size = encoded_size(walker.rest().substr(2, digits));
    walker.skip(2 + digits);
    return size;
  }
  walker.next();
  if (kind == '\n') {
    skip_fold(walker);
    return 0;
  }
  walker.next();
  return 1;
}

Place in_quotes(Walker walker, char quote, std::size_t offset) {
  walker.next();
  while (offset > 0 && !walker.done()) {
    if (quote == '"' && walker.here() == '\\') {
      offset -= std::min(offset, skip_escape(walker));
      continue;
    }
    if (walker.here() == quote) {
      if (quote == '"' || walker.ahead() != quote) {
        break;
      }
      walker.next();
    }
    if (walker.here() == '\n') {
      skip_fold(walker);
    } else {
      walker.next();
    }
    --offset;
  }
  return walker.place();
}

Place in_block(Walker walker, std::size_t offset) {
  const auto end_of_line = [&walker] {
    while (!walker.done() && walker.here() != '\n') {
      walker.next();
    }
  };
  end_of_line();
  walker.skip(1);
  const std::size_t indentation =
      std::min(walker.rest().find_first_not_of(' '), walker.rest().size());
  walker.skip(indentation);
  while (offset > 0 && !walker.done()) {
    const bool line_end = walker.here() == '\n';
    walker.next();
    for (std::size_t left = indentation; line_end && left > 0 && walker.here() == ' '; --left) {
      walker.next();
    }
    --offset;
  }
  return walker.place();
}

Place in_plain(Walker walker, std::size_t offset) {
  for (; offset > 0 && !walker.done(); --offset) {
    if (walker.here() == '\n') {
      skip_fold(walker);
    } else {
      walker.next();
    }
  }
  return walker.place();
}

}  // namespace

Place place_within(std::string_view yaml, Place begin, std::size_t offset) {
  Walker walker(yaml);
  walker.go_to(begin);
  switch (walker.here()) {
    case '\'':
    case '"':
      return in_quotes(walker, walker.here(), offset);
    case '|':
    case '>':
      return in_block(walker, offset);
    default:
      return in_plain(walker, offset);
  }
}

void add_within(Problems& problems, Place begin, const std::string& path,
                const TemplateError& error) {
  problems.add(place_within(problems.text(begin.file), begin, error.offset()), path, error.what());
}

}  // namespace wskeep::config
