#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "ipc/encoding.hpp"
#include "ipc/event_log.hpp"
#include "ring/ring.hpp"

namespace wskeep::ipc {

/// Where an encoded reader stands: the next message and the next event.
struct BatchPlace {
  ring::Sequence sequence = 0;
  EventLog::Number event = 0;

  friend bool operator==(const BatchPlace&, const BatchPlace&) = default;
};

/// Messages and events in one encoding. Made once and sent to all readers that stand at `begin`.
struct Batch {
  BatchPlace begin;
  BatchPlace end;
  std::size_t messages = 0;
  std::vector<std::byte> bytes;  ///< empty where nothing between the places is to be sent
};

/// What of a connection's messages a reader is to be given.
struct Extent {
  /// So many messages.
  std::size_t limit = std::numeric_limits<std::size_t>::max();
  ring::Sequence until = std::numeric_limits<ring::Sequence>::max();  ///< those before this one

  friend bool operator==(const Extent&, const Extent&) = default;
};

/// Which messages are wanted of those that there are.
class Selection {
 public:
  virtual ~Selection() = default;

  /// Of a message that is kept.
  [[nodiscard]] virtual bool passes(ring::Sequence sequence) = 0;

  /// False: so much was looked at in one go that others on the shard are to have their turn. Who
  /// waits is then served again by itself.
  [[nodiscard]] virtual bool may_go_on() const noexcept = 0;
};

/// Makes batches, and keeps the newest of each encoding for the other readers, which mostly stand
/// at the same place.
class BatchMaker {
 public:
  /// nullptr: every message is wanted.
  BatchMaker(const ring::Ring& ring, const EventLog& events, std::size_t batch_bytes,
             const Telling& telling = {}, std::shared_ptr<Selection> selection = nullptr);

  /// What follows `place`, at most `batch_bytes` of it but at least one message, and no more than
  /// `extent`; nullptr when nothing follows, or that is not known before a pause. Needs
  /// place.sequence >= ring.first().
  [[nodiscard]] std::shared_ptr<const Batch> make(Encoding encoding, BatchPlace place,
                                                  Extent extent);

  /// From the next batch on.
  void limit(std::size_t batch_bytes) noexcept { batch_bytes_ = batch_bytes; }

 private:
  struct Kept {
    Encoder encoder;
    std::shared_ptr<Batch> batch;
    Extent extent{};
  };

  void fill(Encoder& encoder, Batch& batch, Extent extent) const;
  [[nodiscard]] bool pass_over(BatchPlace& place, Extent extent) const;

  const ring::Ring& ring_;
  const EventLog& events_;
  std::size_t batch_bytes_;
  std::shared_ptr<Selection> selection_;  ///< nullptr: everything is wanted
  Telling telling_;
  std::array<std::unique_ptr<Kept>, encoding_count> kept_;  ///< made when first asked for
};

}  // namespace wskeep::ipc
