#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "daemon/environment.hpp"
#include "daemon/net/transport.hpp"
#include "daemon/upstream/statistics.hpp"
#include "ipc/upstream.hpp"
#include "websocket/deflate.hpp"
#include "websocket/frame.hpp"

namespace wskeep::upstream {

/// What waits to be sent upstream: masked frames in the order they came, and who is to be told when
/// the kernel has taken them.
class Sender {
 public:
  /// `compression` as agreed with upstream. All referred to outlives it.
  Sender(daemon::Environment& environment, Statistics& statistics,
         const std::optional<websocket::DeflateParameters>& compression);

  void append_message(websocket::Opcode opcode, std::span<const std::byte> payload,
                      std::weak_ptr<ipc::PublishObserver> observer, std::uint64_t token);
  void append_control(websocket::Opcode opcode, std::span<const std::byte> payload);

  /// Writes as much as the transport takes, in one write where it can. Observers are not told yet.
  [[nodiscard]] net::IoResult write(net::Transport& transport);

  /// Tells those whose messages were written since the last call.
  void tell_written();

  /// Tells all others that nobody knows. The sender is not used any more.
  void tell_unknown(const ipc::Rejection& reason);

  [[nodiscard]] std::size_t unsent() const noexcept { return buffer_.size() - sent_; }

 private:
  struct Receipt {
    std::uint64_t end;  ///< written when `written_` has come here
    std::weak_ptr<ipc::PublishObserver> observer;
    std::uint64_t token;
  };

  [[nodiscard]] websocket::MaskingKey masking_key();

  daemon::Environment& environment_;
  Statistics& statistics_;
  std::unique_ptr<websocket::Deflater> deflater_;
  std::vector<std::byte> deflated_;
  std::vector<std::byte> buffer_;
  std::size_t sent_ = 0;  ///< of buffer_
  std::uint64_t appended_ = 0;
  std::uint64_t written_ = 0;
  std::deque<Receipt> receipts_;
};

}  // namespace wskeep::upstream
