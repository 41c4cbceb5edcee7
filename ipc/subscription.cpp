#include "ipc/subscription.hpp"

#include <algorithm>

#include "ipc/filter_query.hpp"
#include "ipc/parse_number.hpp"

namespace wskeep::ipc {
namespace {

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

/// The answer is what is wrong, or empty, as of all that follow.
std::string read_cursor(std::string_view value, Subscription& subscription) {
  subscription.from = Subscription::From::cursor;
  if (subscription.all) {
    auto cursors = parse_cursors(value);
    if (!cursors) {
      return "after is a list of cursors, NAME=EPOCH:SEQUENCE,..., as "
             "trades=5f2c9a6e01b3d478:1200345";
    }
    subscription.after_all = std::move(*cursors);
    return {};
  }
  const auto cursor = parse_cursor(value);
  if (!cursor) return "after is a cursor, EPOCH:SEQUENCE, as 5f2c9a6e01b3d478:1200345";
  subscription.after = *cursor;
  return {};
}

std::string known_parameters(Form form) {
  return form == Form::websocket
             ? "from, after, gap, contains, json and opcode are known"
             : "from, after, gap, follow, limit, contains, json and opcode are known";
}

std::string read_parameter(std::string_view key, std::string_view value,
                           Subscription& subscription) {
  const bool body = subscription.form != Form::websocket;
  if (key == "from") {
    if (value != "oldest" && value != "newest") return "from is oldest or newest";
    subscription.from = value == "oldest" ? Subscription::From::oldest : Subscription::From::newest;
  } else if (key == "after") {
    return read_cursor(value, subscription);
  } else if (key == "gap") {
    if (value != "close" && value != "skip") return "gap is close or skip";
    subscription.gap = value == "close" ? config::Gap::close : config::Gap::skip;
  } else if (key == "follow" && body) {
    const auto flag = parse_flag(value);
    if (!flag) return "follow is true or false";
    subscription.follow = *flag;
  } else if (key == "limit" && subscription.all) {
    return "limit is for one connection";
  } else if (key == "limit" && body) {
    subscription.limit = parse_number<std::size_t>(value);
    if (!subscription.limit || *subscription.limit == 0)
      return "limit is a number of messages, at least 1";
  } else if (!is_filter_key(key)) {
    return "there is no parameter '" + std::string(key) +
           "' here: " + known_parameters(subscription.form);
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

/// RFC 9110, 12.5.1: one entry of the list, with its weight in thousandths.
struct Accepted {
  std::string type;
  int weight = 1000;
};

Accepted parse_accepted(std::string_view entry) {
  Accepted accepted;
  const std::string_view type = trimmed(entry.substr(0, entry.find(';')));
  for (const char letter : type)
    accepted.type += static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
  for (std::size_t at = entry.find(';'); at != std::string_view::npos;
       at = entry.find(';', at + 1)) {
    std::string_view parameter = trimmed(entry.substr(at + 1));
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    parameter = trimmed(parameter.substr(2, parameter.find_first_of(";,") - 2));
    accepted.weight = parameter.starts_with('1') ? 1000 : 0;
    int unit = 100;
    for (std::size_t digit = 2; digit < std::min<std::size_t>(parameter.size(), 5); ++digit) {
      if (accepted.weight < 1000) accepted.weight += (parameter[digit] - '0') * unit;
      unit /= 10;
    }
  }
  return accepted;
}

}  // namespace

std::optional<Target> parse_target(std::string_view target) {
  const std::size_t mark = target.find('?');
  const auto path = percent_decode(target.substr(0, mark));
  if (!path || path->empty() || path->front() != '/') return std::nullopt;
  Target parsed{*path, {}, {}};
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
    if (!key || !value) return std::nullopt;
    const bool first = parsed.query.emplace(*key, *value).second;
    if (*key == "json") parsed.json.push_back(*value);
    if (!first && *key != "json") return std::nullopt;
  }
  return parsed;
}

std::variant<Subscription, std::string> parse_subscription(const Target& target,
                                                           const Request& request) {
  if (target.query.contains("from") && target.query.contains("after")) {
    return "only one of from and after can be given";
  }
  Subscription subscription;
  subscription.form = request.form;
  subscription.all = request.all;
  // Who asks for events mostly wants those to come.
  subscription.follow = request.form != Form::ndjson;
  for (const auto& [key, value] : target.query) {
    std::string problem = read_parameter(key, value, subscription);
    if (!problem.empty()) return problem;
  }
  auto filter = parse_filter(target, request.longest_filter);
  if (const auto* problem = std::get_if<std::string>(&filter)) return *problem;
  subscription.filter = std::get<std::optional<config::MessageRule>>(std::move(filter));
  // What was seen last goes before where the page once began.
  if (request.form == Form::sse && request.last_event_id && !request.last_event_id->empty()) {
    if (!read_cursor(*request.last_event_id, subscription).empty())
      return "Last-Event-ID is not the id of an event that was sent here";
  }
  return subscription;
}

std::optional<Form> accepted_form(const std::string* accept) {
  if (accept == nullptr || trimmed(*accept).empty()) return Form::ndjson;
  // What is named whole counts more than */*, whatever their weights.
  std::optional<int> events;
  std::optional<int> lines;
  int any = 0;
  std::string_view rest = *accept;
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    const Accepted accepted = parse_accepted(entry);
    if (accepted.type == "text/event-stream") events = accepted.weight;
    if (accepted.type == "application/x-ndjson" || accepted.type == "application/ndjson" ||
        accepted.type == "application/json" || accepted.type == "application/*")
      lines = std::max(lines.value_or(0), accepted.weight);
    if (accepted.type == "*/*") any = accepted.weight;
  }
  const int lines_weight = lines.value_or(any);
  if (events.value_or(0) > 0 && *events >= lines_weight) return Form::sse;
  if (lines_weight > 0) return Form::ndjson;
  return std::nullopt;
}

std::optional<Start> find_start(const ring::Ring& ring, const Subscription& subscription) {
  switch (subscription.from) {
    case Subscription::From::newest:
      return Start{.sequence = ring.next()};
    case Subscription::From::oldest:
      return Start{.sequence = ring.begin_from(ring.first())};
    case Subscription::From::cursor:
      break;
  }
  const Cursor& cursor = subscription.after;
  const ring::Sequence oldest = ring.begin_from(ring.first());
  if (cursor.epoch != ring.epoch()) return Start{.sequence = oldest, .other_epoch = true};
  if (cursor.sequence >= ring.next()) return std::nullopt;
  const ring::Sequence wanted = cursor.sequence + 1;
  if (wanted >= ring.first())
    return Start{.sequence = wanted, .in_message = ring.continues_at(wanted)};
  return Start{.sequence = oldest, .lost_from = wanted, .lost_to = oldest - 1};
}

}  // namespace wskeep::ipc
