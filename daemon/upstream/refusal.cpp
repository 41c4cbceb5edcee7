#include "daemon/upstream/refusal.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>

#include "daemon/upstream/backoff.hpp"

namespace wskeep::upstream {

using daemon::Error;
using std::chrono::seconds;

namespace {

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<unsigned> month(std::string_view name) {
  constexpr std::array<std::string_view, 12> names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto* const found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<unsigned>(found - names.begin()) + 1;
}

/// "Sun, 06 Nov 1994 08:49:37 GMT": the one form that is still to be sent (RFC 9110,
/// section 5.6.7).
std::optional<daemon::WallTime> parse_date(std::string_view text) {
  if (text.size() != 29 || text.substr(25) != " GMT" || text[19] != ':' || text[22] != ':')
    return std::nullopt;
  const auto day = number(text.substr(5, 2));
  const auto name = month(text.substr(8, 3));
  const auto year = number(text.substr(12, 4));
  const auto hour = number(text.substr(17, 2));
  const auto minute = number(text.substr(20, 2));
  const auto second = number(text.substr(23, 2));
  if (!day || !name || !year || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{*name},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  return std::chrono::sys_days{date} + std::chrono::hours{*hour} + std::chrono::minutes{*minute} +
         seconds{*second};
}

Error error_of(unsigned status) noexcept {
  switch (status) {
    case 401:
    case 403:
      return Error::http_unauthorized;
    case 429:
      return Error::http_too_many_requests;
    case 503:
      return Error::http_unavailable;
    default:
      return Error::http_status;
  }
}

}  // namespace

std::string excerpt(std::string_view text) {
  constexpr std::size_t most = 160;
  std::string line;
  for (const char c : text.substr(0, most)) {
    const bool printable = c >= 0x20 && c < 0x7F;
    if (printable && (c != ' ' || !line.ends_with(' '))) line += c;
    if (!printable && !line.ends_with(' ')) line += ' ';
  }
  while (line.ends_with(' ')) line.pop_back();
  return line;
}

std::optional<seconds> parse_retry_after(std::string_view value, daemon::WallTime now) {
  const bool digits = !value.empty() && std::all_of(value.begin(), value.end(),
                                                    [](char c) { return c >= '0' && c <= '9'; });
  if (digits) {
    const auto count = number(value);  // nothing for more digits than an int has
    return count ? std::min(seconds{*count}, Backoff::longest_retry_after)
                 : Backoff::longest_retry_after;
  }
  const auto date = parse_date(value);
  if (!date) return std::nullopt;
  return std::clamp(std::chrono::ceil<seconds>(*date - now), seconds{0},
                    Backoff::longest_retry_after);
}

OpenFailure refusal(const websocket::HttpHead& response, std::string_view body,
                    const Secrets& secrets, daemon::WallTime now) {
  OpenFailure failure;
  failure.http_status = response.status;
  failure.failure.error = error_of(response.status);
  std::string& text = failure.failure.text;
  text = "the server answered " + std::to_string(response.status);
  // Hidden before it is cut to length, so that no part of a secret is left at the cut.
  if (!response.reason.empty()) text += " " + excerpt(secrets.hidden(response.reason));
  if (const std::string said = excerpt(secrets.hidden(body)); !said.empty()) text += ": " + said;
  if (response.status == 429 || response.status == 503)
    if (const std::string* value = response.find("retry-after"))
      failure.retry_after = parse_retry_after(*value, now);
  return failure;
}

bool worth_another_address(const OpenFailure& failure) noexcept {
  switch (failure.failure.error) {
    case Error::configuration:
    case Error::proxy_unauthorized:
      return false;
    default:
      return failure.http_status < 300 || failure.http_status >= 500;
  }
}

}  // namespace wskeep::upstream
