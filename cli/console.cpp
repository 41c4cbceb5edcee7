#include "cli/console.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cli/escape.hpp"

namespace wskeep::cli {

namespace {

bool want_colors(ColorChoice choice, bool is_terminal) {
  if (choice != ColorChoice::automatic) return choice == ColorChoice::always;
  const char* no_color = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  const bool refused = no_color != nullptr && *no_color != '\0';
  return is_terminal && !refused && kind != nullptr && std::strcmp(kind, "dumb") != 0;
}

/// As setlocale(3) finds it: the first of these that is set and not empty counts.
bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    return locale.find("UTF-8") != std::string_view::npos ||
           locale.find("utf8") != std::string_view::npos ||
           locale.find("UTF8") != std::string_view::npos ||
           locale.find("utf-8") != std::string_view::npos;
  }
  return false;
}

bool want_unicode(ColorChoice choice, bool is_terminal) {
  const char* kind = std::getenv("TERM");
  const bool dumb = kind != nullptr && std::strcmp(kind, "dumb") == 0;
  return ((is_terminal && !dumb) || choice == ColorChoice::always) && locale_is_utf8();
}

/// 0, or the errno that ended it. Waits where the descriptor was left non-blocking by its owner.
int write_fully(int descriptor, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t count = ::write(descriptor, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd entry{descriptor, POLLOUT, 0};
      ::poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

}  // namespace

Console::Console(int input, int output, int error, ColorChoice colors)
    : input_(input),
      output_(output),
      error_(error),
      input_is_terminal_(::isatty(input) == 1),
      output_is_terminal_(::isatty(output) == 1),
      error_is_terminal_(::isatty(error) == 1),
      output_colors_(want_colors(colors, output_is_terminal_)),
      output_unicode_(want_unicode(colors, output_is_terminal_)),
      error_colors_(want_colors(colors, error_is_terminal_)) {}

void Console::print(std::string_view text) const {
  const int error = write_fully(output_, text);
  if (error == 0) return;
  if (error == EPIPE || error == EBADF) throw OutputClosed();
  throw std::runtime_error(std::string("cannot write to standard output: ") + std::strerror(error));
}

void Console::print_error(std::string_view text) const noexcept {
  // Where standard error takes nothing there is no place left to say so.
  static_cast<void>(write_fully(error_, text));
}

void Console::note(std::string_view sentence) const {
  if (!error_is_terminal_) return;
  print_error(paint(visible(sentence), Color::dim, error_colors_) + "\n");
}

void Console::complain(std::string_view sentence) const {
  std::string text = paint("wskeep:", Color::red, error_colors_) + " ";
  append_visible(text, sentence, LineEnds::keep);
  print_error(text + "\n");
}

Console::Size Console::size() const noexcept {
  if (!output_is_terminal_) return {};
  winsize size{};
  if (::ioctl(output_, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {80, 24};
  return {size.ws_col, size.ws_row};
}

}  // namespace wskeep::cli
