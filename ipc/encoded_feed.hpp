#pragma once

#include <cstddef>
#include <limits>
#include <memory>

#include "ipc/batch.hpp"
#include "ipc/feed.hpp"

namespace wskeep::ipc {

/// Messages in a form of their own, with events between them. What it holds of the ring it has
/// copied, together with all readers at the same place, so that it never holds up the writer with a
/// message half sent.
class EncodedFeed final : public Feed {
 public:
  static constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

  /// Begins with message `start` and the next event to come. Gives at most `message_limit`
  /// messages.
  EncodedFeed(const ring::Ring& ring, BatchMaker& batches, Encoding encoding, ring::Sequence start,
              EventLog::Number first_event, std::size_t message_limit = no_limit) noexcept
      : Feed(ring, start),
        batches_(batches),
        encoding_(encoding),
        event_(first_event),
        left_(message_limit) {}

  [[nodiscard]] std::span<const std::byte> more() override;
  [[nodiscard]] std::span<const std::byte> rest() override;
  void advance(std::size_t bytes) override;
  void before_overwrite() override {}

  /// All messages that it was to give have been sent.
  [[nodiscard]] bool at_limit() const noexcept { return left_ == 0 && batch_ == nullptr; }

 private:
  BatchMaker& batches_;
  Encoding encoding_;
  EventLog::Number event_;
  std::size_t left_;
  std::shared_ptr<const Batch> batch_;
  std::size_t batch_sent_ = 0;
};

}  // namespace wskeep::ipc
