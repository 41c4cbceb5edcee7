#include "match/prefilter.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace wskeep::match {
namespace {

using config::JsonPointer;
using config::JsonScalar;

/// What no JSON has to escape, and what can only be escaped as \u00XX.
constexpr std::string_view plain =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:, ";

bool is_plain(std::string_view text) {
  return text.find_first_not_of(plain) == std::string_view::npos;
}

std::string in_quotes(std::string_view text) {
  return '"' + std::string(text) + '"';
}

std::string_view longest_plain_part(std::string_view text) {
  std::string_view longest;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of(plain, at), text.size());
    if (end - at > longest.size()) {
      longest = text.substr(at, end - at);
    }
    at = end + 1;
  }
  return longest;
}

/// Empty where nothing can be said.
std::string literal_of(const std::string& value) {
  return is_plain(value) ? in_quotes(value) : std::string(longest_plain_part(value));
}

bool is_integer(std::string_view number) {
  number.remove_prefix(number.starts_with('-') ? 1 : 0);
  return number.find_first_not_of("0123456789") == std::string_view::npos;
}

std::size_t behind_space(std::string_view text, std::size_t at) {
  while (at < text.size() &&
         (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n')) {
    ++at;
  }
  return at;
}

bool is_of_number(char c) {
  return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/// The number that begins `text`; empty where none does.
std::string_view number_at(std::string_view text) {
  std::size_t size = 0;
  while (size < text.size() && is_of_number(text[size])) {
    ++size;
  }
  return text.substr(0, size);
}

/// Whether the value that begins `text` may be that one.
bool may_be(std::string_view text, const JsonScalar& value) {
  switch (value.kind) {
    case JsonScalar::Kind::string:
      return text.starts_with('"');
    case JsonScalar::Kind::number: {
      const std::string_view found = number_at(text);
      const bool integers = is_integer(found) && is_integer(value.text) && value.text != "-0";
      return integers && found != "-0" ? found == value.text : !found.empty();
    }
    default:
      return text.starts_with(value.text);
  }
}

}  // namespace

Prefilter::Prefilter(const config::MessageRule& rule) {
  for (const auto& [pointer, values] : rule.json) {
    add_value(pointer, values);
    add_names(pointer);
  }
  for (const JsonPointer& pointer : rule.exists) {
    add_names(pointer);
  }
  // Of long texts there are fewer.
  std::ranges::sort(names_, [](const Needle& a, const Needle& b) {
    return std::pair(b.text().size(), a.text()) < std::pair(a.text().size(), b.text());
  });
  const auto same = std::unique(names_.begin(), names_.end(), [](const Needle& a, const Needle& b) {
    return a.text() == b.text();
  });
  names_.erase(same, names_.end());
}

void Prefilter::add_value(const JsonPointer& pointer, const std::vector<JsonScalar>& values) {
  const bool strings = std::ranges::all_of(
      values, [](const JsonScalar& value) { return value.kind == JsonScalar::Kind::string; });
  if (strings) {
    Literals literals;
    for (const JsonScalar& value : values) {
      std::string literal = literal_of(value.text);
      if (literal.empty()) {
        return;
      }
      literals.emplace_back(std::move(literal));
    }
    literals_.push_back(std::move(literals));
    return;
  }
  if (pointer.tokens().empty()) {
    return;
  }
  const JsonPointer::Token& last = pointer.tokens().back();
  if (!last.index && is_plain(last.name)) {
    members_.push_back({Needle(in_quotes(last.name)), values});
  }
}

void Prefilter::add_names(const JsonPointer& pointer) {
  for (const JsonPointer::Token& token : pointer.tokens()) {
    if (!token.index && is_plain(token.name)) {
      names_.emplace_back(in_quotes(token.name));
    }
  }
}

bool Prefilter::may_match(Subject& subject) const {
  if (finds_all(subject.text)) {
    return true;
  }
  if (!subject.escapes) {
    static const Needle needle{std::string(escape)};
    subject.escapes = subject.text.find('\\') != std::string_view::npos && needle.in(subject.text);
  }
  return *subject.escapes;
}

/// What a member is to be says more than its name, and of names the longest the most.
std::vector<std::string> Prefilter::needed() const {
  if (!literals_.empty()) {
    const auto shortest_of = [](const Literals& literals) {
      return std::ranges::min(literals, {}, [](const Needle& one) { return one.text().size(); })
          .text()
          .size();
    };
    std::vector<std::string> texts;
    for (const Needle& one : std::ranges::max(literals_, {}, shortest_of)) {
      texts.push_back(one.text());
    }
    return texts;
  }
  std::string longest = names_.empty() ? std::string() : names_.front().text();
  for (const Member& member : members_) {
    if (member.name.text().size() > longest.size()) {
      longest = member.name.text();
    }
  }
  return longest.empty() ? std::vector<std::string>() : std::vector<std::string>{longest};
}

bool Prefilter::finds_all(std::string_view text) const {
  const auto in_text = [&](const auto& what) { return what.in(text); };
  return std::ranges::all_of(
             literals_,
             [&](const Literals& literals) { return std::ranges::any_of(literals, in_text); }) &&
         std::ranges::all_of(members_, in_text) && std::ranges::all_of(names_, in_text);
}

bool Prefilter::Member::in(std::string_view text) const {
  for (std::size_t at = name.find(text); at != Needle::npos; at = name.find(text, at + 1)) {
    const std::size_t colon = behind_space(text, at + name.text().size());
    if (colon == text.size() || text[colon] != ':') {
      continue;
    }
    const std::string_view found = text.substr(behind_space(text, colon + 1));
    if (std::ranges::any_of(values,
                            [&](const JsonScalar& value) { return may_be(found, value); })) {
      return true;
    }
  }
  return false;
}

}  // namespace wskeep::match
