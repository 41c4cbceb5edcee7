#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/encoded_feed.hpp"
#include "ipc/reader.hpp"
#include "ipc/subscription.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::ipc {

/// What all the taps of one client have on their way to it. The one thing that they share over
/// shards; touched once for each batch.
struct InFlight {
  explicit InFlight(std::size_t most) noexcept : limit(most) {}
  const std::size_t limit;  ///< a tap that finds as much gives nothing; so each may exceed it once
  std::atomic<std::size_t> bytes{0};
};

class Tap;

/// Who is given what taps take. Called on its own executor.
class TapClient {
 public:
  virtual ~TapClient() = default;

  /// What was encoded, and the last message that is behind the reader with it.
  struct Piece {
    std::uint64_t tap;
    std::vector<std::byte> bytes;
    Cursor seen;
  };
  virtual void take(Piece piece) = 0;

  /// It is there. What it gave may have come before.
  virtual void opened(std::uint64_t number, std::shared_ptr<Tap> tap) = 0;

  /// The tap waits until less is on its way: `Tap::go_on`.
  virtual void wants_to_go_on(std::uint64_t tap) = 0;

  /// Why there will be no more of it.
  struct End {
    enum class Kind : std::uint8_t {
      complete,  ///< all that was asked for was given
      gap,       ///< it was lapped, and the client is to be closed then
      closed,    ///< the connection closed its readers
      refused,   ///< there are too many filters
    };
    Kind kind = Kind::closed;
    ring::Sequence lost = 0;  ///< messages, with `gap`
  };
  virtual void ended(std::uint64_t tap, End end) = 0;
};

/// The reader of one connection that gives what it reads to a client on another shard, in batches
/// that name the connection. Nothing of it is written while too much is on its way: it then is a
/// slow reader like any other, and what it loses is told like any other's loss.
class Tap final : public Reader {
 public:
  struct Wiring {
    std::uint64_t number = 0;  ///< by which the client knows it
    boost::asio::any_io_executor client_executor;
    std::weak_ptr<TapClient> client;
    std::shared_ptr<InFlight> in_flight;
  };

  /// On the shard of `upstream`, as all of it. The client's `opened` or `ended` is called.
  static void open(Upstream& upstream, const Subscription& subscription, std::size_t most_filters,
                   Wiring wiring);

  /// Less is on its way by now.
  void go_on() { writable({}); }

  /// The client has gone, or does not want it any more.
  void end() { leave(); }

  void close(std::uint16_t code, const std::string& reason) override;
  [[nodiscard]] std::string_view kind() const noexcept override { return "all"; }

 private:
  Tap(Upstream& upstream, std::unique_ptr<EncodedFeed> feed, config::Gap gap, Encoding encoding,
      Wiring wiring);

  void on_gap(ring::Sequence from, ring::Sequence to) override;
  void on_drained() override;
  [[nodiscard]] ssize_t transmit(std::span<const std::byte> bytes) override;
  void wait_to_write() override;
  void append_event(std::string_view json);
  void tell_end(TapClient::End end);

  std::string name_;
  Encoding encoding_;
  Wiring wiring_;
  std::optional<TapClient::End> last_;  ///< nothing more is to be given than what it appended
  bool told_end_ = false;
};

/// The subscription to one of the connections of a subscription to all. What its cursors do not
/// name was added since, so that all of it is new.
[[nodiscard]] Subscription subscription_of(const Subscription& all, std::string_view name,
                                           const ring::Ring& ring);

/// The encoding that a subscription's form asks for.
[[nodiscard]] Encoding encoding_of(const Subscription& subscription) noexcept;

}  // namespace wskeep::ipc
