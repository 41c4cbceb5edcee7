#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "ipc/access.hpp"
#include "ipc/batch.hpp"
#include "ipc/event_log.hpp"
#include "ipc/histogram.hpp"
#include "ipc/patience.hpp"
#include "ipc/publish_gate.hpp"
#include "ipc/reader_information.hpp"
#include "ipc/views.hpp"
#include "ring/ring.hpp"

namespace wskeep::ipc {

class Reader;

/// From what the write itself takes to what a reader may be behind before it is lapped.
inline constexpr HistogramBounds delivery_lag_bounds{
    50, 100, 250, 500, 1'000, 2'500, 10'000, 25'000, 100'000, 500'000, 2'500'000, 10'000'000};

/// The ring of one connection with those who read it. The writer (the session) asks how much it may
/// receive
/// (`admit`), commits messages to the ring, and has them sent (`deliver`) once per batch. Lives on
/// one shard.
class Channel {
 public:
  struct Options {
    ring::Ring::Shape shape;
    std::chrono::milliseconds patience{100};
    config::Gap gap = config::Gap::close;             ///< for readers that do not say
    config::Passing send = config::Passing::message;  ///< what is larger than shape.max_message
    config::PublishLimits publish{};                  ///< of all local apps together
    config::PublishLimits publish_each{};             ///< of any one
    std::size_t batch_bytes = std::size_t{256} << 10U;
    bool objects = false;  ///< messages are JSON objects that say all of themselves
    std::chrono::milliseconds close_timeout{
        5'000};  ///< for a reader to take what is left and the Close frame
  };

  struct Statistics {
    std::uint64_t gaps = 0;           ///< readers lapped
    std::uint64_t lost_messages = 0;  ///< summed over readers
    std::uint64_t stalls = 0;  ///< times that upstream was not read because a reader was waited for
    std::chrono::nanoseconds stalled{0};
  };

  /// How old the oldest message of a batch was when readers had been given the batch: once for all
  /// who took it at once, and once for each that had to be waited for. Not what somebody reads of
  /// the time before it came.
  using DeliveryLag = Histogram<delivery_lag_bounds>;

  /// Throws std::system_error when there is no memory for the ring.
  Channel(const boost::asio::any_io_executor& executor, Options options, std::uint64_t epoch);
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  ~Channel();

  [[nodiscard]] ring::Ring& ring() noexcept { return ring_; }
  [[nodiscard]] const ring::Ring& ring() const noexcept { return ring_; }
  /// For readers that want every message, as an encoding has it.
  [[nodiscard]] const std::shared_ptr<BatchMaker>& batches() const noexcept { return batches_; }
  /// For those who do not: see Views.
  [[nodiscard]] std::shared_ptr<BatchMaker> batches(
      const std::string& connection, const std::optional<config::MessageRule>& filter,
      std::size_t most_filters, std::shared_ptr<Visibility> visible = nullptr);
  /// Of all readers; nullptr: none has had one yet.
  [[nodiscard]] const Filters* filters() const noexcept {
    return views_ ? &views_->filters() : nullptr;
  }
  [[nodiscard]] const EventLog& events() const noexcept { return events_; }
  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] const Statistics& statistics() const noexcept { return statistics_; }
  [[nodiscard]] Statistics& statistics() noexcept { return statistics_; }
  /// nullptr: nobody was given anything yet.
  [[nodiscard]] const DeliveryLag* delivery_lag() const noexcept { return delivery_lag_.get(); }
  [[nodiscard]] std::size_t readers() const noexcept;
  /// By Reader::kind.
  [[nodiscard]] std::map<std::string_view, std::size_t> readers_by_kind() const;
  /// All of them, at most `most`, those who are furthest behind first.
  [[nodiscard]] std::vector<ReaderInformation> reader_list(std::size_t most) const;
  /// The one who is furthest behind; nothing when there are none.
  [[nodiscard]] std::optional<ReaderInformation> slowest_reader() const;

  /// From now on these hold, but for the shape, which stays; `gap` and `close_timeout` for readers
  /// that are yet to come, or to be closed.
  void configure(const Options& options) noexcept;

  // -- for the writer

  /// Called when reading may go on after `admit` answered 0, and when publishers may go on.
  void on_resume(std::function<void()> resume) { resume_ = std::move(resume); }

