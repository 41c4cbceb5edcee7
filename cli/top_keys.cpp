// What keys do in `wskeep top`.

#include <algorithm>
#include <array>
#include <utility>

#include "cli/top_view.hpp"

namespace wskeep::cli {
namespace {

using Name = Key::Name;

constexpr std::size_t longest_filter = 100;

constexpr std::array help{
    "q             leave",
    "up, down      choose a connection (also j and k, Page Up, Page Down, Home, End)",
    "Enter         look into it; Escape, q or Backspace leads back",
    "s, S          sort by the next column, by the one before it",
    "r             turn the order round",
    "n t m b       sort by name, state, messages a second, bytes a second",
    "o p h u l     sort by bytes sent, round trip, history, readers, lag",
    "/             filter: connections whose name, state, URL or error has the text",
    "Escape        drop the filter",
    "Space         pause, and go on",
    "?             this help",
};

constexpr std::array<std::pair<char, TopOrder>, 9> order_keys{{
    {'n', TopOrder::name},
    {'t', TopOrder::state},
    {'m', TopOrder::messages},
    {'b', TopOrder::bytes},
    {'o', TopOrder::sent},
    {'p', TopOrder::round_trip},
    {'h', TopOrder::ring},
    {'u', TopOrder::readers},
    {'l', TopOrder::lag},
}};

}  // namespace

TopView::Wish TopView::press(const Key& key) {
  if (key.name == Name::end_of_input) return Wish::quit;
  switch (mode_) {
    case Mode::table:
      return press_in_table(key);
    case Mode::filter:
      return press_in_filter(key);
    case Mode::details:
    case Mode::help:
      break;
  }
  return press_in_text(key);
}

TopView::Wish TopView::press_in_table(const Key& key) {
  const auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(page_, 2) - 1);
  constexpr std::ptrdiff_t everything = 1 << 20;
  switch (key.name) {
    case Name::character:
      return press_letter(key.character);
    case Name::up:
      move(-1);
      break;
    case Name::down:
      move(1);
      break;
    case Name::page_up:
      move(-page);
      break;
    case Name::page_down:
      move(page);
      break;
    case Name::home:
      move(-everything);
      break;
    case Name::end:
      move(everything);
      break;
    case Name::escape:
      settings_.filter.clear();
      break;
    case Name::enter:
      if (rows().empty()) break;
      move(0);
      detailed_ = selected_;
      text_.clear();
      first_line_ = 0;
      mode_ = Mode::details;
      return Wish::details;
    default:
      break;
  }
  return Wish::nothing;
}

TopView::Wish TopView::press_letter(char letter) {
  const auto next_order = [&](std::size_t step) {
    const auto at = static_cast<std::size_t>(settings_.order);
    settings_.order = static_cast<TopOrder>((at + step) % order_count);
    reversed_ = false;
  };
  for (const auto& [key, order] : order_keys) {
    if (key != letter) continue;
    settings_.order = order;
    reversed_ = false;
    return Wish::nothing;
  }
  switch (letter) {
    case 'q':
    case 'Q':
      return Wish::quit;
    case 'j':
      move(1);
      break;
    case 'k':
      move(-1);
      break;
    case 's':
      next_order(1);
      break;
    case 'S':
      next_order(order_count - 1);
      break;
    case 'r':
      reversed_ = !reversed_;
      break;
    case '/':
      filter_before_ = settings_.filter;
      mode_ = Mode::filter;
      break;
    case ' ':
      paused_ = !paused_;
      break;
    case '?':
      text_.assign(help.begin(), help.end());
      first_line_ = 0;
      mode_ = Mode::help;
      break;
    default:
      break;
  }
  return Wish::nothing;
}

TopView::Wish TopView::press_in_filter(const Key& key) {
  std::string& filter = settings_.filter;
  switch (key.name) {
    case Name::enter:
      mode_ = Mode::table;
      break;
    case Name::escape:
      filter = filter_before_;
      mode_ = Mode::table;
      break;
    case Name::backspace:
      // A whole character of UTF-8.
      while (!filter.empty() && (static_cast<unsigned char>(filter.back()) & 0xC0U) == 0x80U)
        filter.pop_back();
      if (!filter.empty()) filter.pop_back();
      break;
    case Name::character:
      if (static_cast<unsigned char>(key.character) >= ' ' && filter.size() < longest_filter)
        filter += key.character;
      break;
    default:
      break;
  }
  return Wish::nothing;
}

/// In what is read line by line: details and help.
TopView::Wish TopView::press_in_text(const Key& key) {
  const std::size_t page = std::max<std::size_t>(page_, 2) - 1;
  const auto up = [&](std::size_t lines) { first_line_ -= std::min(first_line_, lines); };
  const bool letter = key.name == Name::character;
  if (key.name == Name::escape || key.name == Name::backspace || key.name == Name::left ||
      (letter && (key.character == 'q' || key.character == 'Q'))) {
    mode_ = Mode::table;
    detailed_.clear();
  } else if (key.name == Name::down || key.name == Name::enter ||
             (letter && key.character == 'j')) {
    ++first_line_;
  } else if (key.name == Name::up || (letter && key.character == 'k')) {
    up(1);
  } else if (key.name == Name::page_down) {
    first_line_ += page;
  } else if (key.name == Name::page_up) {
    up(page);
  } else if (key.name == Name::home) {
    first_line_ = 0;
  } else if (key.name == Name::end) {
    first_line_ = text_.size();
  } else if (letter && key.character == ' ') {
    paused_ = !paused_;
  }
  return Wish::nothing;
}

/// The chosen one stays chosen by its name, wherever sorting puts it.
void TopView::move(std::ptrdiff_t by) {
  const auto shown = rows();
  if (shown.empty()) return;
  const auto found =
      std::ranges::find(shown, selected_, [](const Summary* row) { return row->name; });
  const std::ptrdiff_t at = found == shown.end() ? 0 : found - shown.begin();
  const auto last = static_cast<std::ptrdiff_t>(shown.size()) - 1;
  selected_ = shown[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(at + by, 0, last))]->name;
}

}  // namespace wskeep::cli
