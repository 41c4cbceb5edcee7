#include "ipc/filter.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace wskeep::ipc {
namespace {

/// In one go: a few milliseconds' worth. What a busy connection receives at once is far less; it is
/// for readers that begin in a large history.
constexpr std::size_t most_in_one_go = std::size_t{4} << 20U;
/// What looking at even the smallest message costs, in bytes.
constexpr std::size_t least_cost = 64;

/// Of the thread: it keeps the memory that parsing takes.
match::JsonReader& json_reader() {
  thread_local match::JsonReader reader;
  return reader;
}

/// All that can be said of a part of a message.
bool takes(const config::MessageRule& rule, std::uint8_t opcode) {
  using Opcode = config::MessageRule::Opcode;
  return rule.opcode == Opcode::any || opcode == (rule.opcode == Opcode::text ? 1 : 2);
}

constexpr std::size_t bits = 64;

bool bit(const std::vector<std::uint64_t>& words, std::size_t index) {
  return ((words[index / bits] >> (index % bits)) & 1U) != 0;
}

void set_bit(std::vector<std::uint64_t>& words, std::size_t index, bool value) {
  const std::uint64_t mask = std::uint64_t{1} << (index % bits);
  words[index / bits] = value ? words[index / bits] | mask : words[index / bits] & ~mask;
}

}  // namespace

Filter::Filter(Filters& filters, const ring::Ring& ring, config::MessageRule rule)
    : filters_(filters),
      rule_(std::move(rule)),
      rules_(std::span(&rule_, 1)),
      since_(ring.next()),
      known_end_(ring.next()),
      slots_(ring.slots()),
      known_(slots_ / bits + 1),
      passes_(slots_ / bits + 1) {}

bool Filter::may_go_on() const noexcept {
  return filters_.looked_at_bytes_ < most_in_one_go;
}

bool Filter::knows(ring::Sequence sequence) const noexcept {
  return sequence < known_end_ && bit(known_, sequence % slots_);
}

/// Their places in the bit maps held messages that are gone by now.
void Filter::forget_before(ring::Sequence sequence) {
  if (sequence - known_end_ >= slots_) {
    std::fill(known_.begin(), known_.end(), 0);
  } else {
    for (ring::Sequence old = known_end_; old < sequence; ++old)
      set_bit(known_, old % slots_, false);
  }
  known_end_ = sequence;
}

void Filter::keep(ring::Sequence sequence, bool passes) {
  if (sequence >= known_end_) {
    forget_before(sequence);
    known_end_ = sequence + 1;
  }
  set_bit(known_, sequence % slots_, true);
  set_bit(passes_, sequence % slots_, passes);
}

bool Filter::passes(ring::Sequence sequence) {
  if (!knows(sequence)) filters_.judge(sequence, *this);
  return bit(passes_, sequence % slots_);
}

std::shared_ptr<Filter> Filters::find(const config::MessageRule& rule, std::size_t most) {
  std::erase_if(filters_, [](const std::weak_ptr<Filter>& filter) { return filter.expired(); });
  for (const std::weak_ptr<Filter>& weak : filters_) {
    if (auto filter = weak.lock(); filter && filter->rule() == rule) return filter;
  }
  if (filters_.size() >= most) return nullptr;
  auto made = std::make_shared<Filter>(*this, ring_, rule);
  filters_.push_back(made);
  return made;
}

std::size_t Filters::size() const noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(filters_, [](const auto& filter) { return !filter.expired(); }));
}

/// What is new is looked at for all filters, so that it is parsed once at most; what only a reader
/// of the history asks for, for its filter alone.
void Filters::judge(ring::Sequence sequence, Filter& asked) {
  const ring::Entry& entry = ring_.entry(sequence);
  const match::Message message{.opcode = entry.opcode,
                               .payload = ring_.payload(entry),
                               .padded = entry.size + match::Message::padding <= ring_.capacity()};
  match::JsonReader& reader = json_reader();
  reader.open(message);
  const auto look = [&](Filter& filter) {
    const bool passes = entry.part == ring::Part::whole ? filter.rules_.matches(message, reader)
                                                        : takes(filter.rule_, entry.opcode);
    filter.keep(sequence, passes);
    ++statistics_.looked_at;
    statistics_.passed += passes ? 1 : 0;
  };
  look(asked);
  for (const std::weak_ptr<Filter>& weak : filters_) {
    const auto filter = weak.lock();
    if (filter && filter.get() != &asked && sequence >= filter->since_ &&
        !filter->knows(sequence)) {
      look(*filter);
    }
  }
  const bool had_time = looked_at_bytes_ < most_in_one_go;
  looked_at_bytes_ += entry.size + least_cost;
  if (had_time && looked_at_bytes_ >= most_in_one_go) pause_();
}

}  // namespace wskeep::ipc
