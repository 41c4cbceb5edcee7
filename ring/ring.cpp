#include "ring/ring.hpp"

#include <utility>

namespace wskeep::ring {
namespace {

/// A message of fewer bytes than this on the average, and the index limits the history before the
/// bytes do.
constexpr std::size_t bytes_per_slot = 64;
/// However small the ring, a read of some KiB must find slots for the smallest messages.
constexpr std::size_t smallest_index = 4096;
/// The smallest frame: a header without a payload.
constexpr std::size_t smallest_frame = 2;

std::size_t data_bytes(Ring::Shape shape) {
  return std::max(shape.history, shape.max_message + Ring::headroom);
}

}  // namespace

Ring::Ring(Shape shape, std::uint64_t epoch)
    : memory_(data_bytes(shape), std::max(smallest_index, data_bytes(shape) / bytes_per_slot)),
      index_(memory_.index()),
      data_(memory_.data()),
      capacity_(memory_.header().data_bytes),
      index_mask_(memory_.header().index_slots - 1) {
  memory_.header().epoch = epoch;
  publish();
}

Sequence Ring::sequence_at(Position position) const noexcept {
  Sequence low = first_;
  Sequence high = next_;
  while (low < high) {
    const Sequence middle = low + (high - low) / 2;
    const Entry& candidate = entry(middle);
    if (candidate.position + candidate.size <= position) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

std::size_t Ring::room(Sequence keep, std::size_t pending) const noexcept {
  const std::size_t taken = static_cast<std::size_t>(end_ - position(keep)) + pending;
  const std::size_t bytes = taken < capacity_ ? capacity_ - taken : 0;
  // What is pending becomes one message, whatever its size.
  const auto kept = static_cast<std::size_t>(next_ - keep);
  const std::size_t slots = kept < index_mask_ ? index_mask_ - kept : 0;
  return std::min(bytes, slots * smallest_frame);
}

std::size_t Ring::room_for_one(Sequence keep) const noexcept {
  if (next_ - keep > index_mask_) return 0;
  return capacity_ - static_cast<std::size_t>(end_ - position(keep));
}

Sequence Ring::first_after(std::size_t bytes) const noexcept {
  Sequence first = first_;
  while (first < next_ && entry(first).position + capacity_ < end_ + bytes) ++first;
  return first;
}

void Ring::make_room(std::size_t bytes) noexcept {
  const Sequence first = first_after(bytes);
  if (first == first_) return;
  first_ = first;
  // A reader in another process must see that the old messages are gone before their bytes change.
  memory_.header().first.store(first_, std::memory_order_release);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void Ring::commit_part(Part part, std::uint8_t opcode, std::uint8_t header_size,
                       std::size_t frame_size, std::uint64_t time_ns) {
  const Sequence sequence = next_;
  commit(opcode, header_size, frame_size, time_ns);
  index_[sequence & index_mask_].part = part;
  if (part == Part::first) open_first_ = sequence;
  if (part == Part::last) open_first_ = 0;
}

std::optional<Ring::BrokenOff> Ring::break_off() {
  if (open_first_ == 0) return std::nullopt;
  const BrokenOff broken{std::exchange(open_first_, Sequence{0}), next_};
  index_[(next_ - 1) & index_mask_].broken_off = 1;
  std::erase_if(broken_off_, [this](const BrokenOff& old) { return old.end <= first_; });
  broken_off_.push_back(broken);
  return broken;
}

void Ring::publish() noexcept {
  Header& header = memory_.header();
  header.first.store(first_, std::memory_order_release);
  header.end.store(end_, std::memory_order_release);
  header.next.store(next_, std::memory_order_release);
}

}  // namespace wskeep::ring
