#include "daemon/upstream/redirect.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "daemon/upstream/public_url.hpp"
#include "daemon/upstream/refusal.hpp"
#include "websocket/header_text.hpp"

namespace wskeep::upstream {
namespace {

using daemon::Error;
using daemon::Failure;

/// The scheme of an absolute reference, in lower case; empty for a relative one.
std::string scheme_of(std::string_view reference) {
  const std::size_t colon = reference.find_first_of(":/?#");
  if (colon == std::string_view::npos || colon == 0 || reference[colon] != ':') return {};
  std::string scheme;
  for (const char c : reference.substr(0, colon)) scheme += websocket::lower_case(c);
  return scheme;
}

/// RFC 3986, section 5.2.4.
std::string without_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  bool directory = false;  // it ends in a slash
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    directory = segment == "." || segment == "..";
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!directory) kept.push_back(segment);
    begin = end + 1;
  }
  std::string result;
  for (const std::string_view segment : kept) result += "/" + std::string(segment);
  return directory || result.empty() ? result + "/" : result;
}

/// Path and query of a relative reference, seen from `base`.
std::string target_of(std::string_view base, std::string_view reference) {
  const std::string_view base_path = base.substr(0, base.find('?'));
  if (reference.empty()) return std::string(base);
  if (reference.starts_with('?')) return std::string(base_path) + std::string(reference);
  const std::size_t question = std::min(reference.find('?'), reference.size());
  std::string path(reference.substr(0, question));
  if (!path.starts_with('/'))
    path = std::string(base_path.substr(0, base_path.rfind('/') + 1)) + path;
  return without_dot_segments(path) + std::string(reference.substr(question));
}

std::string scheme_text(bool secure) {
  return secure ? "wss:" : "ws:";
}

/// `location` as an absolute WebSocket URL, or as it is where it is none.
std::string absolute(const config::Url& from, std::string_view location) {
  location = location.substr(0, location.find('#'));
  const std::string scheme = scheme_of(location);
  if (scheme == "http" || scheme == "https" || scheme == "ws" || scheme == "wss")
    return scheme_text(scheme == "https" || scheme == "wss") +
           std::string(location.substr(scheme.size() + 1));
  if (!scheme.empty()) return std::string(location);
  if (location.starts_with("//")) return scheme_text(from.secure) + std::string(location);
  return scheme_text(from.secure) + "//" + from.authority() + target_of(from.target, location);
}

/// What is against going to `to`; empty: nothing.
std::string objection(const config::Url& from, const config::Url& to, std::uint32_t followed,
                      std::uint32_t allowed) {
  if (allowed == 0)
    return "which is not followed: name that address as the connection's `url`, or allow it with "
           "`redirects: 1`";
  if (from.secure && !to.secure)
    return "which is not followed, because it would leave TLS: name the right wss:// address as "
           "the connection's `url`";
  if (followed >= allowed)
    return "which is not followed after " + std::to_string(followed) +
           " in a row (`redirects`): look for a loop, or name the last address as the "
           "connection's `url`";
  return {};
}

}  // namespace

bool is_redirection(const websocket::HttpHead& response) noexcept {
  switch (response.status) {
    case 301:
    case 302:
    case 303:
    case 307:
    case 308:
      return response.find("location") != nullptr;
    default:
      return false;
  }
}

bool same_origin(const config::Url& a, const config::Url& b) noexcept {
  return a.secure == b.secure && a.host == b.host && a.port == b.port;
}

std::variant<config::Url, Failure> follow_redirection(const config::Url& from,
                                                      const websocket::HttpHead& response,
                                                      std::uint32_t followed,
                                                      std::uint32_t allowed) {
  const std::string* location = response.find("location");
  const std::string where = location == nullptr ? "" : absolute(from, *location);
  const std::string said = "the server answered " + std::to_string(response.status) +
                           " and redirects to " + excerpt(public_url(where)) + ", ";
  try {
    config::Url to = config::parse_url(where);
    to.user_info.clear();  // the server's, not ours
    // The server does not know the zone of an address, which means something on this machine only.
    if (from.host.starts_with(to.host + "%")) to.host = from.host;
    const std::string against = objection(from, to, followed, allowed);
    if (against.empty()) return to;
    return Failure{Error::http_redirect, said + against};
  } catch (const config::UrlError&) {
    return Failure{Error::http_redirect,
                   said + "which is no WebSocket address: see what the server expects as `url`"};
  }
}

}  // namespace wskeep::upstream
