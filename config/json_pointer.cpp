#include "config/json_pointer.hpp"

#include <algorithm>
#include <charconv>

namespace wskeep::config {
namespace {

std::string unescaped(std::string_view token) {
  std::string name;
  for (std::size_t at = 0; at < token.size(); ++at) {
    if (token[at] != '~') {
      name += token[at];
      continue;
    }
    ++at;
    if (at == token.size() || (token[at] != '0' && token[at] != '1')) {
      throw JsonPointerError("has a '~' that is not ~0 (for ~) or ~1 (for /)");
    }
    name += token[at] == '0' ? '~' : '/';
  }
  return name;
}

std::optional<std::size_t> as_index(std::string_view name) {
  std::size_t index = 0;
  const char* const end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data(), end, index);
  const bool leading_zero = name.size() > 1 && name.front() == '0';
  if (error != std::errc() || rest != end || leading_zero) {
    return std::nullopt;
  }
  return index;
}

}  // namespace

JsonPointer::JsonPointer(std::string_view source) : source_(source) {
  if (source.empty()) {
    return;
  }
  if (source.front() != '/') {
    throw JsonPointerError("does not begin with '/' (a JSON pointer, as in /data/0/id)");
  }
  for (std::size_t at = 0; at < source.size();) {
    const std::size_t end = std::min(source.find('/', at + 1), source.size());
    std::string name = unescaped(source.substr(at + 1, end - at - 1));
    const std::optional<std::size_t> index = as_index(name);
    if (tokens_.size() == max_tokens) {
      throw JsonPointerError("is deeper than " + std::to_string(max_tokens) + " levels");
    }
    tokens_.push_back({std::move(name), index});
    at = end;
  }
}

}  // namespace wskeep::config
