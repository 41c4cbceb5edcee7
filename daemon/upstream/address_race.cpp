#include "daemon/upstream/address_race.hpp"

#include <algorithm>

namespace wskeep::upstream {

using daemon::TimePoint;

AddressRace::AddressRace(std::size_t addresses, Settings settings)
    : settings_(settings), entries_(addresses) {}

bool AddressRace::has(State state) const noexcept {
  return first(state).has_value();
}

std::optional<std::size_t> AddressRace::first(State state) const noexcept {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].state == state) return i;
  return std::nullopt;
}

std::optional<AddressRace::Action> AddressRace::next(TimePoint now) {
  if (const auto action = give_up_overdue(now)) return action;
  if (has(State::leading)) return std::nullopt;
  if (const auto action = promote(now)) return action;
  return start(now);
}

std::optional<AddressRace::Action> AddressRace::give_up_overdue(TimePoint now) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    const bool running = entry.state == State::connecting || entry.state == State::leading;
    if (!running || now < entry.deadline) continue;
    failed(i, now);
    return Action{Kind::give_up, i};
  }
  return std::nullopt;
}

std::optional<AddressRace::Action> AddressRace::promote(TimePoint now) {
  if (reserve_.empty()) return std::nullopt;
  const std::size_t address = reserve_.front();
  reserve_.erase(reserve_.begin());
  entries_[address].state = State::leading;
  entries_[address].deadline = now + entries_[address].left;
  return Action{Kind::advance, address};
}

std::optional<AddressRace::Action> AddressRace::start(TimePoint now) {
  const auto waiting = first(State::waiting);
  if (!waiting || now < next_start_) return std::nullopt;
  entries_[*waiting] = {State::connecting, now + settings_.address, {}};
  next_start_ = now + settings_.delay;
  return Action{Kind::start, *waiting};
}

TimePoint AddressRace::wake_at() const {
  TimePoint wake = TimePoint::max();
  for (const Entry& entry : entries_)
    if (entry.state == State::connecting || entry.state == State::leading)
      wake = std::min(wake, entry.deadline);
  if (!has(State::leading) && has(State::waiting)) wake = std::min(wake, next_start_);
  return wake;
}

void AddressRace::connected(std::size_t address, TimePoint now) {
  Entry& entry = entries_.at(address);
  if (entry.state != State::connecting) return;
  entry.state = State::reserve;
  entry.left = std::max(entry.deadline - now, TimePoint::duration{0});
  reserve_.push_back(address);
}

void AddressRace::failed(std::size_t address, TimePoint now) {
  Entry& entry = entries_.at(address);
  if (entry.state == State::over || entry.state == State::waiting) return;
  const bool idle_reserve = entry.state == State::reserve;
  std::erase(reserve_, address);
  entry.state = State::over;
  // One that falls out of the reserve held nobody up.
  if (!idle_reserve) next_start_ = std::min(next_start_, now);
}

void AddressRace::start_no_more(std::size_t address) {
  entries_.at(address).state = State::over;
  for (Entry& entry : entries_)
    if (entry.state == State::waiting) entry.state = State::over;
}

bool AddressRace::exhausted() const noexcept {
  return std::all_of(entries_.begin(), entries_.end(),
                     [](const Entry& entry) { return entry.state == State::over; });
}

}  // namespace wskeep::upstream
