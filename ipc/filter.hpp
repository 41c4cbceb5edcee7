#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "config/message_rule.hpp"
#include "ipc/batch.hpp"
#include "match/rule_set.hpp"
#include "ring/ring.hpp"

namespace wskeep::ipc {

class Filters;

/// Which messages some of a connection's readers want. What it says of a message is found out when
/// the first of them asks, and kept as long as the message is: two bits for each place in the ring.
class Filter final : public Selection {
 public:
  Filter(Filters& filters, const ring::Ring& ring, config::MessageRule rule);

  [[nodiscard]] bool passes(ring::Sequence sequence) override;
  [[nodiscard]] bool may_go_on() const noexcept override;

  [[nodiscard]] const config::MessageRule& rule() const noexcept { return rule_; }

 private:
  friend class Filters;

  [[nodiscard]] bool knows(ring::Sequence sequence) const noexcept;
  void keep(ring::Sequence sequence, bool passes);
  void forget_before(ring::Sequence sequence);

  Filters& filters_;
  config::MessageRule rule_;
  match::RuleSet rules_;
  ring::Sequence since_;      ///< later messages are looked at for all filters at once
  ring::Sequence known_end_;  ///< behind the newest one that was looked at
  std::size_t slots_;
  std::vector<std::uint64_t> known_;
  std::vector<std::uint64_t> passes_;
};

/// The different filters of one connection's readers; one that several readers have is one. Lives
/// on the connection's shard, and longer than its filters.
class Filters {
 public:
  struct Statistics {
    std::uint64_t looked_at = 0;  ///< messages, once for each filter
    std::uint64_t passed = 0;     ///< of them
  };

  /// `pause` is called when so much was looked at in one go that others are to have their turn: it
  /// has `resume` called, and the readers served again, from the event loop.
  Filters(const ring::Ring& ring, std::function<void()> pause)
      : ring_(ring), pause_(std::move(pause)) {}

  /// nullptr: there are `most` others already. Throws match::RuleError.
  [[nodiscard]] std::shared_ptr<Filter> find(const config::MessageRule& rule, std::size_t most);

  /// How many are in use.
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] const Statistics& statistics() const noexcept { return statistics_; }

  /// The pause is over.
  void resume() noexcept { looked_at_bytes_ = 0; }

 private:
  friend class Filter;

  void judge(ring::Sequence sequence, Filter& asked);

  const ring::Ring& ring_;
  std::function<void()> pause_;
  std::vector<std::weak_ptr<Filter>> filters_;
  std::size_t looked_at_bytes_ = 0;  ///< since the last pause
  Statistics statistics_;
};

}  // namespace wskeep::ipc
