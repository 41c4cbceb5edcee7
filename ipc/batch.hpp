#pragma once

#include <array>
#include <cstddef>
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
  std::vector<std::byte> bytes;
};

/// Makes batches, and keeps the newest of each encoding for the other readers, which mostly stand
/// at the same place.
class BatchMaker {
 public:
  BatchMaker(const ring::Ring& ring, const EventLog& events, std::size_t batch_bytes) noexcept
      : ring_(ring), events_(events), batch_bytes_(batch_bytes) {}

  /// What follows `place`, at most `batch_bytes` of it but at least one message and at most
  /// `message_limit` messages; nullptr when nothing follows. Needs place.sequence >= ring.first().
  [[nodiscard]] std::shared_ptr<const Batch> make(Encoding encoding, BatchPlace place,
                                                  std::size_t message_limit);

  /// From the next batch on.
  void limit(std::size_t batch_bytes) noexcept { batch_bytes_ = batch_bytes; }

 private:
  struct Kept {
    Encoder encoder;
    std::shared_ptr<Batch> batch;
    std::size_t message_limit = 0;
  };

  void fill(Encoder& encoder, Batch& batch, std::size_t message_limit) const;

  const ring::Ring& ring_;
  const EventLog& events_;
  std::size_t batch_bytes_;
  std::array<Kept, 2> kept_{Kept{Encoder(Encoding::wskeep_v1), {}, 0},
                            Kept{Encoder(Encoding::ndjson), {}, 0}};
};

}  // namespace wskeep::ipc
