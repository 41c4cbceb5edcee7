#include "daemon/upstream/public_url.hpp"

#include <algorithm>

namespace wskeep::upstream {
namespace {

constexpr std::string_view masked = "***";

bool is_quote(char c) {
  return c == '\'' || c == '"';
}

/// Of the text in quotes that begins at `at`; the size of the whole where it does not end.
std::size_t closing_quote(std::string_view text, std::size_t at) {
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == text[at])
      return i;
  }
  return text.size();
}

/// Behind the place-holder or the escaped dollar sign that begins at `at`; `at` where none does.
std::size_t behind_placeholder(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with("$$")) return at + 2;
  if (!rest.starts_with("${")) return at;
  const bool plain = rest.starts_with("${env:") || rest.starts_with("${file:") ||
                     rest.starts_with("${credential:");
  for (std::size_t i = at; i < text.size(); ++i) {
    if (text[i] == '}') return i + 1;
    if (!plain && is_quote(text[i])) i = closing_quote(text, i);
  }
  return text.size();
}

/// The same text, with `***` for what stands in quotes in its place-holders: it may be a key.
std::string without_quoted_texts(std::string_view url) {
  std::string result;
  for (std::size_t at = 0; at < url.size();) {
    const std::size_t behind = behind_placeholder(url, at);
    if (behind == at) {
      result += url[at++];
      continue;
    }
    for (; at < behind; ++at) {
      result += url[at];
      const std::size_t end = is_quote(url[at]) ? closing_quote(url, at) : at;
      if (end > at + 1) result += masked;
      if (end > at && end < url.size()) result += url[end];
      at = end;
    }
  }
  return result;
}

/// As `text.find_first_of(wanted, from)`, but what stands in place-holders does not count: paths of
/// files do. The size of the text where there is none.
std::size_t find_outside(std::string_view text, std::string_view wanted, std::size_t from) {
  for (std::size_t at = from; at < text.size();) {
    const std::size_t behind = behind_placeholder(text, at);
    if (behind == at && wanted.find(text[at]) != std::string_view::npos) return at;
    at = std::max(behind, at + 1);
  }
  return text.size();
}

/// Where the authority begins: behind "://", or at the very beginning.
std::size_t authority_of(std::string_view url) {
  const std::size_t colon = find_outside(url, ":/?#", 0);
  return url.substr(colon).starts_with("://") ? colon + 3 : 0;
}

bool all_placeholders(std::string_view value) {
  for (std::size_t at = 0; at < value.size();) {
    if (!value.substr(at).starts_with("${")) return false;
    at = behind_placeholder(value, at);
  }
  return true;
}

/// `name=***`; one without a name may be a token itself.
std::string masked_parameter(std::string_view parameter) {
  const std::size_t equals = find_outside(parameter, "=", 0);
  if (equals == parameter.size())
    return std::string(all_placeholders(parameter) ? parameter : masked);
  const std::string_view value = parameter.substr(equals + 1);
  return std::string(parameter.substr(0, equals + 1)) +
         std::string(all_placeholders(value) ? value : masked);
}

std::string masked_query(std::string_view query) {
  std::string result;
  for (std::size_t begin = 0; begin <= query.size();) {
    const std::size_t end = find_outside(query, "&;", begin);
    result += masked_parameter(query.substr(begin, end - begin));
    if (end < query.size()) result += query[end];
    begin = end + 1;
  }
  return result;
}

}  // namespace

std::string public_url(std::string_view source) {
  const std::string shown = without_quoted_texts(source);
  std::string_view url = shown;
  url = url.substr(0, find_outside(url, "#", 0));  // tokens stand there, too
  const std::size_t authority = authority_of(url);
  const std::size_t path = find_outside(url, "/?", authority);
  std::size_t host = authority;
  for (std::size_t at = find_outside(url, "@", authority); at < path;
       at = find_outside(url, "@", at + 1))
    host = at + 1;
  const std::size_t question = find_outside(url, "?", path);
  std::string result(url.substr(0, authority));
  result += url.substr(host, question - host);
  if (question < url.size()) result += "?" + masked_query(url.substr(question + 1));
  return result;
}

}  // namespace wskeep::upstream
