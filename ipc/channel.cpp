#include "ipc/channel.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <functional>
#include <utility>

#include "ipc/event.hpp"
#include "ipc/reader.hpp"
#include "websocket/in_place_parser.hpp"

namespace wskeep::ipc {
namespace {

constexpr std::size_t slack = websocket::InPlaceParser::slack;

/// Below this it is not worth a read: the writer waits until its readers have left this much.
std::size_t least_read(const ring::Ring& ring, std::size_t wanted) {
  return std::min(wanted, std::min(ring.capacity() / 8, ring::Ring::headroom / 2));
}

/// A reader that is waited for has to take this much of the ring within `patience`, to be waited
/// for again.
std::size_t least_progress(const ring::Ring& ring) {
  return ring.capacity() / 16;
}

/// Lags are told by the wall clock, which somebody may set.
constexpr std::chrono::nanoseconds longest_lag = std::chrono::hours(1);

}  // namespace

Channel::Channel(const boost::asio::any_io_executor& executor, Options options, std::uint64_t epoch)
    : executor_(executor),
      options_(options),
      ring_(options.shape, epoch),
      publish_gate_(options.publish),
      batches_(std::make_shared<BatchMaker>(ring_, events_, options.batch_bytes,
                                            Telling{.objects = options.objects})),
      stall_timer_(executor),
      alive_(std::make_shared<Channel*>(this)) {}

Channel::~Channel() {
  *alive_ = nullptr;
}

void Channel::configure(const Options& options) noexcept {
  const bool other_patience = options.patience != options_.patience;
  const ring::Ring::Shape shape = options_.shape;
  options_ = options;
  options_.shape = shape;
  batches_->limit(options.batch_bytes);
  if (views_) views_->limit(options.batch_bytes);
  publish_gate_.configure(options.publish);
  if (!other_patience) return;
  for (Slot& slot : slots_) slot.credit = PatienceCredit(options.patience);
}

std::shared_ptr<BatchMaker> Channel::batches(const std::string& connection,
                                             const std::optional<config::MessageRule>& filter,
                                             std::size_t most_filters,
                                             std::shared_ptr<Visibility> visible) {
  if (!filter && !visible && connection.empty()) return batches_;
  if (!views_) {
    const auto pause = [this] {
      boost::asio::post(executor_, [alive = alive_] {
        if (*alive == nullptr) return;
        (*alive)->views_->filters().resume();
        (*alive)->deliver();
      });
    };
    views_ = std::make_unique<Views>(ring_, events_, pause);
  }
  return views_->find({.connection = connection, .objects = options_.objects}, filter, most_filters,
                      options_.batch_bytes, std::move(visible));
}

std::size_t Channel::readers() const noexcept {
  return static_cast<std::size_t>(std::count_if(
      slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.reader != nullptr; }));
}

std::map<std::string_view, std::size_t> Channel::readers_by_kind() const {
  std::map<std::string_view, std::size_t> kinds;
  for (const Slot& slot : slots_) {
    if (slot.reader) ++kinds[slot.reader->kind()];
  }
  return kinds;
}

std::vector<ReaderInformation> Channel::reader_list(std::size_t most) const {
  std::vector<ReaderInformation> list;
  list.reserve(slots_.size());
  for (const Slot& slot : slots_) {
    if (slot.reader) list.push_back(slot.reader->information());
  }
  std::ranges::stable_sort(list, std::ranges::greater{}, &ReaderInformation::lag_messages);
  if (list.size() > most) list.resize(most);
  return list;
}

std::optional<ReaderInformation> Channel::slowest_reader() const {
  const Reader* slowest = nullptr;
  for (const Slot& slot : slots_) {
    if (slot.reader &&
        (slowest == nullptr || slot.reader->first_unsent() < slowest->first_unsent()))
      slowest = slot.reader.get();
  }
  if (slowest == nullptr) return std::nullopt;
  return slowest->information();
}

/// The writer may wait for it. Not for one that is being closed: what is left of its message is
/// saved where need be.
bool Channel::holds(const Slot& slot) noexcept {
  return slot.reader && slot.hold.allowed && slot.reader->wants_more();
}