  /// How many bytes may be received behind `pending` bytes that lie behind the ring's end already:
  /// at most `wanted`, and then as many, with the ring's memory free for them, and Ring::headroom's
  /// share behind them. 0: a reader is waited for; `on_resume` says when to ask again.
  [[nodiscard]] std::size_t admit(std::size_t wanted, std::size_t pending);

  /// The same for `bytes` that are needed all at once. False: a reader is waited for.
  [[nodiscard]] bool admit_all(std::size_t bytes);

  /// Frees the ring's memory for `bytes` behind its end without waiting for anybody.
  void claim(std::size_t bytes) { overwrite(bytes); }

  /// Sends every reader what it has not seen.
  void deliver();

  /// Puts an event (one line of JSON) behind all messages so far, and sends it.
  void announce(std::string event);

  /// The message that has begun will not be ended, if there is one.
  void break_off();

  /// Publishers that waited because the send buffer was full may go on.
  void publishers_may_go_on();

  /// How fast all local apps together may publish.
  [[nodiscard]] PublishGate& publish_gate() noexcept { return publish_gate_; }

  /// `told` is called for each reader that was lapped and has lost so many messages.
  void on_lapped(std::function<void(const Reader&, std::uint64_t lost)> told) {
    lapped_ = std::move(told);
  }

  /// Others have other rights now: tells every reader its own.
  void revise_rights(const std::function<Rights(const Client&)>& rights);

  /// Closes all readers, with a Close frame where they speak WebSocket.
  void close_all(std::uint16_t code, const std::string& reason);

  /// Closes those who were given all that there is.
  void close_caught_up(std::uint16_t code, const std::string& reason);

  // -- for readers

  void attach(std::shared_ptr<Reader> reader);
  void detach(Reader& reader) noexcept;
  /// A reader that the writer may be waiting for has sent something.
  void on_progress();
  /// It was lapped: counts and tells it.
  void note_lapped(const Reader& reader, std::uint64_t lost);
  /// Messages from `oldest` on, which is kept, were handed over.
  void note_delivery(ring::Sequence oldest);

 private:
  using Clock = std::chrono::steady_clock;

  struct Slot {
    std::shared_ptr<Reader> reader;
    Hold hold;
    PatienceCredit credit;
    ring::Position begin = 0;  ///< where it was attached, or caught up after it had been lapped

    void caught_up() noexcept;
  };

  /// What the writer wants to put behind the ring's end.
  struct Need {
    std::size_t wanted;
    std::size_t least;
    std::size_t before;  ///< bytes that lie there already
    bool one_message;    ///< else as many as the bytes can hold
  };

  void close_if(const std::function<bool(const Reader&)>& condition, std::uint16_t code,
                const std::string& reason);
  [[nodiscard]] static bool holds(const Slot& slot) noexcept;
  [[nodiscard]] ring::Sequence oldest_held() const noexcept;
  [[nodiscard]] std::size_t room(ring::Sequence keep, const Need& need) const noexcept;
  [[nodiscard]] std::size_t make_room(const Need& need);
  [[nodiscard]] bool wait_for_readers(const Need& need);
  [[nodiscard]] Clock::duration patience_for(Slot& slot) const noexcept;
  void overwrite(std::size_t bytes);
  void end_stall(Clock::time_point now);
  void resume_soon();
  void sweep();

  boost::asio::any_io_executor executor_;
  Options options_;
  ring::Ring ring_;
  EventLog events_;
  PublishGate publish_gate_;
  std::shared_ptr<BatchMaker> batches_;
  std::unique_ptr<Views> views_;  ///< made when the first reader wants one
  std::vector<Slot> slots_;
  std::size_t iterating_ = 0;  ///< loops over slots_ under way: detached slots stay until they end
  ring::Sequence undelivered_ = 1;  ///< the first message that `deliver` has not had
  bool stalled_ = false;
  Clock::time_point stalled_since_;
  boost::asio::steady_timer stall_timer_;
  std::function<void()> resume_;
  std::function<void(const Reader&, std::uint64_t lost)> lapped_;
  Statistics statistics_;
  std::unique_ptr<DeliveryLag> delivery_lag_;
  std::shared_ptr<Channel*> alive_;  ///< for what was posted and is run after the end
};

}  // namespace wskeep::ipc
