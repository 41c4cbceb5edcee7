#include "config/suggest.hpp"

#include <algorithm>
#include <vector>

namespace wskeep::config {
namespace {

// Longer than any name of ours and as far off as makes a suggestion, so nothing is lost; the work
// is bounded.
constexpr std::size_t longest_name = 32;

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Letters to insert, delete, replace or swap with the next one.
std::size_t edit_distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before_last;
  std::vector<std::size_t> last(right.size() + 1);
  for (std::size_t column = 0; column <= right.size(); ++column) {
    last[column] = column;
  }
  for (std::size_t row = 1; row <= left.size(); ++row) {
    std::vector<std::size_t> current(right.size() + 1);
    current[0] = row;
    for (std::size_t column = 1; column <= right.size(); ++column) {
      const bool same = lower(left[row - 1]) == lower(right[column - 1]);
      current[column] =
          std::min({last[column] + 1, current[column - 1] + 1, last[column - 1] + (same ? 0 : 1)});
      if (row > 1 && column > 1 && lower(left[row - 1]) == lower(right[column - 2]) &&
          lower(left[row - 2]) == lower(right[column - 1])) {
        current[column] = std::min(current[column], before_last[column - 2] + 1);
      }
    }
    before_last = std::move(last);
    last = std::move(current);
  }
  return last.back();
}

}  // namespace

std::string_view closest(std::string_view wrong, std::span<const std::string_view> allowed) {
  std::string_view best;
  if (wrong.size() > longest_name) {
    return best;
  }
  std::size_t limit = std::max<std::size_t>(1, std::min<std::size_t>(3, wrong.size() / 3)) + 1;
  for (const std::string_view name : allowed) {
    const bool shortened = wrong.size() >= 3 && name.starts_with(wrong);
    const std::size_t distance = shortened ? 1 : edit_distance(wrong, name);
    if (distance < limit && distance < name.size()) {
      best = name;
      limit = distance;
    }
  }
  return best;
}

std::string suggestion(std::string_view wrong, std::span<const std::string_view> allowed) {
  const std::string_view name = closest(wrong, allowed);
  return name.empty() ? "" : " (did you mean '" + std::string(name) + "'?)";
}

std::string joined(std::span<const std::string_view> names, std::string_view last_word) {
  std::string result;
  for (std::size_t index = 0; index < names.size(); ++index) {
    if (index > 0) {
      result += index + 1 == names.size() ? " " + std::string(last_word) + " " : ", ";
    }
    result += names[index];
  }
  return result;
}

}  // namespace wskeep::config
