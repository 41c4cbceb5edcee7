#pragma once

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "ipc/encoded_feed.hpp"
#include "ipc/reader.hpp"
#include "ipc/subscription.hpp"
#include "ipc/upstream.hpp"

namespace wskeep::ipc {

/// How an answer that is a stream begins, and is kept alive.
struct StreamAnswer {
  std::string headers{};  ///< beside those of every stream; each ends with CRLF
  std::chrono::milliseconds comments{15'000};  ///< between two of them (server-sent events)
};

/// Head of an answer whose body is a stream in that form.
[[nodiscard]] std::string stream_head(Form form, const StreamAnswer& answer);

/// A local app that reads messages as NDJSON or as server-sent events: the body of one HTTP answer,
/// which ends when there are no more, or with the app.
class LineStream final : public Reader {
 public:
  /// Answers the request, attaches to the channel, and goes on by itself. Call on the shard of
  /// `upstream`; needs find_start() to have an answer, and the channel's `batches` for the
  /// subscription. Throws std::system_error when the socket cannot be watched.
  static void start(Upstream& upstream, int socket, ClientSlot slot,
                    const Subscription& subscription, std::shared_ptr<BatchMaker> batches,
                    const StreamAnswer& answer);

  void close(std::uint16_t code, const std::string& reason) override;
  [[nodiscard]] std::string_view kind() const noexcept override {
    return encoding_ == Encoding::sse ? "sse" : "ndjson";
  }

 private:
  LineStream(Upstream& upstream, Descriptor descriptor, ClientSlot slot,
             const Subscription& subscription, std::unique_ptr<EncodedFeed> feed);

  void on_gap(ring::Sequence from, ring::Sequence to) override;
  void on_drained() override;
  /// `seen`: the last message before it, for server-sent events that say where to go on.
  void append_event(std::string_view json, ring::Sequence seen);
  [[nodiscard]] std::string id_field(ring::Sequence seen);
  void append_chunk(std::string_view text);
  void end_body();
  void watch_for_the_end();
  void comment_from_time_to_time(std::chrono::milliseconds interval);

  Encoding encoding_;
  EncodedFeed& lines_;
  bool ended_ = false;
  std::unique_ptr<boost::asio::steady_timer> comment_timer_;
  ring::Sequence commented_at_ = 0;
};

}  // namespace wskeep::ipc
