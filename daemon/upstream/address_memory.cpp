#include "daemon/upstream/address_memory.hpp"

#include <algorithm>
#include <utility>

namespace wskeep::upstream {

namespace {

using daemon::Endpoint;

/// IPv6, IPv4, IPv6, ... until one family is used up.
std::vector<Endpoint> interleave(const std::vector<Endpoint>& endpoints) {
  std::vector<Endpoint> six;
  std::vector<Endpoint> four;
  for (const Endpoint& endpoint : endpoints)
    (endpoint.address().is_v6() ? six : four).push_back(endpoint);
  std::vector<Endpoint> result;
  for (std::size_t i = 0; i < std::max(six.size(), four.size()); ++i) {
    if (i < six.size()) result.push_back(six[i]);
    if (i < four.size()) result.push_back(four[i]);
  }
  return result;
}

std::vector<Endpoint> without_repeats(const std::vector<Endpoint>& endpoints) {
  std::vector<Endpoint> result;
  for (const Endpoint& endpoint : endpoints)
    if (std::find(result.begin(), result.end(), endpoint) == result.end())
      result.push_back(endpoint);
  return result;
}

}  // namespace

std::optional<daemon::TimePoint> AddressMemory::failed_lately(const Endpoint& endpoint,
                                                              daemon::TimePoint now) const {
  const auto found = std::find_if(failures_.begin(), failures_.end(), [&](const Failed& failed) {
    return failed.endpoint == endpoint;
  });
  if (found == failures_.end() || now - found->when > lately) return std::nullopt;
  return found->when;
}

std::vector<Endpoint> AddressMemory::order(const std::vector<Endpoint>& answers, std::size_t limit,
                                           daemon::TimePoint now) const {
  std::vector<Endpoint> sound;
  std::vector<std::pair<daemon::TimePoint, Endpoint>> failed;
  for (const Endpoint& endpoint : without_repeats(answers)) {
    if (const auto when = failed_lately(endpoint, now))
      failed.emplace_back(*when, endpoint);
    else
      sound.push_back(endpoint);
  }
  std::vector<Endpoint> result = interleave(sound);
  const auto good =
      last_good_ ? std::find(result.begin(), result.end(), *last_good_) : result.end();
  if (good != result.end()) std::rotate(result.begin(), good, good + 1);
  std::stable_sort(failed.begin(), failed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [when, endpoint] : failed) result.push_back(endpoint);
  if (result.size() > limit) result.resize(limit);
  return result;
}

void AddressMemory::succeeded(const Endpoint& endpoint) {
  last_good_ = endpoint;
  std::erase_if(failures_, [&](const Failed& failed) { return failed.endpoint == endpoint; });
}

void AddressMemory::failed(const Endpoint& endpoint, daemon::TimePoint now) {
  std::erase_if(failures_, [&](const Failed& failed) { return failed.endpoint == endpoint; });
  if (failures_.size() == capacity) failures_.erase(failures_.begin());
  failures_.push_back({endpoint, now});
}

}  // namespace wskeep::upstream
