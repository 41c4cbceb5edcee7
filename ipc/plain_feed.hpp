#pragma once

#include <vector>

#include "ipc/feed.hpp"

namespace wskeep::ipc {

/// The frames as they lie in the ring: no copy, and one write for all that is new.
class PlainFeed final : public Feed {
 public:
  PlainFeed(const ring::Ring& ring, ring::Sequence start) noexcept
      : Feed(ring, start), message_end_(place_.position) {}

  [[nodiscard]] std::span<const std::byte> more() override;
  [[nodiscard]] std::span<const std::byte> rest() override;
  void advance(std::size_t bytes) override;
  void before_overwrite() override;

 private:
  [[nodiscard]] std::span<const std::byte> more_of_whole_messages();

  /// Behind the message that place() stands inside; at or before place().position where it
  /// stands between two.
  ring::Position message_end_;
  /// The end of a message whose bytes in the ring were overwritten while the reader's socket was
  /// full.
  std::vector<std::byte> saved_;
  std::size_t saved_sent_ = 0;
};

}  // namespace wskeep::ipc
