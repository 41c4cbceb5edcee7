#include "daemon/upstream/connect_budgets.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <utility>

namespace wskeep::upstream {
namespace {

namespace json = boost::json;
using config::Rate;
using daemon::TimePoint;
using daemon::WallTime;
using std::chrono::milliseconds;

/// How soon is asked again whether a full table has room.
constexpr std::chrono::seconds table_pause{1};

/// Of what a file says, so that a broken one makes neither memory nor arithmetic run over.
constexpr std::size_t most_times = 1'000'000;
constexpr milliseconds longest_stretch = std::chrono::hours(24 * 366);

auto named_rates(const config::Connects& settings) {
  std::map<std::string, Rate, std::less<>> rates;
  for (const auto& [host, rate] : settings.hosts)
    rates.insert_or_assign(ConnectBudgets::host_key(host), rate);
  return rates;
}

/// The first that still counts.
auto first_within(const std::vector<TimePoint>& times, milliseconds per, TimePoint now) {
  return std::upper_bound(times.begin(), times.end(), now - per);
}

void forget_expired(std::vector<TimePoint>& times, milliseconds per, TimePoint now) {
  times.erase(times.begin(), first_within(times, per, now));
}

}  // namespace

ConnectBudgets::ConnectBudgets(const config::Connects& settings)
    : per_host_(settings.per_host), named_hosts_(named_rates(settings)) {}

void ConnectBudgets::configure(const config::Connects& settings) {
  auto named = named_rates(settings);
  const std::lock_guard guard(lock_);
  per_host_ = settings.per_host;
  named_hosts_ = std::move(named);
}

bool ConnectBudgets::limits_hosts() const {
  const std::lock_guard guard(lock_);
  return !per_host_.off() || !named_hosts_.empty();
}

std::string ConnectBudgets::host_key(std::string_view host) {
  std::string key(host);
  std::transform(key.begin(), key.end(), key.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return key;
}

const Rate& ConnectBudgets::rate_of(std::string_view host) const {
  static const Rate none;
  if (host.empty()) return none;
  const auto found = named_hosts_.find(host);
  return found == named_hosts_.end() ? per_host_ : found->second;
}

TimePoint ConnectBudgets::allowed_by(const Windows& windows, std::string_view key, const Rate& rate,
                                     TimePoint now) {
  if (rate.off()) return now;
  const auto found = windows.find(key);
  if (found == windows.end()) return windows.size() < most_names ? now : now + table_pause;
  const auto& times = found->second.times;
  if (times.size() < rate.count) return now;
  return std::max(now, times[times.size() - rate.count] + rate.per);
}

std::uint32_t ConnectBudgets::used(const Windows& windows, std::string_view key, const Rate& rate,
                                   TimePoint now) {
  const auto found = windows.find(key);
  if (rate.off() || found == windows.end()) return 0;
  const auto& times = found->second.times;
  return static_cast<std::uint32_t>(times.end() - first_within(times, rate.per, now));
}

void ConnectBudgets::add(Windows& windows, std::string_view key, const Rate& rate, TimePoint now) {
  if (rate.off()) return;
  auto found = windows.find(key);
  if (found == windows.end()) found = windows.emplace(key, Window{}).first;
  Window& window = found->second;
  window.per = rate.per;
  forget_expired(window.times, rate.per, now);
  // Another shard may have looked at the clock later and taken the lock sooner.
  window.times.push_back(window.times.empty() ? now : std::max(now, window.times.back()));
}

void ConnectBudgets::make_room(Windows& windows, TimePoint now) {
  if (windows.size() < most_names) return;
  std::erase_if(windows, [now](const auto& entry) {
    const Window& window = entry.second;
    return first_within(window.times, window.per, now) == window.times.end();
  });
}

TimePoint ConnectBudgets::allowed(std::string_view connection, const Rate& own,
                                  std::string_view host, TimePoint now) const {
  return std::max(allowed_by(connections_, connection, own, now),
                  allowed_by(hosts_, host, rate_of(host), now));
}

std::optional<TimePoint> ConnectBudgets::take(std::string_view connection, const Rate& own,
                                              std::string_view host, TimePoint now) {
  {
    const std::lock_guard guard(lock_);
    make_room(connections_, now);
    make_room(hosts_, now);
    const TimePoint at = allowed(connection, own, host, now);
    if (at > now) return at;
    add(connections_, connection, own, now);
    add(hosts_, host, rate_of(host), now);
    ++changes_;
  }
  if (told_) told_();
  return std::nullopt;
}

TimePoint ConnectBudgets::allowed_at(std::string_view connection, const Rate& own,
                                     std::string_view host, TimePoint now) const {
  const std::lock_guard guard(lock_);
  return allowed(connection, own, host, now);
}

ConnectBudgets::Use ConnectBudgets::use_of_connection(std::string_view connection, const Rate& own,
                                                      TimePoint now) const {
  const std::lock_guard guard(lock_);
  return {used(connections_, connection, own, now), own, "reconnect.budget"};
}

ConnectBudgets::Use ConnectBudgets::use_of_host(std::string_view host, TimePoint now) const {
  const std::lock_guard guard(lock_);
  const Rate& rate = rate_of(host);
  const bool named = named_hosts_.contains(host);
  return {used(hosts_, host, rate, now), rate,
          named ? "connects.hosts " + std::string(host) : "connects.per_host"};
}

std::vector<std::string> ConnectBudgets::named_hosts() const {
  std::vector<std::string> hosts;
  const std::lock_guard guard(lock_);
  for (const auto& [host, rate] : named_hosts_) hosts.push_back(host);
  return hosts;
}

std::uint64_t ConnectBudgets::changes() const {
  const std::lock_guard guard(lock_);
  return changes_;
}

// -- what outlives the process

namespace {

std::int64_t whole_milliseconds(WallTime time) {
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

/// All that is read of a file; throws what Boost.JSON throws where it is not such a file.
template <typename Windows>
void read_windows(const json::value& from, Windows& windows, TimePoint now, WallTime wall) {
  using Window = typename Windows::mapped_type;
  const std::int64_t present = std::max<std::int64_t>(whole_milliseconds(wall), 0);
  for (const json::key_value_pair& entry : from.as_object()) {
    const json::value& value = entry.value();
    if (windows.size() >= ConnectBudgets::most_names) return;
    Window window;
    window.per = std::clamp(milliseconds(value.at("per_ms").to_number<std::int64_t>()),
                            milliseconds(0), longest_stretch);
    const json::array& times = value.at("times").as_array();
    const std::size_t left_out = times.size() - std::min(times.size(), most_times);
    for (std::size_t index = left_out; index < times.size(); ++index) {
      // Ahead of now: the clock was set back, and when it was nobody can tell.
      const std::int64_t age =
          present - std::clamp<std::int64_t>(times[index].to_number<std::int64_t>(), 0, present);
      if (age < window.per.count()) window.times.push_back(now - milliseconds(age));
    }
    std::sort(window.times.begin(), window.times.end());
    if (!window.times.empty())
      windows.insert_or_assign(std::string(entry.key()), std::move(window));
  }
}

template <typename Windows>
json::object write_windows(const Windows& windows, TimePoint now, WallTime wall) {
  json::object object;
  for (const auto& [key, window] : windows) {
    json::array times;
    for (auto time = first_within(window.times, window.per, now); time != window.times.end();
         ++time) {
      // Rounded up, so that reading it makes no connect older than it is.
      const WallTime when = wall - std::chrono::duration_cast<WallTime::duration>(now - *time);
      times.emplace_back(std::chrono::ceil<milliseconds>(when.time_since_epoch()).count());
    }
    if (times.empty()) continue;
    object[key] = json::object{{"per_ms", window.per.count()}, {"times", std::move(times)}};
  }
  return object;
}

}  // namespace

std::string ConnectBudgets::save(TimePoint now, WallTime wall) const {
  Windows connections;
  Windows hosts;
  {
    const std::lock_guard guard(lock_);
    connections = connections_;
    hosts = hosts_;
  }
  return json::serialize(json::object{{"version", 1},
                                      {"connections", write_windows(connections, now, wall)},
                                      {"hosts", write_windows(hosts, now, wall)}}) +
         "\n";
}

std::string ConnectBudgets::load(std::string_view text, TimePoint now, WallTime wall) {
  Windows connections;
  Windows hosts;
  try {
    const json::value file = json::parse(text);
    if (file.at("version") != 1) return "it is of another version of wskeepd";
    read_windows(file.at("connections"), connections, now, wall);
    read_windows(file.at("hosts"), hosts, now, wall);
  } catch (const std::exception&) {
    return "it is not what wskeepd writes";
  }
  const std::lock_guard guard(lock_);
  connections_ = std::move(connections);
  hosts_ = std::move(hosts);
  return {};
}

}  // namespace wskeep::upstream
