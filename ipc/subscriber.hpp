#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ipc/batch.hpp"
#include "ipc/reader.hpp"
#include "ipc/subscription.hpp"
#include "ipc/upstream.hpp"
#include "websocket/message_reader.hpp"

namespace wskeep::ipc {

/// A local app on a WebSocket: it is sent the messages, plain or as `wskeep.v1`, and what it sends
/// goes upstream.
class Subscriber final : public Reader, public PublishObserver {
 public:
  /// Answers the upgrade with `response`, attaches to the channel, and goes on by itself.
  /// `batches`: the channel's, for the subscription; `early_bytes` came behind the request. Call on
  /// the shard of `upstream`; throws std::system_error when the socket cannot be watched.
  static void start(Upstream& upstream, int socket, ClientSlot slot,
                    const Subscription& subscription, std::shared_ptr<BatchMaker> batches,
                    std::string_view response, std::span<const std::byte> early_bytes);

  void close(std::uint16_t code, const std::string& reason) override;
  void publish_more() override;
  [[nodiscard]] std::string_view kind() const noexcept override {
    return v1_ ? "wskeep.v1" : "plain";
  }

  void on_written(std::uint64_t token) override;
  void on_unknown(std::uint64_t token, const Rejection& reason) override;
  void on_queued(std::uint64_t token) override;
  void on_failed(std::uint64_t token, const Rejection& reason) override;

 private:
  Subscriber(Upstream& upstream, Descriptor descriptor, ClientSlot slot,
             const Subscription& subscription, std::shared_ptr<BatchMaker> batches);

  void on_gap(ring::Sequence from, ring::Sequence to) override;
  void on_broken_off() override;
  void on_drained() override;
  void on_left() override;

  void want_to_read();
  void on_readable();
  /// Reads frames; what is left when publishing has to wait is kept.
  void take(std::span<std::byte> input);

  friend class websocket::MessageReader;
  bool on_message(websocket::Opcode opcode, std::span<std::byte> payload);
  bool on_part(websocket::MessageReader::Part part, std::span<std::byte> payload);
  void on_control(websocket::Opcode opcode, std::span<const std::byte> payload);
  /// Has what is kept for the app charged to its user; false: that is too much.
  [[nodiscard]] bool hold_memory();
  /// What the app sends next may be read.
  [[nodiscard]] bool may_go_on();
  [[nodiscard]] bool too_fast();
  void note_published(std::size_t bytes);
  void publish_plain(websocket::Opcode opcode, std::span<const std::byte> payload);
  void publish_v1(websocket::Opcode opcode, std::span<const std::byte> payload);
  void publish_part(websocket::MessageReader::Part part, std::span<const std::byte> payload);
  [[nodiscard]] std::optional<std::span<const std::byte>> take_id(
      std::span<const std::byte> payload, bool last);
  [[nodiscard]] std::uint64_t new_token(std::string_view id);
  void reject_message(std::uint64_t token, const Rejection& rejection);
  void abandon_message();
  /// nullptr: its outcome is known, or not to be told.
  [[nodiscard]] const std::string* id_of(std::uint64_t token) const;
  void answer(std::uint64_t token, std::string_view outcome, const Rejection* rejection);
  void send_event(std::string_view json);
  void send_close(std::uint16_t code, std::string_view reason);

  Upstream& upstream_;
  bool v1_;
  websocket::MessageReader frames_;
  std::vector<std::byte> unread_;  ///< received, and waiting until publishing may go on
  bool reading_ = false;
  bool close_sent_ = false;
  /// The IDs of messages whose outcome is not known yet, by token.
  std::deque<std::pair<std::uint64_t, std::string>> under_way_;
  std::uint64_t next_token_ = 1;

  /// A message that the app sends in parts.
  struct InParts {
    std::string head{};       ///< `wskeep.v1`: what has come of the line with the ID
    bool identified = false;  ///< all of it
    std::uint64_t token = 0;
    bool begun = false;     ///< some of it was given to upstream
    bool unwanted = false;  ///< upstream has rejected it: the rest is read and dropped
    std::size_t size = 0;
  };
  std::unique_ptr<InParts> in_parts_;                      ///< nullptr: there is none
  std::unique_ptr<boost::asio::steady_timer> pace_timer_;  ///< where it was too fast once
};

}  // namespace wskeep::ipc
