#include "ipc/subscription.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace wskeep::ipc {
namespace {

template <typename Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value, base);
  if (text.empty() || result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return value;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (std::size_t index = 0; index < text.size(); ++index) {
    if (text[index] != '%') {
      decoded.push_back(text[index]);
      continue;
    }
    const std::string_view digits = text.substr(index + 1, 2);
    const auto value = parse_number<unsigned>(digits, 16);
    if (!value || digits.size() != 2) return std::nullopt;
    decoded.push_back(static_cast<char>(*value));
    index += 2;
  }
  return decoded;
}

std::optional<bool> parse_flag(std::string_view text) {
  if (text == "true" || text == "1" || text.empty()) return true;
  if (text == "false" || text == "0") return false;
  return std::nullopt;
}

/// Reads one parameter into `subscription`; the answer is what is wrong, or empty.
std::string read_parameter(std::string_view key, std::string_view value, bool ndjson,
                           Subscription& subscription) {
  if (key == "from") {
    if (value != "oldest" && value != "newest") return "from is oldest or newest";
    subscription.from = value == "oldest" ? Subscription::From::oldest : Subscription::From::newest;
  } else if (key == "after") {
    const auto cursor = parse_cursor(value);
    if (!cursor) return "after is a cursor, EPOCH:SEQUENCE, as 5f2c9a6e01b3d478:1200345";
    subscription.from = Subscription::From::cursor;
    subscription.after = *cursor;
  } else if (key == "gap") {
    if (value != "close" && value != "skip") return "gap is close or skip";
    subscription.gap = value == "close" ? config::Gap::close : config::Gap::skip;
  } else if (key == "follow" && ndjson) {
    const auto flag = parse_flag(value);
    if (!flag) return "follow is true or false";
    subscription.follow = *flag;
  } else if (key == "limit" && ndjson) {
    subscription.limit = parse_number<std::size_t>(value);
    if (!subscription.limit || *subscription.limit == 0)
      return "limit is a number of messages, at least 1";
  } else {
    return "there is no parameter '" + std::string(key) + "' here: " +
           (ndjson ? "from, after, gap, follow and limit are known"
                   : "from, after and gap are known");
  }
  return {};
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
  const std::size_t mark = target.find('?');
  const auto path = percent_decode(target.substr(0, mark));
  if (!path || path->empty() || path->front() != '/') return std::nullopt;
  Target parsed{*path, {}};
  std::string_view query =
      mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const auto key = percent_decode(pair.substr(0, equals));
    const auto value =
        percent_decode(equals == std::string_view::npos ? "" : pair.substr(equals + 1));
    if (!key || !value || !parsed.query.emplace(*key, *value).second) return std::nullopt;
  }
  return parsed;
}

std::optional<Cursor> parse_cursor(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon != 16) return std::nullopt;
  const auto epoch = parse_number<std::uint64_t>(text.substr(0, colon), 16);
  const auto sequence = parse_number<ring::Sequence>(text.substr(colon + 1));
  if (!epoch || !sequence) return std::nullopt;
  return Cursor{*epoch, *sequence};
}

std::string epoch_text(std::uint64_t epoch) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(epoch));
  return text;
}

std::variant<Subscription, std::string> parse_subscription(const Target& target, bool ndjson) {
  if (target.query.contains("from") && target.query.contains("after")) {
    return "only one of from and after can be given";
  }
  Subscription subscription;
  for (const auto& [key, value] : target.query) {
    std::string problem = read_parameter(key, value, ndjson, subscription);
    if (!problem.empty()) return problem;
  }
  return subscription;
}

std::optional<Start> find_start(const ring::Ring& ring, const Subscription& subscription) {
  switch (subscription.from) {
    case Subscription::From::newest:
      return Start{.sequence = ring.next()};
    case Subscription::From::oldest:
      return Start{.sequence = ring.first()};
    case Subscription::From::cursor:
      break;
  }
  const Cursor& cursor = subscription.after;
  if (cursor.epoch != ring.epoch()) return Start{.sequence = ring.first(), .other_epoch = true};
  if (cursor.sequence >= ring.next()) return std::nullopt;
  const ring::Sequence wanted = cursor.sequence + 1;
  if (wanted >= ring.first()) return Start{.sequence = wanted};
  return Start{.sequence = ring.first(), .lost_from = wanted, .lost_to = ring.first() - 1};
}

}  // namespace wskeep::ipc
