#include "cli/live_terminal.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>

namespace wskeep::cli {

namespace {

using std::chrono::steady_clock;

constexpr std::string_view hide_cursor = "\x1b[?25l";
constexpr std::string_view show_cursor = "\x1b[?25h";
constexpr std::string_view other_screen = "\x1b[?1049h\x1b[H\x1b[2J\x1b[?25l";
constexpr std::string_view first_screen = "\x1b[?25h\x1b[?1049l";
constexpr std::array ending_signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// What signal handlers need, and they can reach nothing but globals.
struct Saved {
  int input = -1;  // -1: standard input is no terminal of ours
  int output = -1;
  bool whole = false;  // another screen than the one that the shell writes to
  termios before{};
  termios during{};
};
Saved saved;                                       // NOLINT: see above
volatile std::sig_atomic_t size_changed = 0;       // NOLINT: see above
volatile std::sig_atomic_t was_stopped = 0;        // NOLINT: see above
std::array<struct sigaction, 6> previous_actions;  // NOLINT: see above

void enter() noexcept {
  if (saved.input >= 0) ::tcsetattr(saved.input, TCSANOW, &saved.during);
  const std::string_view begin = saved.whole ? other_screen : hide_cursor;
  static_cast<void>(!::write(saved.output, begin.data(), begin.size()));
}

void restore() noexcept {
  if (saved.input >= 0) ::tcsetattr(saved.input, TCSANOW, &saved.before);
  const std::string_view end = saved.whole ? first_screen : show_cursor;
  static_cast<void>(!::write(saved.output, end.data(), end.size()));
}

extern "C" void end_by_signal(int number) {
  restore();
  _exit(128 + number);
}

extern "C" void stop_by_signal(int) {
  const int error = errno;
  restore();
  ::kill(::getpid(), SIGSTOP);  // until SIGCONT
  enter();
  was_stopped = 1;
  size_changed = 1;
  errno = error;
}

extern "C" void note_size(int) {
  size_changed = 1;
}

void install(int number, void (*handler)(int), struct sigaction& previous) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(number, &action, &previous);
}

}  // namespace

LiveTerminal::LiveTerminal(const Console& console, Screen screen)
    : console_(console), screen_(screen), keys_(console.input_is_terminal()) {
  saved = {};
  saved.output = console.output();
  saved.whole = screen == Screen::whole;
  if (keys_ && ::tcgetattr(console.input(), &saved.before) == 0) {
    saved.input = console.input();
    saved.during = saved.before;
    saved.during.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    saved.during.c_cc[VMIN] = 1;
    saved.during.c_cc[VTIME] = 0;
  }
  for (std::size_t each = 0; each < ending_signals.size(); ++each) {
    install(ending_signals.at(each), end_by_signal, previous_actions.at(each));
  }
  install(SIGTSTP, stop_by_signal, previous_actions.at(4));
  install(SIGWINCH, note_size, previous_actions.at(5));
  enter();
}

LiveTerminal::~LiveTerminal() {
  restore();
  for (std::size_t each = 0; each < ending_signals.size(); ++each) {
    ::sigaction(ending_signals.at(each), &previous_actions.at(each), nullptr);
  }
  ::sigaction(SIGTSTP, &previous_actions.at(4), nullptr);
  ::sigaction(SIGWINCH, &previous_actions.at(5), nullptr);
}

std::size_t LiveTerminal::drawn_rows(std::size_t columns) const {
  // A terminal that became narrower has wrapped what was drawn for the greater width.
  std::size_t rows = 0;
  for (const std::size_t width : drawn_) {
    rows += columns == 0 ? 1 : std::max<std::size_t>(1, (width + columns - 1) / columns);
  }
  return rows;
}

void LiveTerminal::draw(const std::vector<Line>& lines) {
  const Console::Size size = console_.size();
  std::string output;
  if (was_stopped != 0) {
    // Others have written below what was drawn, so it stays, and all begins anew here.
    was_stopped = 0;
    drawn_.clear();
  }
  // A terminal that became lower cannot go back further than its first row.
  if (screen_ == Screen::whole) output = "\x1b[H";
  const std::size_t back =
      size.rows > 0 ? std::min(drawn_rows(size.columns), size.rows - 1) : drawn_rows(size.columns);
  if (back > 0 && screen_ == Screen::below) output += "\x1b[" + std::to_string(back) + "A";
  output += '\r';
  drawn_.clear();
  const std::size_t room = size.rows > 1 ? size.rows - 1 : 1;
  for (const Line& line : lines) {
    if (drawn_.size() == room) break;
    output += line.text + "\x1b[K\n";
    drawn_.push_back(line.width);
  }
  output += "\x1b[J";
  console_.print(output);
}

LiveTerminal::Wake LiveTerminal::wait(steady_clock::time_point until) {
  for (;;) {
    std::vector<Key> keys;
    const Wake wake = wait_for_keys(until, keys);
    if (wake != Wake::keys) return wake;
    for (const Key& key : keys) {
      const bool quit = key.name == Key::Name::character
                            ? key.character == 'q' || key.character == 'Q'
                            : key.name == Key::Name::escape || key.name == Key::Name::end_of_input;
      if (quit) return Wake::quit;
    }
  }
}

LiveTerminal::Wake LiveTerminal::wait_for_keys(steady_clock::time_point until,
                                               std::vector<Key>& keys) {
  keys.clear();
  for (;;) {
    if (size_changed != 0) {
      size_changed = 0;
      return Wake::resized;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) return Wake::timed_out;
    std::array<pollfd, 2> entries{
        {{keys_ ? console_.input() : -1, POLLIN, 0}, {console_.output(), 0, 0}}};
    if (::poll(entries.data(), entries.size(), static_cast<int>(left.count())) <= 0) continue;
    if (entries[1].revents != 0) throw OutputClosed();
    // A key that is no character comes as several bytes in one piece.
    std::array<char, 64> pressed{};
    const ssize_t count = ::read(console_.input(), pressed.data(), pressed.size());
    if (count == 0 || (count < 0 && errno == EIO)) throw OutputClosed();
    if (count > 0) keys = parse_keys({pressed.data(), static_cast<std::size_t>(count)});
    if (!keys.empty()) return Wake::keys;
  }
}

}  // namespace wskeep::cli
