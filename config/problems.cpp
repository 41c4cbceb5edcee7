#include "config/problems.hpp"

#include <algorithm>
#include <tuple>

namespace wskeep::config {
namespace {

// A person reads a few dozen; a hostile file of 1 MiB could hold half a million.
constexpr std::size_t most_listed = 1000;
constexpr std::size_t most_shown = 64;

std::string presentable(std::string_view text) {
  constexpr std::string_view hex = "0123456789abcdef";
  std::string result;
  for (const char c : text.substr(0, most_shown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      result += "\\x";
      result += hex[byte >> 4U];
      result += hex[byte & 15U];
    } else {
      result += c;
    }
  }
  return text.size() > most_shown ? result + "..." : result;
}

std::string one_a_line(const std::vector<Problem>& problems) {
  std::string result;
  for (const Problem& problem : problems) {
    result += result.empty() ? "" : "\n";
    result += problem.text();
  }
  return result;
}

}  // namespace

std::string Problem::text() const {
  std::string result = file;
  if (line != 0) {
    result += ":" + std::to_string(line) + ":" + std::to_string(column);
  }
  for (const std::string& part : {key, message}) {
    result += (result.empty() || part.empty() ? "" : ": ") + part;
  }
  return result;
}

LoadError::LoadError(std::vector<Problem> problems)
    : std::runtime_error(one_a_line(problems)), problems_(std::move(problems)) {}

std::size_t Problems::enter(std::string file) {
  files_.push_back({std::move(file), {}});
  return files_.size();
}

void Problems::add(Place place, std::string key, std::string message) {
  if (problems_.size() == most_listed) {
    ++not_listed_;
    return;
  }
  const std::size_t number = place.file == 0 ? files_.size() : place.file;
  const bool known = std::ranges::any_of(problems_, [&](const Listed& listed) {
    const Problem& problem = listed.problem;
    return listed.file == number && problem.line == place.line && problem.column == place.column &&
           problem.key == key && problem.message == message;
  });
  if (known) {
    return;
  }
  problems_.push_back(
      {number, {file(number), place.line, place.column, std::move(key), std::move(message)}});
}

void Problems::found(const std::string& key, Place place) {
  if (places_ == nullptr) {
    return;
  }
  const std::size_t number = place.file == 0 ? files_.size() : place.file;
  places_->insert_or_assign(key, Whereabouts{file(number), place.line, place.column});
}

void Problems::throw_if_any() const {
  if (problems_.empty()) {
    return;
  }
  std::vector<Listed> sorted = problems_;
  std::ranges::stable_sort(sorted, [](const Listed& left, const Listed& right) {
    return std::tie(left.file, left.problem.line, left.problem.column) <
           std::tie(right.file, right.problem.line, right.problem.column);
  });
  std::vector<Problem> listed;
  listed.reserve(sorted.size());
  for (Listed& each : sorted) {
    listed.push_back(std::move(each.problem));
  }
  if (not_listed_ > 0) {
    listed.push_back({files_.front().name, 0, 0, "",
                      std::to_string(not_listed_) + " more problems, not listed"});
  }
  throw LoadError(std::move(listed));
}

std::string in_quotes(std::string_view text) {
  return "'" + presentable(text) + "'";
}

std::string joined_key(std::string_view parent, std::string_view name) {
  return parent.empty() ? presentable(name) : std::string(parent) + "." + presentable(name);
}

}  // namespace wskeep::config
