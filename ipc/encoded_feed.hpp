#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "ipc/batch.hpp"
#include "ipc/feed.hpp"

namespace wskeep::ipc {

/// Messages in a form of their own, with events between them. What it holds of the ring it has
/// copied, together with all readers at the same place, so that it never holds up the writer with a
/// message half sent.
class EncodedFeed final : public Feed {
 public:
  /// Begins with message `start` and event `first_event`.
  EncodedFeed(const ring::Ring& ring, std::shared_ptr<BatchMaker> batches, Encoding encoding,
              ring::Sequence start, EventLog::Number first_event, Extent extent = {}) noexcept
      : Feed(ring, start),
        batches_(std::move(batches)),
        encoding_(encoding),
        event_(first_event),
        extent_(extent) {}

  [[nodiscard]] std::span<const std::byte> more() override;
  [[nodiscard]] std::span<const std::byte> rest() override;
  void advance(std::size_t bytes) override;
  void before_overwrite() override {}
  [[nodiscard]] ring::Sequence first_unsent() const noexcept override {
    return batch_ == nullptr ? place_.sequence : batch_->begin.sequence;
  }

  /// All messages that it was to give have been sent.
  [[nodiscard]] bool at_limit() const noexcept {
    return batch_ == nullptr && (extent_.limit == 0 || place_.sequence >= extent_.until);
  }

 private:
  std::shared_ptr<BatchMaker> batches_;
  Encoding encoding_;
  EventLog::Number event_;
  Extent extent_;  ///< what is left of it
  std::shared_ptr<const Batch> batch_;
  std::size_t batch_sent_ = 0;
};

}  // namespace wskeep::ipc
