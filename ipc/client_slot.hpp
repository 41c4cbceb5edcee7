#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace wskeep::ipc {

/// How many local clients there are, over all shards: the one number that they share, touched once
/// per client.
class ClientCount {
 public:
  explicit ClientCount(std::uint32_t limit) noexcept : limit_(limit) {}

  [[nodiscard]] std::uint32_t current() const noexcept {
    return current_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint32_t limit() const noexcept { return limit_; }

  /// For those who come from now on. On the thread that makes the slots.
  void limit(std::uint32_t limit) noexcept { limit_ = limit; }

 private:
  friend class ClientSlot;
  std::uint32_t limit_;
  std::atomic<std::uint32_t> current_{0};
};

/// One client's place among them, given back when it ends. Goes from shard to shard with the
/// client's socket.
class ClientSlot {
 public:
  ClientSlot() = default;
  explicit ClientSlot(std::shared_ptr<ClientCount> count) noexcept : count_(std::move(count)) {
    within_limit_ = count_->current_.fetch_add(1, std::memory_order_relaxed) < count_->limit_;
  }
  ClientSlot(ClientSlot&& other) noexcept = default;
  ClientSlot& operator=(ClientSlot&& other) noexcept {
    std::swap(count_, other.count_);
    within_limit_ = other.within_limit_;
    return *this;
  }
  ClientSlot(const ClientSlot&) = delete;
  ClientSlot& operator=(const ClientSlot&) = delete;
  ~ClientSlot() {
    if (count_) count_->current_.fetch_sub(1, std::memory_order_relaxed);
  }

  [[nodiscard]] bool within_limit() const noexcept { return within_limit_; }

 private:
  std::shared_ptr<ClientCount> count_;
  bool within_limit_ = false;
};

}  // namespace wskeep::ipc
