#include "cli/facts.hpp"

#include <algorithm>
#include <utility>

#include "cli/escape.hpp"

namespace wskeep::cli {

namespace {

constexpr std::size_t longest_aligned = 16;

}  // namespace

void Facts::group(std::string title) {
  groups_.push_back({std::move(title), {}});
}

void Facts::add(std::string label, std::string_view value, Color color) {
  if (value.empty()) return;
  if (groups_.empty()) group({});
  groups_.back().facts.push_back({visible(label), visible(value), color});
}

std::string Facts::text() const {
  std::size_t widest = 0;
  for (const Group& group : groups_) {
    for (const Fact& fact : group.facts) {
      // One long label, such as a header's name, shall not push all values to the right.
      const std::size_t width = display_width(fact.label);
      if (width <= longest_aligned) widest = std::max(widest, width);
    }
  }
  std::string text;
  for (const Group& group : groups_) {
    if (group.facts.empty()) continue;
    if (!text.empty()) text += '\n';
    if (!group.title.empty()) text += paint(group.title, Color::bold, colors_) + "\n";
    for (const Fact& fact : group.facts) {
      text += "  " + fact.label;
      text.append(std::max(widest, display_width(fact.label)) - display_width(fact.label) + 2, ' ');
      text += paint(fact.value, fact.color, colors_) + "\n";
    }
  }
  return text;
}

}  // namespace wskeep::cli