ring::Sequence Channel::oldest_held() const noexcept {
  ring::Sequence oldest = ring_.next();
  for (const Slot& slot : slots_) {
    if (holds(slot)) oldest = std::min(oldest, slot.reader->place().sequence);
  }
  return oldest;
}

std::size_t Channel::admit(std::size_t wanted, std::size_t pending) {
  const std::size_t before = pending + slack;
  // No more than a ring without readers would give: who has caught up is in nobody's way.
  const std::size_t least = std::min(least_read(ring_, wanted), ring_.room(ring_.next(), before));
  return make_room({.wanted = wanted, .least = least, .before = before, .one_message = false});
}

bool Channel::admit_all(std::size_t bytes) {
  return make_room({.wanted = bytes, .least = bytes, .before = 0, .one_message = true}) == bytes;
}

std::size_t Channel::room(ring::Sequence keep, const Need& need) const noexcept {
  return need.one_message ? ring_.room_for_one(keep) : ring_.room(keep, need.before);
}

/// At least `least` and at most `wanted` bytes; or 0.
std::size_t Channel::make_room(const Need& need) {
  std::size_t available = room(oldest_held(), need);
  if (available < need.least) {
    if (wait_for_readers(need)) return 0;
    available = room(oldest_held(), need);
  }
  if (stalled_) end_stall(Clock::now());
  const std::size_t granted = std::min(need.wanted, available);
  overwrite(need.before + granted);
  return granted;
}

/// True: there are readers in the way that may still be waited for.
bool Channel::wait_for_readers(const Need& need) {
  const auto now = Clock::now();
  if (!stalled_) {
    stalled_ = true;
    stalled_since_ = now;
    ++statistics_.stalls;
  }
  auto deadline = Clock::time_point::max();
  for (Slot& slot : slots_) {
    if (!holds(slot)) continue;
    const Place& place = slot.reader->place();
    if (room(place.sequence, need) >= need.least) continue;
    Hold& hold = slot.hold;
    if (!hold.active || place.position - hold.position >= least_progress(ring_)) {
      hold = Hold{.active = true, .since = now, .position = place.position};
    }
    const auto allowed = patience_for(slot);
    if (now - hold.since >= allowed) {
      slot.credit.spend(now - hold.since);
      hold = Hold{.allowed = false};
    } else {
      deadline = std::min(deadline, hold.since + allowed);
    }
  }
  if (deadline == Clock::time_point::max()) return false;
  stall_timer_.expires_at(deadline);
  stall_timer_.async_wait([this, alive = alive_](const boost::system::error_code& error) {
    if (!error && *alive != nullptr && resume_) resume_();
  });
  return true;
}

/// Who has not yet read a ring's worth may be one who never reads, and is waited for less.
Channel::Clock::duration Channel::patience_for(Slot& slot) const noexcept {
  const auto credit = slot.credit.available(slot.hold.since);
  const bool has_read = slot.reader->place().position - slot.begin >= ring_.capacity();
  return has_read ? credit : std::min<Clock::duration>(credit, options_.patience / 4);
}

void Channel::Slot::caught_up() noexcept {
  if (!hold.allowed) begin = reader->place().position;
  hold = Hold{};
}

void Channel::end_stall(Clock::time_point now) {
  stalled_ = false;
  statistics_.stalled += now - stalled_since_;
  stall_timer_.cancel();
}

void Channel::overwrite(std::size_t bytes) {
  const ring::Position first_kept = ring_.end() + bytes;
  for (Slot& slot : slots_) {
    if (slot.reader && slot.reader->place().position + ring_.capacity() < first_kept) {
      slot.hold.allowed = false;
      slot.reader->before_overwrite();
    }
  }
  ring_.make_room(bytes);
}

