#pragma once

#include <span>

#include "ipc/encoded_feed.hpp"
#include "ipc/reader.hpp"
#include "ipc/subscription.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::ipc {

/// A local app that reads messages as NDJSON: the body of one HTTP answer, which ends when there
/// are no more, or with the app.
class LineStream final : public Reader {
 public:
  /// Answers the request, attaches to the channel, and goes on by itself. Call on the shard of
  /// `upstream`; needs find_start() to have an answer. Throws std::system_error when the socket
  /// cannot be watched.
  static void start(Upstream& upstream, int socket, ClientSlot slot,
                    const Subscription& subscription);

  void close(std::uint16_t code, const std::string& reason) override;

 private:
  LineStream(Upstream& upstream, Descriptor descriptor, ClientSlot slot,
             const Subscription& subscription, std::unique_ptr<EncodedFeed> feed);

  void on_gap(ring::Sequence from, ring::Sequence to) override;
  void on_drained() override;
  void append_chunk(std::string_view line);
  void end_body();
  void watch_for_the_end();

  EncodedFeed& lines_;
  bool ended_ = false;
};

}  // namespace wskeep::ipc
