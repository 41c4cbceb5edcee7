#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <utility>

#include "daemon/environment.hpp"

namespace wskeep::net {

/// Bounds the TLS handshakes under way on one shard, so that a thousand connections that begin
/// together take turns: each needs some 50 KiB while it lasts, and a signature's worth of processor
/// time. One that hangs keeps its place for `longest` only, so that dead servers do not hold up
/// others.
class HandshakeLimit {
 public:
  static constexpr std::chrono::milliseconds longest{1'000};

  /// `limit`: how many places there are, at least one.
  explicit HandshakeLimit(boost::asio::any_io_executor executor, std::size_t limit)
      : executor_(std::move(executor)), limit_(limit) {}

  /// A place, given back when it is destroyed. The limit outlives it.
  class Place {
   public:
    Place(HandshakeLimit& limit, std::uint64_t number) noexcept : limit_(&limit), number_(number) {}
    Place(Place&& other) noexcept
        : limit_(std::exchange(other.limit_, nullptr)), number_(other.number_) {}
    Place& operator=(Place&&) = delete;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (limit_ != nullptr) limit_->leave(number_);
    }

   private:
    HandshakeLimit* limit_;
    std::uint64_t number_;
  };

  /// Waits for a place, first come, first served; nothing when cancelled.
  [[nodiscard]] boost::asio::awaitable<std::optional<Place>> enter();

  /// For those who enter from now on; who is in keeps the place.
  void limit(std::size_t limit) noexcept;

  /// Places that are held; not those that were lost to time.
  [[nodiscard]] std::size_t under_way() const noexcept { return holders_.size(); }
  /// How many stand in line.
  [[nodiscard]] std::size_t waiting() const noexcept { return waiters_.size(); }

 private:
  struct Holder {
    std::uint64_t number;
    daemon::TimePoint since;
  };

  void leave(std::uint64_t number) noexcept;
  void wake_first() noexcept;
  [[nodiscard]] bool has_place(daemon::TimePoint now);

  boost::asio::any_io_executor executor_;
  std::size_t limit_;
  std::list<Holder> holders_;  ///< oldest first
  std::list<boost::asio::steady_timer> waiters_;
  std::uint64_t next_number_ = 1;
};

}  // namespace wskeep::net
