#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  /// `early_bytes` came behind the request. Call on the shard of `upstream`; throws
  /// std::system_error when the socket cannot be watched.
  static void start(Upstream& upstream, int socket, ClientSlot slot,
                    const Subscription& subscription, std::string_view response,
                    std::span<const std::byte> early_bytes);

  void close(std::uint16_t code, const std::string& reason) override;
  void publish_more() override;

  void on_written(std::uint64_t token) override;
  void on_unknown(std::uint64_t token, const Rejection& reason) override;

 private:
  Subscriber(Upstream& upstream, Descriptor descriptor, ClientSlot slot,
             const Subscription& subscription);

  void on_gap(ring::Sequence from, ring::Sequence to) override;
  void on_drained() override;

  void want_to_read();
  void on_readable();
  /// Reads frames; what is left when publishing has to wait is kept.
  void take(std::span<std::byte> input);

  friend class websocket::MessageReader;
  bool on_message(websocket::Opcode opcode, std::span<std::byte> payload);
  void on_control(websocket::Opcode opcode, std::span<const std::byte> payload);
  void publish_plain(websocket::Opcode opcode, std::span<const std::byte> payload);
  void publish_v1(websocket::Opcode opcode, std::span<const std::byte> payload);
  void answer(std::uint64_t token, const Rejection* rejection);
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
};

}  // namespace wskeep::ipc
