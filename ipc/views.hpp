#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "config/message_rule.hpp"
#include "ipc/batch.hpp"
#include "ipc/event_log.hpp"
#include "ipc/filter.hpp"
#include "ring/ring.hpp"

namespace wskeep::ipc {

/// What one reader may see at all: beside what it wants.
class Visibility : public Selection {
 public:
  /// Of what is visible, only this is wanted; nullptr: all.
  void within(std::shared_ptr<Selection> wanted) noexcept { wanted_ = std::move(wanted); }

  [[nodiscard]] bool passes(ring::Sequence sequence) final {
    return (!wanted_ || wanted_->passes(sequence)) && visible(sequence);
  }
  [[nodiscard]] bool may_go_on() const noexcept final { return !wanted_ || wanted_->may_go_on(); }

 private:
  [[nodiscard]] virtual bool visible(ring::Sequence sequence) = 0;

  std::shared_ptr<Selection> wanted_;
};

/// The messages of one connection as some of its readers want them: filtered, or named. Readers
/// that want the same share it, and so what was filtered and encoded for one of them. Lives on the
/// connection's shard, and longer than what it gives out.
class Views {
 public:
  /// `pause`: see Filters.
  Views(const ring::Ring& ring, const EventLog& events, std::function<void()> pause)
      : ring_(ring), events_(events), filters_(ring, std::move(pause)) {}

  /// nullptr: `most_filters` other filters are in use. `visible`: what the one who asks may see,
  /// who then shares with nobody.
  [[nodiscard]] std::shared_ptr<BatchMaker> find(const Telling& telling,
                                                 const std::optional<config::MessageRule>& rule,
                                                 std::size_t most_filters, std::size_t batch_bytes,
                                                 std::shared_ptr<Visibility> visible = nullptr);

  /// Of a batch, from the next one on.
  void limit(std::size_t batch_bytes);

  [[nodiscard]] Filters& filters() noexcept { return filters_; }
  [[nodiscard]] const Filters& filters() const noexcept { return filters_; }

 private:
  struct View {
    Telling telling;
    const Filter* filter;  ///< its address alone counts
    std::weak_ptr<BatchMaker> batches;
  };

  const ring::Ring& ring_;
  const EventLog& events_;
  Filters filters_;
  std::vector<View> views_;
};

}  // namespace wskeep::ipc