void Channel::deliver() {
  ring_.publish();
  const ring::Sequence oldest = std::max(std::exchange(undelivered_, ring_.next()), ring_.first());
  bool taken = false;
  ++iterating_;
  // By index, for a reader's end may attach or detach others.
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    Slot& slot = slots_[index];
    if (!slot.reader || slot.reader->blocked()) continue;
    const std::shared_ptr<Reader> reader = slot.reader;
    const bool was_behind = reader->place().sequence != ring_.next();
    reader->deliver();
    // It may have left while it was sent the last of it.
    if (!slots_[index].reader || reader->place().sequence != ring_.next()) continue;
    slots_[index].caught_up();
    taken = taken || !reader->blocked();
    // Its socket was never full, so that no progress of its own will tell that writing may go on.
    if (was_behind && stalled_) resume_soon();
  }
  if (taken && oldest != ring_.next()) note_delivery(oldest);
  --iterating_;
  sweep();
}

void Channel::note_lapped(const Reader& reader, std::uint64_t lost) {
  ++statistics_.gaps;
  statistics_.lost_messages += lost;
  if (lapped_) lapped_(reader, lost);
}

void Channel::note_delivery(ring::Sequence oldest) {
  const auto now = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto received = std::chrono::nanoseconds(ring_.entry(oldest).time_ns);
  if (!delivery_lag_) delivery_lag_ = std::make_unique<DeliveryLag>();
  delivery_lag_->observe(std::clamp(now - received, std::chrono::nanoseconds(0), longest_lag));
}

void Channel::announce(std::string event) {
  events_.append(ring_.next(), std::move(event));
  deliver();
}

void Channel::break_off() {
  const auto broken = ring_.break_off();
  if (!broken) return;
  // Who is within an earlier message gets the rest of that, and nothing of this one.
  std::vector<std::shared_ptr<Reader>> within;
  for (const Slot& slot : slots_) {
    if (slot.reader && slot.reader->in_message() && slot.reader->place().sequence >= broken->first)
      within.push_back(slot.reader);
  }
  for (const auto& reader : within) reader->broken_off();
  announce(aborted_event(broken->first, broken->end - 1));
}

void Channel::publishers_may_go_on() {
  ++iterating_;
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    if (const auto reader = slots_[index].reader) reader->publish_more();
  }
  --iterating_;
  sweep();
}

void Channel::revise_rights(const std::function<Rights(const Client&)>& rights) {
  ++iterating_;
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    const auto reader = slots_[index].reader;
    if (reader && reader->client() != nullptr) reader->revise(rights(*reader->client()));
  }
  --iterating_;
  sweep();
}

void Channel::close_all(std::uint16_t code, const std::string& reason) {
  close_if([](const Reader& /*any*/) { return true; }, code, reason);
}

void Channel::close_caught_up(std::uint16_t code, const std::string& reason) {
  const auto caught_up = [this](const Reader& reader) {
    return !reader.blocked() && reader.first_unsent() >= ring_.next();
  };
  close_if(caught_up, code, reason);
}

void Channel::close_if(const std::function<bool(const Reader&)>& condition, std::uint16_t code,
                       const std::string& reason) {
  ++iterating_;
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    const auto reader = slots_[index].reader;
    if (reader && condition(*reader)) reader->close(code, reason);
  }
  --iterating_;
  sweep();
}

void Channel::attach(std::shared_ptr<Reader> reader) {
  const bool caught_up = reader->place().sequence == ring_.next();
  const ring::Position begin = reader->place().position;
  slots_.push_back(
      {std::move(reader), Hold{.allowed = caught_up}, PatienceCredit(options_.patience), begin});
}

void Channel::detach(Reader& reader) noexcept {
  const bool waited_for = stalled_;
  for (Slot& slot : slots_) {
    if (slot.reader.get() == &reader) slot.reader.reset();
  }
  sweep();
  if (waited_for) resume_soon();
}

void Channel::on_progress() {
  for (Slot& slot : slots_) {
    if (slot.reader && slot.reader->place().sequence == ring_.next()) slot.caught_up();
  }
  if (stalled_) resume_soon();
}

/// Not at once: the reader that tells us is in the middle of its own work.
void Channel::resume_soon() {
  boost::asio::post(executor_, [alive = alive_] {
    if (*alive != nullptr && (*alive)->stalled_ && (*alive)->resume_) (*alive)->resume_();
  });
}

void Channel::sweep() {
  if (iterating_ > 0) return;
  std::erase_if(slots_, [](const Slot& slot) { return slot.reader == nullptr; });
}

}  // namespace wskeep::ipc
